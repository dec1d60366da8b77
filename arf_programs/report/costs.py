"""What a verified revision cost: the calls of analysis and revision, divided by what stood up to verification."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from arf_programs.models.answer_files import Call
from arf_programs.report.data import CostFigures
from signatures.records import Revision, Verdict

STAGES: Final = ("analyze", "revise")


def revision_costs(calls: Iterable[Call], revisions: Iterable[Revision]) -> dict[str, CostFigures]:
    """{strategy: its cost}, of all calls that were paid for in `STAGES`; empty where nothing was revised.

    The ledger does not say for which strategy a call was made: where a run has revisions of several, they share one
    entry, under their names joined by a comma.
    """
    known = list(revisions)
    if not known:
        return {}
    paid = [call for call in calls if call.stage in STAGES and call.paid]
    verified = sum(revision.verdict is Verdict.VERIFIED for revision in known)
    name = ", ".join(sorted({revision.strategy for revision in known}))
    figures = CostFigures(
        revisions=len(known),
        verified=verified,
        calls=len(paid),
        prompt_tokens=sum(call.prompt_tokens for call in paid),
        completion_tokens=sum(call.completion_tokens for call in paid),
        usd=round(sum(call.usd for call in paid), 6),
    )
    return {name: _per_verified(figures)}


def _per_verified(figures: CostFigures) -> CostFigures:
    """The figures with those of one verified revision; these stay None where there is none."""
    if not figures.verified:
        return figures
    tokens = figures.prompt_tokens + figures.completion_tokens
    return figures.model_copy(
        update={
            "calls_per_verified": round(figures.calls / figures.verified, 3),
            "tokens_per_verified": round(tokens / figures.verified, 1),
            "usd_per_verified": round(figures.usd / figures.verified, 6),
        }
    )

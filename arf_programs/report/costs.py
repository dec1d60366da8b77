"""What a verified revision cost: the calls of analysis and revision, divided by what stood up to verification."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from arf_programs.models.spent import Call
from arf_programs.models.spent import Spent
from arf_programs.report.data import CostFigures
from signatures.records import Revision, Verdict

ANALYSIS: Final = "analyze"
REVISION: Final = "revise"


def revision_costs(calls: Iterable[Call], revisions: Iterable[Revision], main: str) -> dict[str, CostFigures]:
    """{strategy: its cost}, of all calls that were paid for; empty where nothing was revised.

    A revision's calls are booked to its strategy, those that are not to `main`. The analysis is counted for each: every
    strategy is verified by the errors that it finds, and would need it alone. Both iterables are read once.
    """
    made, verified = Counter[str](), Counter[str]()
    for revision in revisions:
        made[revision.strategy] += 1
        verified[revision.strategy] += revision.verdict is Verdict.VERIFIED
    analysis, spent = Spent(), defaultdict[str, Spent](Spent)
    for call in calls:
        if call.paid and call.stage == ANALYSIS:
            analysis.add(call)
        elif call.paid and call.stage == REVISION:
            spent[call.strategy or main].add(call)
    return {name: _figures(made[name], verified[name], analysis, spent[name]) for name in sorted(made)}


def _figures(made: int, verified: int, analysis: Spent, revision: Spent) -> CostFigures:
    """Both together and, where there is a verified revision, what one came to."""
    calls = analysis.calls + revision.calls
    prompt = analysis.prompt_tokens + revision.prompt_tokens
    completion = analysis.completion_tokens + revision.completion_tokens
    usd = round(analysis.usd + revision.usd, 6)
    return CostFigures(
        revisions=made,
        verified=verified,
        calls=calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        usd=usd,
        calls_per_verified=round(calls / verified, 3) if verified else None,
        tokens_per_verified=round((prompt + completion) / verified, 1) if verified else None,
        usd_per_verified=round(usd / verified, 6) if verified else None,
    )

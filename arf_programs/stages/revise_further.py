"""Revisions beside the main ones: by the strategies of further arms, and sampled ones (rejection sampling)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from arf_programs.config.schema import Strategy
from arf_programs.jsonl import read_jsonl, write_jsonl_atomic
from arf_programs.run import Run
from arf_programs.running.stream import stream
from arf_programs.stages.further import further_outputs, further_strategies
from arf_programs.stages.reviser import build_reviser
from arf_programs.stages.revision_step import DraftToMend, further_step
from signatures.records import Failure, Revision, Verdict

Rows = Callable[[], Iterator[DraftToMend]]


@dataclass
class Further:
    """What was counted, and what failed."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def revise_further(run: Run, rows: Rows) -> Further:
    """Write the files of `further_outputs`, where there are any, from the drafts that `rows` gives.

    Sampled are `revise.samples` - 1 further revisions of each draft and strategy; of these the verified ones are kept,
    once each, that say something else than those before them. Raises what `stream` raises.
    """
    further = Further()
    if not further_outputs(run):
        return further
    written: dict[Strategy, Path] = {run.config.revise.strategy: run.folder.revisions}
    for strategy in further_strategies(run.config):
        written[strategy] = _revise(run, strategy, 1, rows, further)
        further.counts[f"verified by {strategy}"] = sum(
            row.verdict is Verdict.VERIFIED for row in read_jsonl(written[strategy], Revision)
        )
    if run.config.revise.samples > 1:
        made = {strategy: _sampled(run, strategy, rows, further) for strategy in written}
        kept = (row for name, main in written.items() for row in distinct_verified(_all(made[name]), _all([main])))
        write_jsonl_atomic(run.folder.revision_samples, kept)
        further.counts["further samples verified"] = sum(1 for _ in _all([run.folder.revision_samples]))
    return further


def _sampled(run: Run, strategy: Strategy, rows: Rows, further: Further) -> list[Path]:
    """The files of the samples beyond the first, of drafts about which the strategy asks."""
    everything = not build_reviser(run, strategy=strategy).propose.needs_errors

    def asked_about() -> Iterator[DraftToMend]:
        return (row for row in rows() if everything or row.errors.errors)

    numbers = range(2, run.config.revise.samples + 1)
    return [_revise(run, strategy, number, asked_about, further) for number in numbers]


def _revise(run: Run, strategy: Strategy, sample: int, rows: Rows, further: Further) -> Path:
    step = further_step(strategy, sample)
    (outcome,) = stream(run, [step], rows(), total=sum(1 for _ in rows()))
    further.failures += outcome.failures
    return step.output(run.folder)


def _all(paths: Iterable[Path]) -> Iterator[Revision]:
    return (row for path in paths for row in read_jsonl(path, Revision))


def distinct_verified(made: Iterable[Revision], known: Iterable[Revision]) -> Iterator[Revision]:
    """The verified of `made`, without those whose text a verified one in `known` or before them already has."""
    seen = {_text(row) for row in known if row.verdict is not Verdict.REJECTED}
    for row in made:
        text = _text(row)
        if row.verdict is Verdict.VERIFIED and text not in seen:
            seen.add(text)
            yield row


def _text(row: Revision) -> bytes:
    """What tells texts apart, in 16 bytes."""
    return hashlib.blake2b(f"{row.conversation_id}\n{row.after.strip()}".encode(), digest_size=16).digest()

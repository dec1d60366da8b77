"""Revisions beside the main ones: by the strategies of further arms, and sampled ones (rejection sampling)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from arf_programs.asking import ask_rows
from arf_programs.config.schema import Strategy
from arf_programs.jsonl import read_jsonl, write_jsonl_atomic
from arf_programs.jsonl_index import JsonlIndex
from arf_programs.programs.revise import ReviseDraft
from arf_programs.run import Run
from arf_programs.running.rows import Outcome, RowKey
from arf_programs.stages.further import further_outputs, further_strategies
from signatures.records import DraftErrors, ErrorNote, Failure, Revision, Summary, Verdict

BuildReviser = Callable[[Run, Strategy, int], ReviseDraft]


@dataclass
class Further:
    """What was counted, and what failed."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


class _Work(NamedTuple):
    """Drafts with their errors, and a way to build the program for a strategy and the number of a sample."""

    stage: str
    drafts: Sequence[Summary]
    errors: Mapping[str, Sequence[ErrorNote]]
    build: BuildReviser


def revise_further(run: Run, stage: str, build: BuildReviser) -> Further:
    """Write the files of `further_outputs`, where there are any; errors and main revisions are read from the run.

    Sampled are `revise.samples` - 1 further revisions of each draft and strategy; of these the verified ones are kept,
    once each, that say something else than those before them. Raises what `ask_rows` raises.
    """
    further = Further()
    if not further_outputs(run):
        return further
    work = _work(run, stage, build)
    written: dict[Strategy, Path] = {run.config.revise.strategy: run.folder.revisions}
    for strategy in further_strategies(run.config):
        outcome = _revise(run, work, strategy, sample=1)
        written[strategy] = run.folder.revisions_by(strategy)
        write_jsonl_atomic(written[strategy], outcome.results.values())
        further.failures += outcome.failures
        further.counts[f"verified by {strategy}"] = sum(
            row.verdict is Verdict.VERIFIED for row in outcome.results.values()
        )
    if run.config.revise.samples > 1:
        kept = [row for name, path in written.items() for row in _sampled(run, work, name, path, further)]
        write_jsonl_atomic(run.folder.revision_samples, kept)
        further.counts["further samples verified"] = len(kept)
    return further


def _work(run: Run, stage: str, build: BuildReviser) -> _Work:
    """The drafts whose errors are known."""
    errors = JsonlIndex(
        run.folder.errors, DraftErrors, key=lambda row: row["conversation_id"], value=lambda row: row.errors
    )
    drafts = [draft for draft in run.drafts("train") if draft.conversation_id in errors]
    return _Work(stage, drafts, errors, build)


def _sampled(run: Run, work: _Work, strategy: Strategy, main: Path, further: Further) -> list[Revision]:
    made: list[Revision] = []
    for number in range(2, run.config.revise.samples + 1):
        outcome = _revise(run, work, strategy, sample=number)
        made += outcome.results.values()
        further.failures += outcome.failures
    return distinct_verified(made, read_jsonl(main, Revision))


def distinct_verified(made: Sequence[Revision], known: Iterable[Revision]) -> list[Revision]:
    """The verified of `made`, without those whose text a verified one in `known` or before them already has."""
    seen = {(row.conversation_id, row.after.strip()) for row in known if row.verdict is not Verdict.REJECTED}
    kept = []
    for row in made:
        text = (row.conversation_id, row.after.strip())
        if row.verdict is Verdict.VERIFIED and text not in seen:
            seen.add(text)
            kept.append(row)
    return kept


def _revise(run: Run, work: _Work, strategy: Strategy, *, sample: int) -> Outcome[Revision]:
    program = work.build(run, strategy, sample)
    conversations = run.conversations("train")
    rows = work.drafts if sample == 1 else [row for row in work.drafts if _is_asked_about(program, row, work.errors)]
    system = strategy if sample == 1 else f"{strategy} sample {sample}"

    async def revise(draft: Summary) -> Revision:
        answer = await program.acall(
            conversation=conversations[draft.conversation_id], draft=draft, errors=work.errors[draft.conversation_id]
        )
        revision: Revision = answer.revision
        return revision

    return ask_rows(
        run,
        work.stage,
        rows,
        revise,
        key=lambda row: RowKey(row.conversation_id, system),
        concurrency=run.config.models.editor.concurrency,
        label=f"{work.stage}: {system}",
    )


def _is_asked_about(program: ReviseDraft, draft: Summary, errors: Mapping[str, Sequence[ErrorNote]]) -> bool:
    return bool(errors[draft.conversation_id]) or not program.propose.needs_errors

"""Stage `revise`: the editor mends each training draft, and each revision is verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

from arf_programs.compiling.saved import program_fingerprint
from arf_programs.config.models import ModelConfig
from arf_programs.config.schema import Config, Strategy
from arf_programs.fingerprint import digest, file_digest, model_digest, prompts_digest, without
from arf_programs.jsonl import read_jsonl, read_lines
from arf_programs.jsonl_index import JsonlIndex
from arf_programs.programs.revise import ReviseDraft
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.running import collect
from arf_programs.running.rows import RowKey
from arf_programs.running.step import Step, rows_at_once
from arf_programs.running.stream import stream
from arf_programs.stages import analyze
from arf_programs.stages.analyzer import analyst_fingerprint
from arf_programs.stages.further import further_fingerprint, further_outputs
from arf_programs.stages.revise_further import Further, revise_further
from arf_programs.stages.reviser import REVISION_SIGNATURES, build_reviser
from arf_programs.stages.stage import Stage
from signatures.records import DraftErrors, Record, Revision, Summary, Verdict


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.revisions, *further_outputs(run))


def fingerprint(run: Run) -> dict[str, str]:
    return {
        "conversations.jsonl": file_digest(run.folder.conversations),
        "drafts.jsonl": file_digest(run.folder.drafts),
        "errors.jsonl": file_digest(run.folder.errors),
        "models.editor": model_digest(run.config.models.editor),
        "revise": digest(run.config.revise.model_dump(mode="json")),
        "revision prompts": prompts_digest(REVISION_SIGNATURES),
        **analyst_fingerprint(run),
        **program_fingerprint(run, "revise"),
        **further_fingerprint(run),
    }


class DraftToMend(Record):
    """A draft and the errors found in it."""

    draft: Summary
    errors: DraftErrors


def open_work(run: Run) -> Callable[[DraftToMend], Awaitable[Revision]]:
    """What editor and verifier do to a draft."""
    conversations = run.conversations("train")
    program = build_reviser(run)

    async def revise(row: DraftToMend) -> Revision:
        answer = await program.acall(
            conversation=conversations[row.draft.conversation_id], draft=row.draft, errors=row.errors.errors
        )
        revision: Revision = answer.revision
        return revision

    return revise


def row_key(row: DraftToMend) -> RowKey:
    return RowKey(row.draft.conversation_id)


def output(folder: RunFolder) -> Path:
    return folder.revisions


def slots(config: Config) -> int:
    return rows_at_once(config.models.editor)


def step_depends(run: Run) -> dict[str, str]:
    return without(fingerprint(run), "drafts.jsonl", "errors.jsonl", "further strategies")


STEP = Step(
    stage="revise",
    row=DraftToMend,
    result=Revision,
    open=open_work,
    key=row_key,
    output=output,
    depends=step_depends,
    slots=slots,
)


def to_mend(draft: Summary, errors: DraftErrors) -> DraftToMend:
    """The row of a draft that was analysed."""
    return DraftToMend(draft=draft, errors=errors)


ANALYZE_THEN = replace(analyze.STEP, then=to_mend)


def rows(run: Run) -> Iterator[DraftToMend]:
    """The drafts whose errors are known."""
    errors = JsonlIndex(run.folder.errors, DraftErrors, key=lambda row: row["conversation_id"], value=lambda row: row)
    return (
        DraftToMend(draft=draft, errors=errors[draft.conversation_id])
        for draft in run.drafts("train")
        if draft.conversation_id in errors
    )


def work(run: Run) -> dict[str, int]:
    (tally,) = stream(run, [STEP], rows(run), total=sum(1 for _ in read_lines(run.folder.errors)))
    return counts(run, tally, _further(run))


def analyze_and_revise(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Both stages in one stream: a draft is revised as soon as it is analysed. What the stages tell the user."""
    analyze.warn(run)
    total = len(run.conversations("train"))
    analyzed, revised = stream(run, [ANALYZE_THEN, STEP], run.drafts("train"), total=total)
    return analyze.counts(run, analyzed), counts(run, revised, _further(run))


def counts(run: Run, tally: tuple[int, int], further: Further) -> dict[str, int]:
    """What the stage tells the user; `tally` is (done, failed) of the main revisions."""
    verdicts = Counter(revision.verdict for revision in read_jsonl(run.folder.revisions, Revision))
    counted = {verdict.value: verdicts[verdict] for verdict in Verdict}
    return {**counted, **further.counts, "failed": tally[1] + len(further.failures)}


def reopen(run: Run) -> None:
    collect.reopen(run, STEP, rows(run))


def _further(run: Run) -> Further:
    """The revisions beside the main ones, which are whole; their failures join those of the stage."""
    further = revise_further(run, STAGE.name, _build)
    if further.failures:
        known = [failure for failure in run.folder.read_failures() if failure.stage == STAGE.name]
        run.folder.replace_failures(STAGE.name, [*known, *further.failures])
    return further


def _build(run: Run, strategy: Strategy, sample: int) -> ReviseDraft:
    return build_reviser(run, strategy=strategy, sample=sample)


def asks(config: Config) -> tuple[ModelConfig, ...]:
    models = config.models
    return (models.editor, models.analyst) if config.revise.verify_with_analyst else (models.editor,)


STAGE = Stage(
    "revise",
    "the editor mends each draft, and each revision is verified",
    outputs,
    fingerprint,
    work,
    asks,
    reopen=reopen,
)

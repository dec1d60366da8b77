"""Stage `revise`: the editor mends each training draft, and each revision is verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from arf_programs.config.models import ModelConfig
from arf_programs.config.schema import Config
from arf_programs.fingerprint import file_digest
from arf_programs.jsonl import read_jsonl, read_lines
from arf_programs.jsonl_index import JsonlIndex
from arf_programs.run import Run
from arf_programs.running import collect
from arf_programs.running.collect import StepOutcome
from arf_programs.running.stream import stream
from arf_programs.stages import analyze
from arf_programs.stages.further import further_fingerprint, further_outputs
from arf_programs.stages.revise_further import revise_further
from arf_programs.stages.revision_step import STAGE_NAME, STEP, DraftToMend, depends
from arf_programs.stages.stage import Stage
from signatures.records import DraftErrors, Revision, Summary, Verdict


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.revisions, *further_outputs(run))


def fingerprint(run: Run) -> dict[str, str]:
    return {
        "drafts.jsonl": file_digest(run.folder.drafts),
        "errors.jsonl": file_digest(run.folder.errors),
        **depends(run),
        **further_fingerprint(run),
    }


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
    (outcome,) = stream(run, [STEP], rows(run), total=sum(1 for _ in read_lines(run.folder.errors)))
    return _finish(run, outcome)


def analyze_and_revise(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Both stages in one stream: a draft is revised as soon as it is analysed. What the stages tell the user."""
    analyze.warn(run)
    total = len(run.conversations("train"))
    analyzed, revised = stream(run, [ANALYZE_THEN, STEP], run.drafts("train"), total=total)
    return analyze.finish(run, analyzed), _finish(run, revised)


def _finish(run: Run, outcome: StepOutcome) -> dict[str, int]:
    """Make the revisions beside the main ones, and keep the failures of all; what the stage tells the user."""
    further = revise_further(run, lambda: rows(run))
    failures = [*outcome.failures, *further.failures]
    run.folder.replace_failures(STAGE_NAME, failures)
    verdicts = Counter(revision.verdict for revision in read_jsonl(run.folder.revisions, Revision))
    counted = {verdict.value: verdicts[verdict] for verdict in Verdict}
    return {**counted, **further.counts, "failed": len(failures)}


def reopen(run: Run) -> None:
    collect.reopen(run, STEP, rows(run))


def asks(config: Config) -> tuple[ModelConfig, ...]:
    models = config.models
    return (models.editor, models.analyst) if config.revise.verify_with_analyst else (models.editor,)


STAGE = Stage(
    STAGE_NAME,
    "the editor mends each draft, and each revision is verified",
    outputs,
    fingerprint,
    work,
    asks,
    reopen=reopen,
)

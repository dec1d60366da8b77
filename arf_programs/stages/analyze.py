"""Stage `analyze`: typed errors for every training draft."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from arf_programs.config.models import ModelConfig
from arf_programs.fingerprint import file_digest, without
from arf_programs.jsonl import read_jsonl
from arf_programs.programs.sentencewise import SentencewiseAnalysis
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.running import collect
from arf_programs.running.collect import StepOutcome
from arf_programs.running.rows import RowKey
from arf_programs.running.step import Step
from arf_programs.running.stream import stream
from arf_programs.stages.analyzer import analyst_fingerprint, build_analyzer, calibration_warnings
from arf_programs.stages.stage import Stage
from signatures.records import DraftErrors, Summary


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.errors,)


def fingerprint(run: Run) -> dict[str, str]:
    return {
        "conversations.jsonl": file_digest(run.folder.conversations),
        "drafts.jsonl": file_digest(run.folder.drafts),
        **analyst_fingerprint(run),
    }


def open_work(run: Run) -> Callable[[Summary], Awaitable[DraftErrors]]:
    """What the analyst does to a draft."""
    conversations = run.conversations("train")
    program = build_analyzer(run)

    async def analyze(draft: Summary) -> DraftErrors:
        conversation = conversations[draft.conversation_id]
        answer = await program.acall(conversation=conversation, summary=draft.text)
        return DraftErrors(
            conversation_id=draft.conversation_id,
            system=draft.system,
            errors=answer.errors,
            rejected=answer.rejected,
        )

    return analyze


def row_key(row: Summary) -> RowKey:
    return RowKey(row.conversation_id)


def output(folder: RunFolder) -> Path:
    return folder.errors


def models(run: Run) -> tuple[ModelConfig, ...]:
    return (run.config.models.analyst,)


def step_depends(run: Run) -> dict[str, str]:
    return without(fingerprint(run), "drafts.jsonl")


STEP = Step(
    stage="analyze",
    row=Summary,
    result=DraftErrors,
    open=open_work,
    key=row_key,
    output=output,
    depends=step_depends,
    models=models,
)


def work(run: Run) -> dict[str, int]:
    warn(run)
    (outcome,) = stream(run, [STEP], run.drafts("train"), total=len(run.conversations("train")))
    return finish(run, outcome)


def warn(run: Run) -> None:
    """Say where the configured calibration may not fit."""
    program = build_analyzer(run)
    if isinstance(program.analysis, SentencewiseAnalysis):
        for warning in calibration_warnings(run, program.analysis.support):
            run.progress.say(f"  {warning}")


def finish(run: Run, outcome: StepOutcome) -> dict[str, int]:
    """Keep the failures; what the stage tells the user."""
    run.folder.replace_failures(STAGE.name, outcome.failures)
    counted: Counter[str] = Counter()
    for row in read_jsonl(run.folder.errors, DraftErrors):
        counted["with errors"] += bool(row.errors)
        counted["errors"] += len(row.errors)
        counted["refused notes"] += len(row.rejected)
    told = {name: counted[name] for name in ("with errors", "errors", "refused notes")}
    return {"drafts": outcome.done, **told, "failed": outcome.failed}


def reopen(run: Run) -> None:
    collect.reopen(run, STEP, run.drafts("train"))


STAGE = Stage(
    "analyze",
    "typed errors for every draft",
    outputs,
    fingerprint,
    work,
    asks=lambda config: (config.models.analyst,),
    reopen=reopen,
)

"""What stage `revise` does to one draft: by the configured strategy or another, once or as one of several samples."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from arf_programs.compiling.saved import program_fingerprint
from arf_programs.config.models import ModelConfig
from arf_programs.config.schema import Strategy
from arf_programs.fingerprint import digest, file_digest, model_digest, prompts_digest
from arf_programs.models.call_store import calls_by
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.running.rows import RowKey
from arf_programs.running.step import Step
from arf_programs.stages.analyzer import analyst_fingerprint
from arf_programs.stages.reviser import REVISION_SIGNATURES, build_reviser
from signatures.records import DraftErrors, Record, Revision, Summary

STAGE_NAME = "revise"


class DraftToMend(Record):
    """A draft and the errors found in it."""

    draft: Summary
    errors: DraftErrors


def depends(run: Run) -> dict[str, str]:
    """What a revision depends on beside its row."""
    return {
        "conversations.jsonl": file_digest(run.folder.conversations),
        "models.editor": model_digest(run.config.models.editor),
        "revise": digest(run.config.revise.model_dump(mode="json")),
        "revision prompts": prompts_digest(REVISION_SIGNATURES),
        **analyst_fingerprint(run),
        **program_fingerprint(run, "revise"),
    }


def open_work(
    run: Run, *, strategy: Strategy | None = None, sample: int = 1
) -> Callable[[DraftToMend], Awaitable[Revision]]:
    """What editor and verifier do to a draft."""
    conversations = run.conversations("train")
    program = build_reviser(run, strategy=strategy, sample=sample)

    async def revise(row: DraftToMend) -> Revision:
        with calls_by(strategy or run.config.revise.strategy):
            answer = await program.acall(
                conversation=conversations[row.draft.conversation_id], draft=row.draft, errors=row.errors.errors
            )
        revision: Revision = answer.revision
        return revision

    return revise


def row_key(row: DraftToMend, system: str = "") -> RowKey:
    return RowKey(row.draft.conversation_id, system)


def output(folder: RunFolder) -> Path:
    return folder.revisions


def output_by(folder: RunFolder, *, strategy: Strategy, sample: int) -> Path:
    """Where the revisions by a strategy are written; those of a sample until the stage is whole."""
    return folder.revisions_by(strategy) if sample == 1 else folder.parts / f"revise-sampled-{strategy}-{sample}.jsonl"


def models(run: Run) -> tuple[ModelConfig, ...]:
    return (run.config.models.editor, run.config.models.analyst)


STEP = Step(
    stage=STAGE_NAME,
    row=DraftToMend,
    result=Revision,
    open=open_work,
    key=row_key,
    output=output,
    depends=depends,
    models=models,
)


def further_step(strategy: Strategy, sample: int) -> Step[DraftToMend, Revision]:
    """The step of an arm's own strategy, or of a sample beyond the first."""
    system = strategy if sample == 1 else f"{strategy} sample {sample}"
    return Step(
        stage=STAGE_NAME,
        name=system,
        row=DraftToMend,
        result=Revision,
        open=partial(open_work, strategy=strategy, sample=sample),
        key=partial(row_key, system=system),
        output=partial(output_by, strategy=strategy, sample=sample),
        depends=depends,
        models=models,
    )

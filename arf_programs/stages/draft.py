"""Stage `draft`: the teacher summarises every conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from arf_programs.config import ModelConfig
from arf_programs.models import build_lm
from arf_programs.programs import Summarize, program_fingerprint, use_compiled
from arf_programs.runner import RowKey, Step, reopen_step, run_steps
from arf_programs.runs import Run, RunFolder, digest, digest_file, digest_model, read_jsonl
from arf_programs.stages.stage import Stage
from signatures.records import Conversation, Summary

TEACHER = "teacher"


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.drafts,)


def depends(run: Run) -> dict[str, str]:
    """Return the hashes of all that a draft depends on beside its conversation."""
    return {
        "models.teacher": digest_model(run.config.models.teacher),
        "summarize.instruction": digest(run.config.summarize.instruction),
        "seed": digest(run.config.seed),
        **program_fingerprint(run, "summarize"),
    }


def fingerprint(run: Run) -> dict[str, str]:
    return {"conversations.jsonl": digest_file(run.folder.conversations), **depends(run)}


def build_teacher(run: Run, *, compiled: bool = True) -> Summarize:
    """Build the teacher as configured. Without `compiled`, a compiled program is not used."""
    program = Summarize(run.config.summarize.instruction, retries=run.config.models.teacher.parse_retries)
    if compiled:
        use_compiled(run, "summarize", program)
    program.set_lm(build_lm(run.config.models.teacher, seed=run.config.seed))
    return program


def prepare(run: Run) -> Callable[[Conversation], Awaitable[Summary]]:
    """Build the teacher, and return the function that drafts a summary of one conversation."""
    model = run.config.models.teacher.model
    program = build_teacher(run)

    async def draft(conversation: Conversation) -> Summary:
        answer = await program.acall(conversation=conversation)
        return Summary(
            conversation_id=conversation.id, text=answer.summary, system=TEACHER, model=model, cut_off=answer.cut_off
        )

    return draft


def row_key(row: Conversation) -> RowKey:
    return RowKey(row.id)


def output(folder: RunFolder) -> Path:
    return folder.drafts


def models(run: Run) -> tuple[ModelConfig, ...]:
    return (run.config.models.teacher,)


STEP = Step(
    stage="draft",
    row=Conversation,
    result=Summary,
    prepare=prepare,
    key=row_key,
    output=output,
    depends=depends,
    models=models,
    content=Conversation.as_text,
)


def work(run: Run) -> dict[str, int]:
    conversations = run.conversations()
    (outcome,) = run_steps(run, [STEP], conversations.values(), total=len(conversations))
    run.folder.replace_failures(STAGE.name, outcome.failures)
    return {"drafts": outcome.done, **count_cut_off(read_jsonl(run.folder.drafts, Summary)), "failed": outcome.failed}


def count_cut_off(summaries: Iterable[Summary]) -> dict[str, int]:
    """Count the summaries that end at max_tokens, for the line that a stage prints; empty if there is none."""
    count = sum(summary.cut_off for summary in summaries)
    return {"cut off at max_tokens": count} if count else {}


def reopen(run: Run) -> None:
    reopen_step(run, STEP, run.conversations().values())


STAGE = Stage(
    "draft",
    "the teacher summarises every conversation",
    outputs,
    fingerprint,
    work,
    asks=lambda config: (config.models.teacher,),
    reopen=reopen,
)

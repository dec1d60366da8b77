"""Stage `draft`: the teacher summarises every conversation but those of the dev side, which need no draft."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from arf_programs.config import DraftColumn, ModelConfig
from arf_programs.models import build_lm
from arf_programs.programs import Summarize, program_fingerprint, use_compiled
from arf_programs.runner import RowKey, Step, reopen_step, run_steps
from arf_programs.runs import (
    Run,
    RunFolder,
    Side,
    digest,
    digest_file,
    digest_model,
    digest_privacy,
    read_jsonl,
    write_jsonl_atomic,
)
from arf_programs.stages.stage import Stage
from signatures.exceptions import DataError
from signatures.records import Conversation, Failure, Summary

TEACHER = "teacher"
_DRAFTED: Final[tuple[Side, ...]] = ("train", "holdout")


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.drafts,)


def depends(run: Run) -> dict[str, str]:
    """Return the hashes of all that a draft depends on beside its conversation."""
    asked = {
        "summarize.instruction": digest(run.config.summarize.instruction),
        "seed": digest(run.config.seed),
        **program_fingerprint(run, "summarize"),
        **digest_privacy(run.config),
    }
    teacher = run.config.models.teacher
    if not isinstance(teacher, DraftColumn):
        return {"models.teacher": digest_model(teacher), **asked}
    if teacher.otherwise is None:
        return {"models.teacher": digest(teacher.writer.model)}
    return {"models.teacher": digest([teacher.writer.model, digest_model(teacher.otherwise)]), **asked}


def fingerprint(run: Run) -> dict[str, str]:
    return {"conversations.jsonl": digest_file(run.folder.conversations), **depends(run)}


def build_teacher(run: Run, *, compiled: bool = True) -> Summarize:
    """Build the teacher as configured. Without `compiled`, a compiled program is not used.

    Raises ConfigError if the teacher is a column of the corpus alone.
    """
    model = run.config.models.of("teacher")
    program = Summarize(run.config.summarize.instruction, retries=model.parse_retries)
    if compiled:
        use_compiled(run, "summarize", program)
    program.set_lm(build_lm(model, seed=run.config.seed))
    return program


def prepare(run: Run) -> Callable[[Conversation], Awaitable[Summary]]:
    """Build the teacher, and return the function that drafts a summary of one conversation.

    A draft of the corpus is taken as it is.
    """
    model = run.config.models.of("teacher").model
    program = build_teacher(run)

    async def draft(conversation: Conversation) -> Summary:
        if conversation.draft is not None:
            return _given(conversation, run.config.models.writers("teacher")[0].model)
        answer = await program.acall(conversation=conversation)
        return Summary(
            conversation_id=conversation.id, text=answer.summary, system=TEACHER, model=model, cut_off=answer.cut_off
        )

    return draft


def _given(conversation: Conversation, model: str) -> Summary:
    return Summary(conversation_id=conversation.id, text=conversation.draft or "", system=TEACHER, model=model)


def row_key(row: Conversation) -> RowKey:
    return RowKey(row.id)


def output(folder: RunFolder) -> Path:
    return folder.drafts


def models(run: Run) -> tuple[ModelConfig, ...]:
    return tuple(run.config.models.asked(("teacher",)).values())


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
    teacher = run.config.models.teacher
    if isinstance(teacher, DraftColumn) and teacher.otherwise is None:
        return _read_drafts(run, teacher)
    conversations = run.conversations(*_DRAFTED)
    (outcome,) = run_steps(run, [STEP], conversations.values(), total=len(conversations))
    run.folder.replace_failures(STAGE.name, outcome.failures)
    return {"drafts": outcome.done, **count_cut_off(read_jsonl(run.folder.drafts, Summary)), "failed": outcome.failed}


def _read_drafts(run: Run, teacher: DraftColumn) -> dict[str, int]:
    """Write the drafts of the corpus. A row without one is a failure. Raises DataError if no row has one."""
    conversations, lacking = run.conversations(*_DRAFTED), list[str]()

    def drafts() -> Iterator[Summary]:
        for conversation in conversations.values():
            if conversation.draft is None:
                lacking.append(conversation.id)
            else:
                yield _given(conversation, teacher.writer.model)
        if len(lacking) == len(conversations):
            raise DataError(f"models.teacher: no row has a draft in column {teacher.column!r}")

    write_jsonl_atomic(run.folder.drafts, drafts())
    reason = f"no draft in column {teacher.column!r}: add it, or set models.teacher.otherwise to a model that drafts it"
    failures = [Failure(conversation_id=name, stage=STAGE.name, reason=reason) for name in lacking]
    run.folder.replace_failures(STAGE.name, failures)
    return {"drafts": len(conversations) - len(lacking), "failed": len(lacking)}


def count_cut_off(summaries: Iterable[Summary]) -> dict[str, int]:
    """Count the summaries that end at max_tokens, for the line that a stage prints; empty if there is none."""
    count = sum(summary.cut_off for summary in summaries)
    return {"cut off at max_tokens": count} if count else {}


def reopen(run: Run) -> None:
    reopen_step(run, STEP, run.conversations(*_DRAFTED).values())


STAGE = Stage(
    "draft",
    "the teacher summarises every conversation",
    outputs,
    fingerprint,
    work,
    asks=lambda config: tuple(config.models.asked(("teacher",)).values()),
    reopen=reopen,
)

"""Stage `draft`: the teacher summarises every conversation."""

from __future__ import annotations

from pathlib import Path

from arf_programs.asking import ask_rows
from arf_programs.compiling.saved import program_fingerprint, use_compiled
from arf_programs.fingerprint import digest, file_digest, model_digest
from arf_programs.jsonl import write_jsonl_atomic
from arf_programs.models.lm import build_lm
from arf_programs.programs.summarize import SummarizeConversation
from arf_programs.run import Run
from arf_programs.runner import RowKey
from arf_programs.stages.stage import Stage
from signatures.records import Conversation, Summary

TEACHER = "teacher"


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.drafts,)


def fingerprint(run: Run) -> dict[str, str]:
    return {
        "conversations.jsonl": file_digest(run.folder.conversations),
        "models.teacher": model_digest(run.config.models.teacher),
        "summarize.instruction": digest(run.config.summarize.instruction),
        "seed": digest(run.config.seed),
        **program_fingerprint(run, "summarize"),
    }


def build_teacher(run: Run, *, compiled: bool = True) -> SummarizeConversation:
    """The teacher as configured; without `compiled`, a compiled program is left aside."""
    program = SummarizeConversation(run.config.summarize.instruction, retries=run.config.analyze.parse_retries)
    if compiled:
        use_compiled(run, "summarize", program)
    program.set_lm(build_lm(run.config.models.teacher, seed=run.config.seed))
    return program


def work(run: Run) -> dict[str, int]:
    model = run.config.models.teacher
    program = build_teacher(run)

    async def draft(conversation: Conversation) -> Summary:
        answer = await program.acall(conversation=conversation)
        return Summary(conversation_id=conversation.id, text=answer.summary, system=TEACHER, model=model.model)

    outcome = ask_rows(
        run,
        STAGE.name,
        list(run.conversations().values()),
        draft,
        key=lambda row: RowKey(row.id),
        concurrency=model.concurrency,
    )
    write_jsonl_atomic(run.folder.drafts, outcome.results.values())
    run.folder.replace_failures(STAGE.name, outcome.failures)
    return {"drafts": len(outcome.results), "failed": len(outcome.failures)}


STAGE = Stage(
    "draft",
    "the teacher summarises every conversation",
    outputs,
    fingerprint,
    work,
    asks=lambda config: (config.models.teacher,),
)

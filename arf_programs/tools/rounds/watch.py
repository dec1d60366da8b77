"""Lets a student summarise the dev side of the split, and finds the errors of its summaries."""

from __future__ import annotations

from pathlib import Path

from arf_programs.models import weights_digest
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, digest, digest_file, digest_model, read_jsonl, write_jsonl_atomic
from arf_programs.stages import analyst_fingerprint, build_analyzer, load_checkers, own_model, prepare_answers
from arf_programs.tools.rounds.records import Watched
from signatures.records import Conversation, Failure


def watch(run: Run, student: Path, stage: str, path: Path) -> list[Failure]:
    """Write the student's summary of each dev conversation, with its errors, to `path`; return those that failed.

    The analyst looks for errors if `evaluate.analyst` says so, as on the holdout, and the checks always do.
    """
    model = own_model(run, str(student))
    answer = prepare_answers(run, system=stage, model=model)
    analyzer = build_analyzer(run, model=run.config.evaluate.analyst)
    load_checkers(analyzer)

    async def look(conversation: Conversation) -> Watched:
        text = (await answer(conversation)).text
        found = await analyzer.acall(conversation=conversation, summary=text)
        return Watched(conversation_id=conversation.id, summary=text, errors=found.errors)

    rows = list(run.conversations("dev").values())
    outcome = ask_rows(run, stage, rows, look, key=lambda row: RowKey(row.id), concurrency=model.concurrency)
    write_jsonl_atomic(path, outcome.results.values())
    return outcome.failures


def read_watched(path: Path) -> list[Watched]:
    """Read what `watch` wrote."""
    return list(read_jsonl(path, Watched))


def watching_depends(run: Run, student: Path) -> dict[str, str]:
    """Return the hashes of all that the summaries and their errors depend on."""
    model = own_model(run, str(student))
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "student": weights_digest(model.model) if student.exists() else "missing",
        "answers": digest_model(own_model(run, "student")),  # not by its path: a run may be copied
        "summarize.instruction": digest(run.config.summarize.instruction),
        "evaluate.analyst": digest(run.config.evaluate.analyst),
        **analyst_fingerprint(run),
    }

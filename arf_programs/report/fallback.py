"""The student that asks its teacher when in doubt: the rows of the holdout, and its curve."""

from __future__ import annotations

from arf_programs.checks import run_checks
from arf_programs.metrics import (
    TEACHER,
    FallbackCurve,
    FallbackRow,
    by_system,
    configured_resampling,
    doubt_of,
    fallback_curve,
)
from arf_programs.runs import Run, iter_ledger, read_jsonl
from signatures.records import Score, Summary


def fallback_rows(run: Run, student: str) -> dict[str, FallbackRow]:
    """The holdout conversations that both student and teacher have a score for, with the doubt about the student.

    The doubt is computed as `arf serve --fallback` does it: the checks are run again, since an error of the analyst may
    have taken the place of theirs.
    """
    systems = by_system(list(read_jsonl(run.folder.scores, Score)))
    ours, theirs = systems.get(student, {}), systems.get(TEACHER, {})
    conversations = run.conversations("holdout")
    texts = {
        row.conversation_id: row.text for row in read_jsonl(run.folder.predictions, Summary) if row.system == student
    }
    return {
        name: FallbackRow(
            doubt=doubt_of(len(run_checks(conversations[name], texts[name])), score.checker_score),
            student_errs=bool(score.errors),
            teacher_errs=bool(theirs[name].errors),
        )
        for name, score in ours.items()
        if name in theirs and name in texts
    }


def fallback_curves(run: Run) -> list[FallbackCurve]:
    """The curve of each student; none for a run without a teacher's scores."""
    students = [name for name in by_system(list(read_jsonl(run.folder.scores, Score))) if name.startswith("student_")]
    resampling = configured_resampling(run.config, run.conversations("holdout"))
    usd = teacher_price(run)
    analyst = run.config.evaluate.analyst and run.config.analyze.analyst
    circular = not analyst and run.config.analyze.checker.model is None
    curves = (
        fallback_curve(name, fallback_rows(run, name), resampling, usd=usd, circular=circular) for name in students
    )
    return [curve for curve in curves if curve is not None]


def teacher_price(run: Run) -> float | None:
    """The mean US dollars of a call to the teacher in this run; None without a paid call with a price."""
    spent = [call.usd for call in iter_ledger(run.folder.ledger) if call.stage == "draft" and call.paid]
    return sum(spent) / len(spent) if any(spent) else None

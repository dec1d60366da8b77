"""The student that asks its teacher when in doubt: the rows of the holdout, its curve, and the plot of it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from arf_programs.checks import run_checks
from arf_programs.metrics import (
    TEACHER,
    FallbackCurve,
    FallbackPoint,
    FallbackRow,
    by_system,
    configured_resampling,
    doubt_of,
    fallback_curve,
)
from arf_programs.report import svg
from arf_programs.report.text import figure
from arf_programs.runs import Run, iter_ledger, read_jsonl
from arf_programs.text import clean
from signatures.records import Score, Summary

_PLOT = svg.Scale(0.0, 1.0, 40, svg.WIDTH - 10)


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
    resampling = configured_resampling(run.config, run.conversations())
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


def fallback_plot(curve: FallbackCurve) -> Markup:
    """Draw the share with an error against the share of calls to the teacher, with the intervals of both."""
    marks = svg.ticks(0.0, max(0.05, *(point.errors.high for point in curve.points)))
    up = svg.Scale(0.0, marks[-1], 150, 8)
    system = svg.system_class(curve.student)
    places = [(_PLOT(point.share.value), up(point.errors.value)) for point in curve.points]
    body = _axes(up, marks) + Markup("").join(_whiskers(point, up, system) for point in curve.points)
    line = "L".join(f"{x} {y}" for x, y in places)
    body += Markup('<path class="curve {}" d="M{}"/>').format(system, line)
    for x, y in places:
        body += Markup('<circle class="dot {}" cx="{}" cy="{}" r="3.5"/>').format(system, x, y)
    words = "; ".join(f"{row['share']} to the teacher: {row['errors']} with an error" for row in fallback_table(curve))
    return svg.frame(f"f-{curve.student}", "Errors by calls to the teacher", clean(words), 190, body)


def _axes(up: svg.Scale, marks: Sequence[float]) -> Markup:
    left = Markup('dy="4" text-anchor="end"')
    body = Markup("")
    for mark in marks:
        body += Markup('<path class="grid" d="M40 {}H290"/>').format(up(mark))
        body += Markup('<text class="tick" x="34" y="{}" {}>{:g}%</text>').format(up(mark), left, mark * 100)
    labels = [(_PLOT(part), 168, f"{part:.0%}") for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for x, y, label in [*labels, (_PLOT(0.5), 184, "calls to the teacher")]:
        body += Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(x, y, label)
    return body


def _whiskers(point: FallbackPoint, up: svg.Scale, system: str) -> Markup:
    x, y = _PLOT(point.share.value), up(point.errors.value)
    return Markup('<path class="whisker faint {}" d="M{x} {}V{}M{} {y}H{}"/>').format(
        system, up(point.errors.low), up(point.errors.high), _PLOT(point.share.low), _PLOT(point.share.high), x=x, y=y
    )


def fallback_table(curve: FallbackCurve) -> list[dict[str, str]]:
    """The points as texts: threshold, share of calls, errors, and US dollars per 1,000 answers if they have a price."""
    rows = []
    for point in curve.points:
        share, errors = point.share, point.errors
        rows.append(
            {
                "threshold": "nobody" if point.threshold is None else f"{point.threshold:.2f}",
                "share": figure(share.value, "error_rate"),
                "share_bounds": f"{share.low * 100:.0f} to {share.high * 100:.0f}",
                "errors": figure(errors.value, "error_rate"),
                "errors_bounds": f"{errors.low * 100:.0f} to {errors.high * 100:.0f}",
                "usd": "" if curve.usd is None else f"${1000 * curve.usd * share.value:,.2f}",
            }
        )
    return rows

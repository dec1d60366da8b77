"""The plot and the table of a student that asks its teacher when in doubt."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from arf_programs.metrics import FallbackCurve, FallbackPoint
from arf_programs.report.page import svg
from arf_programs.report.text import figure
from arf_programs.text import clean

_PLOT = svg.Scale(0.0, 1.0, 40, svg.WIDTH - 10)


def fallback_plot(curve: FallbackCurve) -> Markup:
    """Draw the share with an error against the share of calls to the teacher, with the intervals of both."""
    marks = svg.ticks(max(0.05, *(point.errors.high for point in curve.points)))
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

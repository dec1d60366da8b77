"""The tables and plots of the report, ready for the template."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from arf_programs.metrics import METRICS, FallbackCurve, FallbackPoint, Figures, Interval, in_order
from arf_programs.report.data import ReportData, RunSummary
from arf_programs.report.page import svg
from arf_programs.report.text import figure, metric_label
from arf_programs.text import clean, readable

_STRATUM_METRICS = ("error_rate", "errors_per_summary", "rating", "rougeL", "words")
_GROUPS_OF_FAILURES = 50
_EXAMPLES = 3


@dataclass(frozen=True)
class Plot:
    """A drawing with its caption."""

    caption: str
    drawing: Markup
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One figure in a table; `best` marks the best of its column."""

    value: str = ""
    bounds: str = ""
    best: bool = False


@dataclass(frozen=True)
class FailureGroup:
    """Failures of one stage with the same reason."""

    stage: str
    system: str
    reason: str
    count: int
    examples: tuple[str, ...]


def measured(systems: Mapping[str, Mapping[str, Interval]]) -> list[str]:
    """The metrics that at least one system has, in their order, without those that only repeat another one."""
    metrics = [name for name in METRICS if any(name in figures for figures in systems.values())]
    return [name for name in metrics if not _repeats(systems, name)]


def _repeats(systems: Mapping[str, Mapping[str, Interval]], metric: str) -> bool:
    """Whether the metric equals for every system the one that it is part of, or the best of its references."""
    whole = METRICS[metric].part_of or metric.removesuffix("_mean")
    return whole != metric and all(figures.get(whole) == figures.get(metric) for figures in systems.values())


def bounds(interval: Interval, metric: str) -> str:
    """The bounds as text, `12.5–43.8`; the unit stands at the value beside them."""
    low, high = (figure(value, metric).removesuffix("%") for value in (interval.low, interval.high))
    return f"{low}–{high}"


def system_table(summary: RunSummary) -> list[tuple[str, int, list[Cell]]]:
    """Rows of (system, number of its conversations, a cell for each measured metric)."""
    systems = summary.evaluate.systems
    metrics = measured(systems)
    best = {metric: _best(systems, metric) for metric in metrics}
    return [
        (
            name,
            max((interval.n for interval in systems[name].values()), default=0),
            [_cell(systems[name].get(metric), metric, best[metric]) for metric in metrics],
        )
        for name in in_order(systems)
    ]


def _cell(interval: Interval | None, metric: str, best: float | None) -> Cell:
    if interval is None:
        return Cell()
    return Cell(figure(interval.value, metric), bounds(interval, metric), interval.value == best)


def _best(systems: Mapping[str, Mapping[str, Interval]], metric: str) -> float | None:
    """The best value of a column; None if the metric has no direction or all values are the same."""
    values = {figures[metric].value for figures in systems.values() if metric in figures}
    if len(values) < 2 or METRICS[metric].better == "neither":
        return None
    return min(values) if METRICS[metric].better == "lower" else max(values)


def interval_plots(summary: RunSummary) -> list[Plot]:
    """Draw a plot for each measured metric, its systems below each other."""
    systems = summary.evaluate.systems
    plots = []
    for metric in measured(systems):
        rows = [
            svg.Row(name, i.value, figure(i.value, metric), i, bounds(i, metric))
            for name in in_order(systems)
            if (i := systems[name].get(metric))
        ]
        marks = _marks(metric, max(row.interval.high for row in rows if row.interval))
        labels = [_tick(mark, metric) for mark in marks]
        drawing = svg.interval_plot(f"i-{metric}", metric_label(metric), rows, marks, labels)
        plots.append(Plot(metric_label(metric), drawing, METRICS[metric].better))
    return plots


def _marks(metric: str, high: float) -> list[float]:
    if METRICS[metric].unit == "rating":
        return [1.0, 2.0, 3.0, 4.0, 5.0]
    floor = {"share": 0.05, "score": 0.05}.get(METRICS[metric].unit, 0.5)
    return svg.ticks(max(high, floor))


def _tick(mark: float, metric: str) -> str:
    return f"{mark * 100:g}%" if METRICS[metric].unit == "share" else f"{mark:g}"


def category_plots(data: ReportData) -> list[Plot]:
    """Draw bars of errors per summary for each category, on one scale, the most frequent category first."""
    systems = in_order(data.errors_by_category)
    total: Counter[str] = Counter()
    for system in systems:
        total.update({name: round(rate * 1e9) for name, rate in data.errors_by_category[system].items()})
    highest = max((rate for rates in data.errors_by_category.values() for rate in rates.values()), default=0.0)
    plots = []
    for number, (category, _) in enumerate(sorted(total.items(), key=lambda item: (-item[1], item[0]))):
        rates = [(name, data.errors_by_category[name].get(category, 0.0)) for name in systems]
        rows = [svg.Row(name, rate, figure(rate, "errors_per_summary")) for name, rate in rates]
        label = category_name(data, category)
        plots.append(Plot(label, svg.bar_group(f"c-{number}", label, rows, highest or 1.0)))
    return plots


def category_name(data: ReportData, category: str) -> str:
    """The name of a category id in the taxonomy, or the id in words."""
    categories = data.taxonomy.categories if data.taxonomy else ()
    return next((c.name for c in categories if c.id == category), readable(category))


def stratum_table(strata: Figures) -> tuple[list[str], list[tuple[str, list[tuple[str, int, list[str]]]]]]:
    """Return (metrics, [(stratum, [(system, number of summaries, a text for each metric)])])."""
    rows = [figures for systems in strata.values() for figures in systems.values()]
    metrics = [name for name in _STRATUM_METRICS if any(name in figures for figures in rows)]
    table = []
    for stratum, systems in strata.items():
        lines = []
        for name in in_order(systems):
            figures = systems[name]
            texts = [figure(figures[metric], metric) if metric in figures else "" for metric in metrics]
            lines.append((name, int(figures.get("n", 0)), texts))
        table.append((stratum, lines))
    return metrics, table


def loss_plots(data: ReportData) -> list[Plot]:
    """Draw a loss curve for each arm, on the same scales."""
    points = [point for curve in data.losses.values() for point in curve]
    x_end = max((step for step, _ in points), default=0)
    y_end = max((loss for _, loss in points if loss < float("inf")), default=0.0)
    return [
        Plot(arm, svg.loss_curve(f"l-{number}", f"Loss of {arm} by step", curve, x_end, y_end))
        for number, (arm, curve) in enumerate(data.losses.items())
        if curve
    ]


def failure_groups(data: ReportData) -> tuple[list[FailureGroup], int]:
    """Group failures by stage, system and reason, the largest group first; with the number that is not shown."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for failure in data.failures:
        groups[failure.stage, failure.system, failure.reason].append(failure.conversation_id)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = [
        FailureGroup(*key, len(ids), tuple(dict.fromkeys(ids))[:_EXAMPLES])
        for key, ids in ordered[:_GROUPS_OF_FAILURES]
    ]
    return shown, sum(len(ids) for _, ids in ordered[_GROUPS_OF_FAILURES:])


def stage_bars(seconds: Mapping[str, float]) -> list[tuple[str, float, Markup]]:
    """Rows of (stage, its seconds, a bar that compares it with the longest)."""
    longest = max(seconds.values(), default=0.0) or 1.0
    return [(stage, spent, bar(spent / longest)) for stage, spent in seconds.items()]


def bar(part: float) -> Markup:
    """Draw a bar over `part` (0 to 1) of the width; it is decorative, since the figure stands beside it."""
    return Markup(
        '<svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rest" width="100" height="4"/><rect class="part" width="{:.2f}" height="4"/></svg>'
    ).format(100 * min(1.0, max(0.0, part)))


_CALLS = svg.Scale(0.0, 1.0, 40, svg.WIDTH - 10)


def fallback_plot(curve: FallbackCurve) -> Markup:
    """Draw the share with an error against the share of calls to the teacher, with the intervals of both."""
    marks = svg.ticks(max(0.05, *(point.errors.high for point in curve.points)))
    up = svg.Scale(0.0, marks[-1], 150, 8)
    system = svg.system_class(curve.student)
    places = [(_CALLS(point.share.value), up(point.errors.value)) for point in curve.points]
    body = _fallback_axes(up, marks) + Markup("").join(_fallback_whiskers(point, up, system) for point in curve.points)
    line = "L".join(f"{x} {y}" for x, y in places)
    body += Markup('<path class="curve {}" d="M{}"/>').format(system, line)
    for x, y in places:
        body += Markup('<circle class="dot {}" cx="{}" cy="{}" r="3.5"/>').format(system, x, y)
    words = "; ".join(f"{row['share']} to the teacher: {row['errors']} with an error" for row in fallback_table(curve))
    return svg.frame(f"f-{curve.student}", "Errors by calls to the teacher", clean(words), 190, body)


def _fallback_axes(up: svg.Scale, marks: Sequence[float]) -> Markup:
    left = Markup('dy="4" text-anchor="end"')
    body = Markup("")
    for mark in marks:
        body += Markup('<path class="grid" d="M40 {}H290"/>').format(up(mark))
        body += Markup('<text class="tick" x="34" y="{}" {}>{:g}%</text>').format(up(mark), left, mark * 100)
    labels = [(_CALLS(part), 168, f"{part:.0%}") for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for x, y, label in [*labels, (_CALLS(0.5), 184, "calls to the teacher")]:
        body += Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(x, y, label)
    return body


def _fallback_whiskers(point: FallbackPoint, up: svg.Scale, system: str) -> Markup:
    x, y = _CALLS(point.share.value), up(point.errors.value)
    return Markup('<path class="whisker faint {}" d="M{x} {}V{}M{} {y}H{}"/>').format(
        system, up(point.errors.low), up(point.errors.high), _CALLS(point.share.low), _CALLS(point.share.high), x=x, y=y
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

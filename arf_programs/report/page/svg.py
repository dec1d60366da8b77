"""Plots as inline SVG: pure functions from figures to markup.

Each plot is drawn to be read at 300 units of width. So nothing is scaled down on a phone, and several plots stand side
by side on a large screen. Colours come from the page's classes (`s-teacher`, ...), so both themes use one drawing. A
system also has a shape and a label, so that colour alone never identifies it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from arf_programs.metrics import Interval
from arf_programs.report.text import system_label
from arf_programs.text import clean

WIDTH: Final = 300
_LEFT, _RIGHT = 124, 240
_ROW: Final = 28
_POINTS: Final = 300
_LABEL: Final = 18
_STRETCHED: Final = Markup('preserveAspectRatio="none"')
_CLASSES: Final = {
    "base": "s-base",
    "teacher": "s-teacher",
    "reviser": "s-reviser",
    "student_teacher": "s-drafts",
    "student_arf": "s-arf",
}
_SHAPES: Final = {
    "s-base": "M-4.5 4L0-4.5 4.5 4Z",
    "s-teacher": "M-4-4H4V4H-4Z",
    "s-drafts": "M0-5.5L5.5 0 0 5.5-5.5 0Z",
    "s-arf": "M-4.8 0a4.8 4.8 0 1 0 9.6 0a4.8 4.8 0 1 0-9.6 0Z",
    "s-reviser": "M-1.6-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
    "s-other": "M-4.5-4L0 4.5 4.5-4Z",
}


@dataclass(frozen=True)
class Row:
    """One system in a plot: its value with its `text`, and its interval, if any, with its `bounds` as text."""

    system: str
    value: float
    text: str
    interval: Interval | None = None
    bounds: str = ""


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto pixels from `start` to `end`; values outside go to the border."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        part = (value - self.low) / span if span > 0 else 0.5
        return round(self.start + min(1.0, max(0.0, part)) * (self.end - self.start), 1)


def system_class(system: str) -> str:
    """The CSS class of a system."""
    return _CLASSES.get(system, "s-other")


def ticks(high: float, about: int = 3) -> list[float]:
    """Return round numbers from 0 to `high` or more, in about `about` steps of 1, 2, 2.5 or 5 times 10^k."""
    if not (high > 0 and math.isfinite(high)):
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(high / about))
    step = next(s * power for s in (1.0, 2.0, 2.5, 5.0, 10.0) if s * power * about >= high * 0.999)
    return [round(number * step, 10) for number in range(math.ceil(high / step - 1e-9) + 1)]


def swatch(system: str) -> Markup:
    """Draw the mark of a system, for a legend or a table."""
    return Markup('<svg class="swatch" viewBox="-7 -7 14 14" aria-hidden="true">{}</svg>').format(_mark(system, 0, 0))


def interval_plot(key: str, title: str, rows: Sequence[Row], marks: Sequence[float], labels: Sequence[str]) -> Markup:
    """Draw a dot with a whisker for each row, over an axis with `marks` (values) and their `labels`."""
    scale = Scale(marks[0], marks[-1], _LEFT, _RIGHT)
    bottom = len(rows) * _ROW + 2
    body = _axis(scale, marks, labels, bottom)
    for number, row in enumerate(rows):
        y = number * _ROW + _ROW / 2
        body += _row_text(row, y) + _whisker(row, scale, y)
    return frame(key, title, _describe(rows), bottom + 20, body)


def bar_group(key: str, title: str, rows: Sequence[Row], maximum: float) -> Markup:
    """Draw a bar from 0 for each row; groups that stand together share the `maximum`."""
    scale = Scale(0.0, maximum, _LEFT, _RIGHT)
    step = 20
    body = Markup("")
    for number, row in enumerate(rows):
        y = number * step + step / 2
        width = round(scale(row.value) - _LEFT, 1)
        body += Markup('<rect class="bar {}" x="{}" y="{}" width="{}" height="12" rx="2"/>').format(
            system_class(row.system), _LEFT, y - 6, width
        )
        body += _row_text(row, y)
    line = Markup('<path class="axis" d="M{} 0V{}"/>').format(_LEFT, len(rows) * step)
    return frame(key, title, _describe(rows), len(rows) * step, body + line)


def difference_strip(comparison: Interval, extent: float, outcome: str) -> Markup:
    """Draw a whisker around a zero line, for a table cell; it is decorative, since the figures stand beside it."""
    scale = Scale(-extent, extent, 6, 134)
    low, value, high = (scale(v) for v in (comparison.low, comparison.value, comparison.high))
    return Markup(
        '<svg class="strip o-{}" viewBox="0 0 140 20" aria-hidden="true"><path class="zero" d="M70 0V20"/>'
        '<path class="whisker" d="M{} 10H{}M{} 6V14M{} 6V14"/><circle class="dot" cx="{}" cy="10" r="4"/></svg>'
    ).format(outcome, low, high, low, high, value)


def stacked_bar(key: str, title: str, parts: Sequence[tuple[str, int]], *, say: Callable[[str], str] = str) -> Markup:
    """Draw shares of a whole side by side; `parts` are (name, count), and the CSS class is `p-<name>`.

    `say` gives the name for those who hear the page.
    """
    total = sum(count for _, count in parts) or 1
    body, x = Markup(""), 0.0
    for name, count in parts:
        width = count / total * WIDTH
        body += Markup('<rect class="p-{}" x="{:.2f}" y="0" width="{:.2f}" height="10"/>').format(name, x, width)
        x += width
    description = ", ".join(f"{say(name)} {count}" for name, count in parts)
    return frame(key, title, description, 10, body, stretch=True)


def loss_curve(key: str, title: str, points: Sequence[tuple[int, float]], x_end: float, y_end: float) -> Markup:
    """Draw the loss by step, faint, and its moving average over a twentieth of the steps; x and y start at 0.

    Losses that are not finite (the training diverged) cannot be drawn. The description has their number.
    """
    finite = [(step, loss) for step, loss in points if math.isfinite(loss)]
    steps, losses = ticks(max(x_end, 1.0), 4), ticks(max(y_end, 0.1), 4)
    x, y = Scale(0.0, max(x_end, 1.0), 34, WIDTH - 8), Scale(losses[0], losses[-1], 166, 8)
    body = Markup("")
    for value in losses:
        body += Markup('<path class="grid" d="M34 {0}H292"/><text class="tick" x="28" y="{0}" {1}>{2:g}</text>').format(
            y(value), Markup('dy="4" text-anchor="end"'), value
        )
    for value in (step for step in steps if step == 0 or (step <= x_end and step.is_integer())):
        body += Markup('<text class="tick" x="{}" y="184" text-anchor="middle">{:,.0f}</text>').format(x(value), value)
    window = max(1, len(finite) // 20)
    body += _line("raw", thinned(finite), x, y) + _line("smooth", thinned(smoothed(finite, window)), x, y)
    lost = len(points) - len(finite)
    description = f"{len(finite)} steps" + (f", {lost} without a finite loss" if lost else "")
    if finite:
        description += f"; from {finite[0][1]:.3f} to {finite[-1][1]:.3f}"
    return frame(key, title, description, 190, body)


def smoothed(points: Sequence[tuple[int, float]], window: int) -> list[tuple[int, float]]:
    """Each point with the mean of itself and up to `window - 1` points before it."""
    result, total = [], 0.0
    for number, (step, loss) in enumerate(points):
        total += loss - (points[number - window][1] if number >= window else 0.0)
        result.append((step, total / min(number + 1, window)))
    return result


def thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most about 300 points, evenly spread, with the last one. More would only make the page heavier."""
    stride = max(1, math.ceil(len(points) / _POINTS))
    return [*points[::stride], *points[-1:]] if stride > 1 else list(points)


def _line(name: str, points: Sequence[tuple[int, float]], x: Scale, y: Scale) -> Markup:
    if len(points) == 1:
        step, loss = points[0]
        return Markup('<circle class="loss-dot" cx="{}" cy="{}" r="3"/>').format(x(step), y(loss))
    path = "L".join(f"{x(step)} {y(loss)}" for step, loss in points)
    return Markup('<path class="{}" d="M{}"/>').format(name, path) if points else Markup("")


def _axis(scale: Scale, marks: Sequence[float], labels: Sequence[str], bottom: float) -> Markup:
    body = Markup("")
    for mark, label in zip(marks, labels, strict=True):
        body += Markup('<path class="grid" d="M{0} 0V{1}"/>').format(scale(mark), bottom)
        body += Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            scale(mark), bottom + 15, label
        )
    return body


def _whisker(row: Row, scale: Scale, y: float) -> Markup:
    mark = _mark(row.system, scale(row.value), y)
    if row.interval is None:
        return mark
    low, high = scale(row.interval.low), scale(row.interval.high)
    ends = Markup("M{0} {2}V{3}M{1} {2}V{3}").format(low, high, y - 4, y + 4)
    line = Markup('<path class="whisker {}" d="M{} {}H{}{}"/>').format(system_class(row.system), low, y, high, ends)
    return line + mark


def _mark(system: str, x: float, y: float) -> Markup:
    name = system_class(system)
    return Markup('<path class="dot {}" transform="translate({} {})" d="{}"/>').format(name, x, y, _SHAPES[name])


def _row_text(row: Row, y: float) -> Markup:
    label = _shortened(system_label(row.system))
    return Markup('<text class="name" x="0" y="{0}">{1}</text><text class="value" x="{2}" y="{0}">{3}</text>').format(
        y + 4, label, WIDTH, clean(row.text)
    )


def _shortened(label: str) -> str:
    shown = clean(label)
    return shown if len(shown) <= _LABEL else shown[: _LABEL - 1] + "…"


def _describe(rows: Iterable[Row]) -> str:
    """The plot in words, for readers who cannot see it."""
    return "; ".join(f"{system_label(row.system)} {row.text} {row.bounds}".rstrip() for row in rows)


def frame(key: str, title: str, description: str, height: float, body: Markup, *, stretch: bool = False) -> Markup:
    """The frame of a plot; `key` makes its ids unique in the page."""
    return Markup(
        '<svg class="plot" role="img" viewBox="0 0 {w} {h:g}" {fit} aria-labelledby="{key}-t {key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{description}</desc>{body}</svg>'
    ).format(
        w=WIDTH,
        h=height,
        fit=_STRETCHED if stretch else "",
        key=key,
        title=clean(title),
        description=clean(description),
        body=body,
    )

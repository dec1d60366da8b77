"""From the scores of single summaries to the figures of summary.json and of the report. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from arf_programs.metrics.bootstrap import Interval, mean_interval, paired_difference
from arf_programs.metrics.definitions import METRICS, Metric, in_order
from signatures.records import Record, Score

Figures = dict[str, dict[str, dict[str, float]]]

PREFERENCE = ("student_arf_dpo", "student_arf_apo")
PAIRS: tuple[tuple[str, str], ...] = (
    ("student_arf", "teacher"),
    ("student_arf", "base"),
    ("student_arf", "student_teacher"),
    ("student_teacher", "teacher"),
    ("student_arf", "student_rewrite"),
    ("student_arf", "student_taxonomy"),
    ("student_rewrite", "teacher"),
    ("student_taxonomy", "teacher"),
    *((student, other) for student in PREFERENCE for other in ("student_arf", "teacher")),
)


class Comparison(Record):
    """`difference` is the mean of a - b over the `n` conversations on which both were measured."""

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    n: int = 0


def system_metrics(
    scores: Sequence[Score], *, samples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> dict[str, dict[str, Interval]]:
    """{system: {metric: Interval over its conversations}}; a metric measured nowhere in a system is left out."""
    figures: dict[str, dict[str, Interval]] = {}
    for system, rows in _by_system(scores).items():
        figures[system] = {}
        for metric in METRICS.values():
            values = [metric.read(score) for score in rows.values()]
            interval = mean_interval(values, samples=samples, confidence=confidence, seed=seed)
            if interval is not None:
                figures[system][metric.name] = interval
    return figures


def comparisons(
    scores: Sequence[Score],
    pairs: Sequence[tuple[str, str]] = PAIRS,
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Comparison]:
    """For each pair (a, b) of which both were scored, and each metric that both have: a - b, paired by conversation."""
    systems = _by_system(scores)
    found = []
    for a, b in pairs:
        if a not in systems or b not in systems:
            continue
        for metric in METRICS.values():
            left, right = _paired(systems[a], systems[b], metric)
            interval = paired_difference(left, right, samples=samples, confidence=confidence, seed=seed)
            if interval is not None:
                bounds = {"low": interval.low, "high": interval.high, "n": interval.n}
                found.append(Comparison(a=a, b=b, metric=metric.name, difference=interval.value, **bounds))
    return found


def by_channel(scores: Sequence[Score]) -> Figures:
    """{channel: {system: {"n": summaries, metric: mean}}}, channels by name; what was not measured is left out."""
    channels: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        channels[score.channel].append(score)
    return {
        channel: {system: _means(list(rows.values())) for system, rows in _by_system(channels[channel]).items()}
        for channel in sorted(channels)
    }


def errors_by_category(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """{system: {category: errors per summary}}, with every category that occurs in any system, the commonest first."""
    systems = _by_system(scores)
    counts = {
        system: Counter(note.category for score in rows.values() for note in score.errors)
        for system, rows in systems.items()
    }
    total = sum(counts.values(), Counter())
    categories = sorted(total, key=lambda name: (-total[name], name))
    return {
        system: {category: counts[system][category] / len(rows) for category in categories}
        for system, rows in systems.items()
    }


def _by_system(scores: Sequence[Score]) -> dict[str, dict[str, Score]]:
    """{system: {conversation id: score}}; a conversation scored twice counts once, by its last score."""
    systems: dict[str, dict[str, Score]] = {name: {} for name in in_order(score.system for score in scores)}
    for score in scores:
        systems[score.system][score.conversation_id] = score
    return systems


def _paired(a: dict[str, Score], b: dict[str, Score], metric: Metric) -> tuple[list[float | None], list[float | None]]:
    both = [name for name in a if name in b]
    return [metric.read(a[name]) for name in both], [metric.read(b[name]) for name in both]


def _means(rows: Sequence[Score]) -> dict[str, float]:
    means: dict[str, float] = {"n": len(rows)}
    for metric in METRICS.values():
        values = [value for value in map(metric.read, rows) if value is not None]
        if values:
            means[metric.name] = sum(values) / len(values)
    return means

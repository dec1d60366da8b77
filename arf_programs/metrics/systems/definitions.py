"""The metrics of a summary: the name and direction of each, how it is read from a Score, and its means.

Means are by system, by channel, by length of the conversation, and by error category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from arf_programs.corpus import NOT_OF_FACT
from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from signatures.records import Conversation, Score

Better = Literal["lower", "higher", "neither"]
Unit = Literal["share", "count", "rating", "score", "words"]
SYSTEMS: tuple[str, ...] = (
    "base",
    "teacher",
    "reviser",
    "student_teacher",
    "student_rewrite",
    "student_taxonomy",
    "student_arf",
    "student_arf_dpo",
    "student_arf_apo",
)
Figures = dict[str, dict[str, dict[str, float]]]
_BANDS = ("short", "medium", "long")


@dataclass(frozen=True)
class Metric:
    """One metric: `read` gives its value for one summary, None if it was not measured.

    A metric with `compared=False` is a variant of a compared metric, and only the tables of systems show it. A metric
    that is `part_of` another is not compared if both are equal on every summary.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    read: Callable[[Score], float | None]
    compared: bool = True
    part_of: str | None = None


def _check_errors(score: Score) -> int:
    return sum(note.source == "check" for note in score.errors)


def _flagged(score: Score) -> float | None:
    return None if score.checker_flagged is None else float(score.checker_flagged)


def _rated(aspect: Literal["rating", "faithful", "complete", "concise"]) -> Callable[[Score], float | None]:
    def read(score: Score) -> float | None:
        value: int | None = getattr(score.rating, aspect, None)
        return value

    return read


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("error_rate", "Summaries with an error", "share", "lower", lambda s: float(bool(s.errors))),
        Metric("errors_per_summary", "Errors per summary", "count", "lower", lambda s: len(s.errors)),
        Metric(
            "check_error_rate",
            "With an error, checks alone",
            "share",
            "lower",
            lambda s: float(_check_errors(s) > 0),
            part_of="error_rate",
        ),
        Metric(
            "check_errors_per_summary",
            "Errors per summary, checks alone",
            "count",
            "lower",
            _check_errors,
            part_of="errors_per_summary",
        ),
        Metric(
            "fact_error_rate",
            "With an error of fact",
            "share",
            "lower",
            lambda s: float(any(note.category not in NOT_OF_FACT for note in s.errors)),
            part_of="error_rate",
        ),
        Metric("checker_error_rate", "With a sentence that the checker flags", "share", "lower", _flagged),
        Metric("rating", "Judge's rating, 1 to 5", "rating", "higher", _rated("rating")),
        Metric("faithful", "Rated faithful, 1 to 5", "rating", "higher", _rated("faithful")),
        Metric("complete", "Rated complete, 1 to 5", "rating", "higher", _rated("complete")),
        Metric("concise", "Rated concise, 1 to 5", "rating", "higher", _rated("concise")),
        Metric("rouge1", "ROUGE-1", "score", "higher", lambda s: s.rouge1),
        Metric("rouge2", "ROUGE-2", "score", "higher", lambda s: s.rouge2),
        Metric("rougeL", "ROUGE-L", "score", "higher", lambda s: s.rougeL),
        Metric("rouge1_mean", "ROUGE-1, mean of references", "score", "higher", lambda s: s.rouge1_mean, False),
        Metric("rouge2_mean", "ROUGE-2, mean of references", "score", "higher", lambda s: s.rouge2_mean, False),
        Metric("rougeL_mean", "ROUGE-L, mean of references", "score", "higher", lambda s: s.rougeL_mean, False),
        Metric("similarity", "Embedding similarity", "score", "higher", lambda s: s.similarity),
        Metric("words", "Words", "words", "neither", lambda s: s.words),
    )
}


def in_order(systems: Iterable[str]) -> list[str]:
    """Each system once: those of SYSTEMS in its order, then the others by name."""
    names = set(systems)
    return [name for name in SYSTEMS if name in names] + sorted(names.difference(SYSTEMS))


def system_metrics(scores: Sequence[Score], resampling: Resampling = DEFAULT) -> dict[str, dict[str, Interval]]:
    """{system: {metric: Interval over its conversations}}, without the metrics that no score of the system has."""
    figures: dict[str, dict[str, Interval]] = {}
    for system, rows in by_system(scores).items():
        figures[system] = {}
        for metric in METRICS.values():
            values = {name: metric.read(score) for name, score in rows.items()}
            interval = resampling.mean({name: value for name, value in values.items() if value is not None})
            if interval is not None:
                figures[system][metric.name] = interval
    return figures


def by_stratum(scores: Sequence[Score], strata: Mapping[str, str]) -> Figures:
    """{stratum: {system: {"n": summaries, metric: mean}}}, without the metrics that were not measured.

    `strata` names the stratum of each conversation. The strata keep its order.
    """
    groups: dict[str, list[Score]] = {name: [] for name in strata.values()}
    for score in scores:
        groups[strata[score.conversation_id]].append(score)
    return {
        name: {system: _means(list(rows.values())) for system, rows in by_system(group).items()}
        for name, group in groups.items()
        if group
    }


def by_channel(scores: Sequence[Score]) -> Figures:
    """`by_stratum` of the channels, in the order of their names."""
    ordered = sorted(scores, key=lambda score: score.channel)
    return by_stratum(scores, {score.conversation_id: score.channel for score in ordered})


def errors_by_category(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """{system: {category: errors per summary}}; each system has all categories, the most frequent first."""
    systems = by_system(scores)
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


def by_system(scores: Sequence[Score]) -> dict[str, dict[str, Score]]:
    """{system: {conversation id: score}}. If a conversation has two scores, the last one counts."""
    systems: dict[str, dict[str, Score]] = {name: {} for name in in_order(score.system for score in scores)}
    for score in scores:
        systems[score.system][score.conversation_id] = score
    return systems


def length_bands(conversations: Mapping[str, Conversation]) -> dict[str, str]:
    """{conversation id: its band}: thirds of the conversations by their number of words, the shortest first.

    A band's name has its limits, such as `medium (41 to 90 words)`. Conversations of one length share a band. So bands
    may differ in size, and a few different lengths give fewer than three bands.
    """
    words = {name: len(conversation.as_text().split()) for name, conversation in conversations.items()}
    if not words:
        return {}
    import numpy as np

    first, second = np.quantile(list(words.values()), [1 / 3, 2 / 3], method="inverted_cdf")
    bands = {name: _BANDS[int(count > first) + int(count > second)] for name, count in words.items()}
    limits = {band: [words[name] for name in words if bands[name] == band] for band in _BANDS if band in bands.values()}
    labels = {band: f"{band} ({min(counts)} to {max(counts)} words)" for band, counts in limits.items()}
    return {name: labels[bands[name]] for name in sorted(words, key=lambda name: words[name])}


def _means(rows: Sequence[Score]) -> dict[str, float]:
    means: dict[str, float] = {"n": len(rows)}
    for metric in METRICS.values():
        values = [value for value in map(metric.read, rows) if value is not None]
        if values:
            means[metric.name] = sum(values) / len(values)
    return means

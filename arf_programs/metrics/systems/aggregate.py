"""Means over the scores of single summaries: by system, channel, length of the conversation and error category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from arf_programs.metrics.systems.definitions import METRICS, in_order
from signatures.records import Conversation, Score

Figures = dict[str, dict[str, dict[str, float]]]

_BANDS = ("short", "medium", "long")


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

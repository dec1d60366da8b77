"""Parts of the holdout that are looked at apart: conversations by their length.

From the scores of single summaries to the figures of summary.json and of the report. Pure functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from arf_programs.metrics.bootstrap import Interval, Resampling
from arf_programs.metrics.definitions import METRICS, in_order
from signatures.exceptions import ConfigError
from signatures.records import Conversation, Score

_NAMES = ("short", "medium", "long")


def length_bands(conversations: Mapping[str, Conversation]) -> dict[str, str]:
    """{conversation id: its band}, bands by the tertiles of the number of words, the shortest first.

    A band's name says its limits, such as `medium (41 to 90 words)`. Conversations of one length share a band, so
    bands may differ in size, and there are fewer than three where lengths are few.
    """
    words = {name: len(conversation.as_text().split()) for name, conversation in conversations.items()}
    if not words:
        return {}
    import numpy as np

    first, second = np.quantile(list(words.values()), [1 / 3, 2 / 3], method="inverted_cdf")
    bands = {name: _NAMES[int(count > first) + int(count > second)] for name, count in words.items()}
    limits = {band: [words[name] for name in words if bands[name] == band] for band in _NAMES if band in bands.values()}
    labels = {band: f"{band} ({min(counts)} to {max(counts)} words)" for band, counts in limits.items()}
    return {name: labels[bands[name]] for name in sorted(words, key=lambda name: words[name])}


def clusters(conversations: Mapping[str, Conversation], column: str | None) -> dict[str, str]:
    """{conversation id: its value of a metadata column}; conversations without the column, or with null, are left out.

    Empty without a column: each conversation then stands for itself. Raises ConfigError when none has the column.
    """
    if column is None:
        return {}
    known = sorted({key for conversation in conversations.values() for key in conversation.metadata})
    if column not in known:
        others = f"it has {', '.join(known)}" if known else "there is no metadata"
        raise ConfigError(f"evaluate.cluster: no conversation has {column!r} in its metadata ({others}): mend the key")
    values = {name: conversation.metadata.get(column) for name, conversation in conversations.items()}
    return {name: str(value) for name, value in values.items() if value is not None}


Figures = dict[str, dict[str, dict[str, float]]]
SystemMetrics = dict[str, dict[str, Interval]]


def system_metrics(scores: Sequence[Score], resampling: Resampling | None = None) -> SystemMetrics:
    """{system: {metric: Interval over its conversations}}; a metric measured nowhere in a system is left out."""
    tool = resampling or Resampling()
    figures: SystemMetrics = {}
    for system, rows in by_system(scores).items():
        figures[system] = {}
        for metric in METRICS.values():
            values = {name: metric.read(score) for name, score in rows.items()}
            interval = tool.mean({name: value for name, value in values.items() if value is not None})
            if interval is not None:
                figures[system][metric.name] = interval
    return figures


def by_stratum(scores: Sequence[Score], strata: Mapping[str, str]) -> Figures:
    """{stratum: {system: {"n": summaries, metric: mean}}}; `strata` names that of each conversation.

    In the order in which `strata` names them; what was not measured is left out.
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
    """`by_stratum` of the channels, by name."""
    ordered = sorted(scores, key=lambda score: score.channel)
    return by_stratum(scores, {score.conversation_id: score.channel for score in ordered})


def errors_by_category(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """{system: {category: errors per summary}}, with every category that occurs in any system, the commonest first."""
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
    """{system: {conversation id: score}}; a conversation scored twice counts once, by its last score."""
    systems: dict[str, dict[str, Score]] = {name: {} for name in in_order(score.system for score in scores)}
    for score in scores:
        systems[score.system][score.conversation_id] = score
    return systems


def _means(rows: Sequence[Score]) -> dict[str, float]:
    means: dict[str, float] = {"n": len(rows)}
    for metric in METRICS.values():
        values = [value for value in map(metric.read, rows) if value is not None]
        if values:
            means[metric.name] = sum(values) / len(values)
    return means

"""Systems compared in pairs on the same conversations: how far apart, how sure, how large, and what would settle it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import Field

from arf_programs.metrics.aggregate import by_system
from arf_programs.metrics.bootstrap import Interval
from arf_programs.metrics.definitions import METRICS, Metric, in_order
from arf_programs.metrics.effects import Effect, cohens_dz, paired_effect
from arf_programs.metrics.power import pairs_needed
from arf_programs.metrics.resampling import Resampling
from arf_programs.metrics.significance import holm, sign_flip_test
from signatures.records import Record, Score

TEACHER, STUDENT, BASE, REVISER = "teacher", "student_arf", "base", "reviser"
PREFERENCE = ("student_arf_dpo", "student_arf_apo")


class Comparison(Record):
    """`difference` is the mean of a - b over the `n` conversations on which both were measured, with its interval.

    `clusters` is the number of units that were drawn. `p` is that of the sign-flip test, `p_holm` the same after Holm's
    correction over all comparisons of metrics with a direction. `wins`, `ties` and `losses` count the conversations on
    which a is better, equal and worse; None where the metric has no direction. `settles_at` is the number of
    conversations with which a difference like this one would be told from zero with power 0.8, None where it is told
    already or where there is none to tell.
    """

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    n: int = 0
    clusters: int = 0
    p: float | None = Field(default=None, ge=0, le=1)
    p_holm: float | None = Field(default=None, ge=0, le=1)
    effect: Effect | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    settles_at: int | None = None


Compared = TypeVar("Compared", bound=Comparison)


def compared_pairs(systems: Iterable[str]) -> list[tuple[str, str]]:
    """Which systems are compared: the student against teacher, base, the students of other arms and the reviser; those
    of the preference stage against it; every other system but the base against the teacher."""
    known = in_order(systems)
    students = [name for name in known if name.startswith("student_")]
    rivals = [TEACHER, BASE, *(name for name in students if name not in (STUDENT, *PREFERENCE)), REVISER]
    pairs = [(STUDENT, name) for name in rivals] + [(name, STUDENT) for name in PREFERENCE]
    pairs += [(name, TEACHER) for name in known if name not in (STUDENT, TEACHER, BASE)]
    return [(a, b) for a, b in pairs if a in known and b in known]


def comparisons(
    scores: Sequence[Score],
    pairs: Sequence[tuple[str, str]] | None = None,
    resampling: Resampling | None = None,
) -> list[Comparison]:
    """For each pair (a, b), by default `compared_pairs`, and each compared metric that both have: a - b, paired."""
    systems = by_system(scores)
    wanted = compared_pairs(systems) if pairs is None else pairs
    found = [
        compared
        for a, b in wanted
        if a in systems and b in systems
        for compared in compare(a, systems[a], b, systems[b], resampling or Resampling())
    ]
    return with_holm(found)


def compare(
    a: str, left: Mapping[str, Score], b: str, right: Mapping[str, Score], resampling: Resampling
) -> list[Comparison]:
    """One Comparison for each metric; `left` and `right` hold the scores of a and b by conversation."""
    both = [(name, left[name], right[name]) for name in left if name in right]
    found = []
    for metric in METRICS.values():
        values = {name: (metric.read(x), metric.read(y)) for name, x, y in both}
        known = {name: x - y for name, (x, y) in values.items() if x is not None and y is not None}
        interval = resampling.mean(known) if metric.compared and not _repeats(metric, both) else None
        if interval is not None:
            found.append(_comparison(a, b, metric, known, interval, resampling))
    return found


def _repeats(metric: Metric, both: Sequence[tuple[str, Score, Score]]) -> bool:
    """Whether it equals the metric that it is part of: the same test twice would cost Holm's correction power."""
    if metric.part_of is None:
        return False
    whole = METRICS[metric.part_of]
    return all(metric.read(score) == whole.read(score) for _, *scores in both for score in scores)


def with_holm(found: Sequence[Compared]) -> list[Compared]:
    """The comparisons with `p_holm`, corrected over all that are about a metric with a direction."""
    tested = {
        number: c.p for number, c in enumerate(found) if c.p is not None and METRICS[c.metric].better != "neither"
    }
    adjusted = holm(tested)
    return [c.model_copy(update={"p_holm": adjusted.get(number)}) for number, c in enumerate(found)]


def _comparison(
    a: str, b: str, metric: Metric, known: Mapping[str, float], interval: Interval, tool: Resampling
) -> Comparison:
    """`known` holds the difference of each conversation, and `interval` their mean."""
    differences, names = list(known.values()), tool.names(list(known))
    sums = _sums(differences, names)
    settled = interval.low > 0 or interval.high < 0
    return Comparison(
        a=a,
        b=b,
        metric=metric.name,
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        n=interval.n,
        clusters=len(sums),
        p=sign_flip_test(sums, seed=tool.seed),
        effect=paired_effect(differences, metric.unit),
        settles_at=None if settled else _conversations_needed(sums, len(differences), tool.confidence),
        **_wins(differences, metric),
    )


def _sums(differences: Sequence[float], names: Sequence[str] | None) -> list[float]:
    """The differences, added up within each cluster."""
    if names is None:
        return list(differences)
    sums: dict[str, float] = defaultdict(float)
    for name, value in zip(names, differences, strict=True):
        sums[name] += value
    return list(sums.values())


def _conversations_needed(sums: Sequence[float], n: int, confidence: float) -> int | None:
    """Conversations for the number of clusters needed, at as many a cluster as there are now."""
    effect = cohens_dz(sums)
    clusters = None if effect is None else pairs_needed(effect, confidence=confidence)
    return None if clusters is None else math.ceil(clusters * n / len(sums))


def _wins(differences: Sequence[float], metric: Metric) -> dict[str, int]:
    if metric.better == "neither":
        return {}
    sign = -1 if metric.better == "lower" else 1
    return {
        "wins": sum(sign * value > 0 for value in differences),
        "ties": sum(value == 0 for value in differences),
        "losses": sum(sign * value < 0 for value in differences),
    }

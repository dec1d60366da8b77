"""Two systems compared on the same conversations: difference, interval, test, effect size and sample size needed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import Field

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from arf_programs.metrics.systems.definitions import METRICS, Metric, by_system, in_order
from arf_programs.metrics.systems.paired import Effect, cohens_dz, holm, paired_effect, pairs_needed, sign_flip_test
from signatures.records import Record, Score

TEACHER, STUDENT, BASE, REVISER = "teacher", "student_arf", "base", "reviser"
PREFERENCE = ("student_arf_dpo", "student_arf_apo")


class Comparison(Record):
    """`difference` is the mean of a - b over the `n` conversations on which both were measured, with its interval.

    `clusters` is the number of units that were drawn.
    `p` is that of the sign-flip test, `p_holm` the same after Holm's correction over all comparisons of metrics with a
    direction.
    `wins`, `ties` and `losses` count the conversations on which a is better, equal and worse; None if the metric has no
    direction.
    `settles_at` is the number of conversations that would tell a difference like this one from zero with power 0.8;
    None if it differs from zero already, or if there is no difference.
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


def compare_systems(
    scores: Sequence[Score],
    resampling: Resampling = DEFAULT,
) -> list[Comparison]:
    """For each pair (a, b) of `compared_pairs` and each compared metric that both have: a - b, paired."""
    systems = by_system(scores)
    comparisons = [
        comparison
        for a, b in compared_pairs(systems)
        for comparison in compare(a, systems[a], b, systems[b], resampling)
    ]
    return with_holm(comparisons)


def compared_pairs(systems: Iterable[str]) -> list[tuple[str, str]]:
    """List the pairs of systems that are compared.

    The student is compared with the teacher, the base, the students of other arms and the reviser. The students of the
    preference stage are compared with the student. Every other system but the base is compared with the teacher.
    """
    present = in_order(systems)
    students = [name for name in present if name.startswith("student_")]
    rivals = [TEACHER, BASE, *(name for name in students if name not in (STUDENT, *PREFERENCE)), REVISER]
    pairs = [(STUDENT, name) for name in rivals] + [(name, STUDENT) for name in PREFERENCE]
    pairs += [(name, TEACHER) for name in present if name not in (STUDENT, TEACHER, BASE)]
    return [(a, b) for a, b in pairs if a in present and b in present]


def compare(
    a: str, left: Mapping[str, Score], b: str, right: Mapping[str, Score], resampling: Resampling
) -> list[Comparison]:
    """One Comparison for each metric; `left` and `right` hold the scores of a and b by conversation."""
    both = [(name, left[name], right[name]) for name in left if name in right]
    comparisons = []
    for metric in METRICS.values():
        values = {name: (metric.read(x), metric.read(y)) for name, x, y in both}
        differences = {name: x - y for name, (x, y) in values.items() if x is not None and y is not None}
        interval = resampling.mean(differences) if metric.compared and not _repeats(metric, both) else None
        if interval is not None:
            comparisons.append(_comparison(a, b, metric, differences, interval, resampling))
    return comparisons


def with_holm(comparisons: Sequence[Compared]) -> list[Compared]:
    """The comparisons with `p_holm`, corrected over all whose metric has a direction."""
    tested = {
        number: c.p for number, c in enumerate(comparisons) if c.p is not None and METRICS[c.metric].better != "neither"
    }
    adjusted = holm(tested)
    return [c.model_copy(update={"p_holm": adjusted.get(number)}) for number, c in enumerate(comparisons)]


def _repeats(metric: Metric, both: Sequence[tuple[str, Score, Score]]) -> bool:
    """Whether a metric equals the one that it is part of. A second equal test would weaken Holm's correction."""
    if metric.part_of is None:
        return False
    whole = METRICS[metric.part_of]
    return all(metric.read(score) == whole.read(score) for _, *scores in both for score in scores)


def _comparison(
    a: str, b: str, metric: Metric, by_conversation: Mapping[str, float], interval: Interval, resampling: Resampling
) -> Comparison:
    """The comparison by one metric; `interval` is the mean of the differences `by_conversation`."""
    differences, names = list(by_conversation.values()), resampling.names(list(by_conversation))
    sums = _cluster_sums(differences, names)
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
        p=sign_flip_test(sums, seed=resampling.seed),
        effect=paired_effect(differences, metric.unit),
        settles_at=None if settled else _conversations_needed(sums, len(differences), resampling.confidence),
        **_wins(differences, metric),
    )


def _cluster_sums(differences: Sequence[float], names: Sequence[str] | None) -> list[float]:
    if names is None:
        return list(differences)
    sums: dict[str, float] = defaultdict(float)
    for name, value in zip(names, differences, strict=True):
        sums[name] += value
    return list(sums.values())


def _conversations_needed(sums: Sequence[float], n: int, confidence: float) -> int | None:
    """The conversations in the number of clusters needed, if clusters keep their present mean size."""
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

"""How many conversations it would take to settle a comparison.

Source: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", chapter 2; computed by the noncentral t
distribution, as G*Power does (Faul, Erdfelder, Lang and Buchner 2007).


Whether a paired difference could be chance: sign-flip permutation tests, and Holm's correction for many of them.

Sources: Fisher (1935), "The Design of Experiments", section 21 (the test); Good (2005), "Permutation, Parametric and
Bootstrap Tests of Hypotheses"; Phipson and Smyth (2010), "Permutation P-values Should Never Be Zero" (drawn flips);
Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".


How large a paired difference is, apart from how sure it is.

Sources: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", section 2.3.5 (d_z); Cliff (1993),
"Dominance Statistics: Ordinal Analyses to Answer Ordinal Questions" (the within-pairs form).


Systems compared in pairs on the same conversations: how far apart, how sure, how large, and what would settle it.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from pydantic import Field

from arf_programs.metrics.aggregate import by_system
from arf_programs.metrics.bootstrap import Interval, Resampling
from arf_programs.metrics.definitions import METRICS, Metric, Unit, in_order
from signatures.records import Record, Score

POWER = 0.8
_NONE = 1e-4  # an effect below it would take hundreds of millions of conversations: no answer is more honest


def pairs_needed(effect: float, *, confidence: float = 0.95, power: float = POWER) -> int | None:
    """The fewest pairs with which a two-sided paired t-test at level `1 - confidence` has this power.

    `effect` is Cohen's d_z. None where it is as good as zero: no number of pairs would do.
    """
    size = abs(effect)
    if math.isnan(size) or size < _NONE:
        return None
    low, high = 1, 2  # `low` pairs are too few
    while _power(size, high, 1 - confidence) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _power(size, middle, 1 - confidence) < power:
            low = middle
        else:
            high = middle
    return high


def _power(effect: float, pairs: int, alpha: float) -> float:
    from scipy.stats import nct, norm, t

    shift = effect * math.sqrt(pairs)
    if pairs > 10_000 or shift > 30:  # t is normal here, and scipy's nct loses its digits
        return float(norm.sf(norm.isf(alpha / 2) - shift))
    critical = t.isf(alpha / 2, pairs - 1)
    return float(nct.sf(critical, pairs - 1, shift) + nct.cdf(-critical, pairs - 1, shift))


Key = TypeVar("Key")
FLIPS = 9999  # drawn where not all are tried; the smallest p is then 0.0002
_EXACT = 15  # up to so many differences all 2^n flips are tried
_CELLS = 2_000_000  # flipped values held at once


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided p of a paired permutation test: under chance, each difference is as likely to have the other sign.

    One difference a conversation or, where they are clustered, the sum of a cluster's, so that what belongs together
    is flipped together. Exact up to 15 differences other than zero, by `FLIPS` drawn flips beyond; 1.0 where fewer than
    two are other than zero. Computed by `scipy.stats.permutation_test`; raises ValueError without differences.
    """
    if not differences:
        raise ValueError("a permutation test needs at least one difference")
    moved = [value for value in differences if value != 0]  # a flipped zero is zero: the sum's distribution is the same
    if len(moved) < 2:
        return 1.0  # one value has two flips, both as extreme; scipy refuses to test it
    import numpy as np
    from scipy.stats import permutation_test

    result = permutation_test(
        (np.array(moved),),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**_EXACT if len(moved) <= _EXACT else FLIPS,
        batch=max(1, _CELLS // len(moved)),
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Each p adjusted so that rejecting those below alpha makes a false claim with probability at most alpha.

    The i-th smallest of m is multiplied by m - i + 1, no adjusted value falls below an earlier one, and none exceeds 1
    (Holm 1979; `p.adjust(p, "holm")` in R). Nothing is assumed about how the tests depend on each other. Raises
    ValueError for a value that is no probability.
    """
    if any(math.isnan(p) or not 0 <= p <= 1 for p in p_values.values()):
        raise ValueError("a p-value lies between 0 and 1")
    adjusted: dict[Key, float] = {}
    highest = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[key]))
        adjusted[key] = highest
    return {key: adjusted[key] for key in p_values}


_ROUNDING = 1e-9  # a spread below this part of the mean is what subtracting floats leaves
EffectName = Literal["risk_difference", "cliffs_delta", "cohens_dz"]


class Effect(Record):
    """An effect size; positive where the first system has the higher values."""

    name: EffectName
    value: float


def paired_effect(differences: Sequence[float], unit: Unit) -> Effect | None:
    """The effect size that fits the metric's unit, from one difference a conversation.

    A share takes the risk difference, a rating (ordinal) Cliff's delta, all else Cohen's d_z. None where it is
    undefined: no differences, or for d_z fewer than two or no spread.
    """
    if not differences:
        return None
    if unit == "share":
        return Effect(name="risk_difference", value=statistics.fmean(differences))
    if unit == "rating":
        return Effect(name="cliffs_delta", value=cliffs_delta(differences))
    value = cohens_dz(differences)
    return None if value is None else Effect(name="cohens_dz", value=value)


def cohens_dz(differences: Sequence[float]) -> float | None:
    """Mean of the differences over their standard deviation (n - 1); None with fewer than two, or without spread."""
    if len(differences) < 2:
        return None
    mean, spread = statistics.fmean(differences), statistics.stdev(differences)
    return mean / spread if spread > _ROUNDING * abs(mean) else None


def cliffs_delta(differences: Sequence[float]) -> float:
    """Share of pairs in which the first is higher, less that in which it is lower; from -1 to 1.

    Raises ZeroDivisionError without differences.
    """
    higher = sum(value > 0 for value in differences)
    lower = sum(value < 0 for value in differences)
    return (higher - lower) / len(differences)


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


def compare_systems(
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

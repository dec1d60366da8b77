"""Statistics of paired differences, one per conversation: a test, its correction, effect sizes and power.

Sources: Fisher (1935), "The Design of Experiments", section 21 (the sign-flip test); Good (2005), "Permutation,
Parametric and Bootstrap Tests of Hypotheses"; Phipson and Smyth (2010), "Permutation P-values Should Never Be Zero"
(drawn flips); Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure"; Cohen (1988), "Statistical Power
Analysis for the Behavioral Sciences", chapter 2 (power) and section 2.3.5 (d_z); Faul, Erdfelder, Lang and Buchner
(2007), G*Power (power by the noncentral t distribution); Cliff (1993), "Dominance Statistics: Ordinal Analyses to
Answer Ordinal Questions" (the form for pairs).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from arf_programs.metrics.systems.definitions import Unit
from signatures.records import Record

Key = TypeVar("Key")

_POWER = 0.8
_FLIPS = 9999  # drawn if there are too many to try all; the smallest p is then 0.0002
_EXACT = 15  # up to this number of differences, all 2^n flips are tried
_CELLS = 2_000_000  # flipped values held at once
_ROUNDING = 1e-9  # a spread below this part of the mean is only the rounding of floats
_NO_EFFECT = 1e-4  # a smaller effect would need hundreds of millions of conversations, which is no useful answer


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Compute the two-sided p of a paired permutation test. By chance, each difference has either sign equally often.

    Give one difference per conversation or, with clusters, the sum of each cluster, so that a cluster is flipped as a
    whole. The test is exact up to 15 differences other than zero; above, it draws 9999 flips. It is 1.0 with fewer than
    two differences other than zero. Computed by `scipy.stats.permutation_test`. Raises ValueError without differences.
    """
    if not differences:
        raise ValueError("a permutation test needs at least one difference")
    moved = [value for value in differences if value != 0]  # a flipped zero is zero, so zeros do not change the sum
    if len(moved) < 2:
        return 1.0  # the two flips of one value are equally extreme, and scipy refuses to test it
    import numpy as np
    from scipy.stats import permutation_test

    result = permutation_test(
        (np.array(moved),),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**_EXACT if len(moved) <= _EXACT else _FLIPS,
        batch=max(1, _CELLS // len(moved)),
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Adjust each p so that rejecting those below alpha makes a false claim with probability at most alpha.

    The i-th smallest of m is multiplied by m - i + 1. No adjusted value is below an earlier one, and none is above 1
    (Holm 1979; `p.adjust(p, "holm")` in R). The tests may depend on each other in any form. Raises ValueError for a
    value that is no probability.
    """
    if any(math.isnan(p) or not 0 <= p <= 1 for p in p_values.values()):
        raise ValueError("a p-value lies between 0 and 1")
    adjusted: dict[Key, float] = {}
    highest = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[key]))
        adjusted[key] = highest
    return {key: adjusted[key] for key in p_values}


class Effect(Record):
    """An effect size; positive if the first system has the higher values."""

    name: Literal["risk_difference", "cliffs_delta", "cohens_dz"]
    value: float


def paired_effect(differences: Sequence[float], unit: Unit) -> Effect | None:
    """Compute the effect size that fits the metric's unit, from one difference per conversation.

    A share takes the risk difference, a rating (ordinal) Cliff's delta, all else Cohen's d_z. None if it is undefined:
    without differences, or for d_z with fewer than two or without spread.
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
    """Share of pairs in which the first is higher, minus the share in which it is lower; from -1 to 1.

    Raises ZeroDivisionError without differences.
    """
    higher = sum(value > 0 for value in differences)
    lower = sum(value < 0 for value in differences)
    return (higher - lower) / len(differences)


def pairs_needed(effect: float, *, confidence: float = 0.95) -> int | None:
    """The fewest pairs with which a two-sided paired t-test at level `1 - confidence` has power 0.8.

    `effect` is Cohen's d_z. None if it is practically zero, since no number of pairs would be enough.
    """
    size = abs(effect)
    if math.isnan(size) or size < _NO_EFFECT:
        return None

    def reached(pairs: int) -> float:
        return _power(size, pairs, 1 - confidence)

    enough = 2
    while reached(enough) < _POWER:
        enough *= 2
    return bisect_left(range(enough), _POWER, lo=max(2, enough // 2 + 1), key=reached)


def detectable_effect(pairs: int, *, confidence: float = 0.95) -> float:
    """The smallest Cohen's d_z that a two-sided paired t-test at level `1 - confidence` finds with power 0.8.

    It is what `pairs_needed` needs to answer `pairs`. Raises ValueError with fewer than two pairs.
    """
    if pairs < 2:
        raise ValueError("a t-test needs at least two pairs")
    from scipy.optimize import brentq
    from scipy.stats import norm

    # A normal test needs a little less. Far above the solution scipy's nct is not a number, so the bracket is narrow.
    low = high = float(0.9 * (norm.isf((1 - confidence) / 2) + norm.isf(1 - _POWER)) / math.sqrt(pairs))
    while _power(high, pairs, 1 - confidence) < _POWER:
        high *= 1.2
    return float(brentq(lambda effect: _power(effect, pairs, 1 - confidence) - _POWER, low, high))


def _power(effect: float, pairs: int, alpha: float) -> float:
    from scipy.stats import nct, norm, t

    shift = effect * math.sqrt(pairs)
    if pairs > 10_000 or shift > 30:  # t is normal here, and scipy's nct loses its digits
        return float(norm.sf(norm.isf(alpha / 2) - shift))
    critical = t.isf(alpha / 2, pairs - 1)
    return float(nct.sf(critical, pairs - 1, shift) + nct.cdf(-critical, pairs - 1, shift))

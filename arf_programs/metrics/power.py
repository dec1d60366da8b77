"""How many conversations it would take to settle a comparison.

Source: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", chapter 2; computed by the noncentral t
distribution, as G*Power does (Faul, Erdfelder, Lang and Buchner 2007).
"""

from __future__ import annotations

import math

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

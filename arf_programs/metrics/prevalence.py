"""The share of wrong summaries behind the share that an imperfect checker flags.

Sources: Rogan and Gladen (1978), "Estimating prevalence from the results of a screening test", American Journal of
Epidemiology 107; Lang and Reiczigel (2014), "Confidence limits for prevalence of disease adjusted for estimated
sensitivity and specificity", Preventive Veterinary Medicine 113.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from arf_programs.metrics.bootstrap import Interval


class ErrorRates(NamedTuple):
    """How a checker decides about texts of known truth: shares decided rightly, `n` conversations behind each."""

    sensitivity: Interval
    specificity: Interval

    @property
    def informative(self) -> bool:
        """Whether wrong texts are flagged more often than right ones. Otherwise nothing can be corrected."""
        return self.sensitivity.value + self.specificity.value > 1


def correct_prevalence(flagged: Interval, rates: ErrorRates, *, confidence: float = 0.95) -> Interval | None:
    """Correct a share of flagged texts for the error rates of the checker (Rogan and Gladen), kept within 0 and 1.

    The interval is that of Lang and Reiczigel, which includes the uncertainty of both rates. `n` of each share counts
    conversations: texts of one conversation are alike, so counting them would make the interval too narrow. Returns
    None if sensitivity and specificity add up to 1 or less.
    """
    if not rates.informative:
        return None
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    n, n_sensitivity, n_specificity = max(1, flagged.n), max(1, rates.sensitivity.n), max(1, rates.specificity.n)
    value = _adjusted(flagged.value, rates.sensitivity.value, rates.specificity.value)
    apparent = (n * flagged.value + z * z / 2) / (n + z * z)
    sensitivity = (n_sensitivity * rates.sensitivity.value + 1) / (n_sensitivity + 2)
    specificity = (n_specificity * rates.specificity.value + 1) / (n_specificity + 2)
    gain = sensitivity + specificity - 1
    if gain <= 0:  # few texts: the rates may as well be those of chance
        return Interval(value=_inside(value), low=0.0, high=1.0, n=flagged.n)
    centre = _adjusted(apparent, sensitivity, specificity)
    of_sensitivity = sensitivity * (1 - sensitivity) / (n_sensitivity + 2)
    of_specificity = specificity * (1 - specificity) / (n_specificity + 2)
    shift = 2 * z * z * (centre * of_sensitivity - (1 - centre) * of_specificity)
    spread = apparent * (1 - apparent) / (n + z * z) + centre**2 * of_sensitivity + (1 - centre) ** 2 * of_specificity
    half = z * sqrt(spread) / gain
    low, high = _inside(centre + shift - half), _inside(centre + shift + half)
    point = _inside(value)
    return Interval(value=point, low=min(low, point), high=max(high, point), n=flagged.n)


def _adjusted(flagged: float, sensitivity: float, specificity: float) -> float:
    return (flagged + specificity - 1) / (sensitivity + specificity - 1)


def _inside(value: float) -> float:
    return min(1.0, max(0.0, value))

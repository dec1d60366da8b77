"""How large a paired difference is, apart from how sure it is.

Sources: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", section 2.3.5 (d_z); Cliff (1993),
"Dominance Statistics: Ordinal Analyses to Answer Ordinal Questions" (the within-pairs form).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

from arf_programs.metrics.definitions import Unit
from signatures.records import Record

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

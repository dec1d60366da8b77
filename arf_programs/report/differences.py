"""The comparisons of the report: what its tables and its opening picture show of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from arf_programs.metrics.bootstrap import Interval
from arf_programs.metrics.comparisons import Comparison
from arf_programs.metrics.definitions import METRICS
from arf_programs.metrics.effects import Effect
from arf_programs.report import svg
from arf_programs.report.data import RunSummary
from arf_programs.report.headline import Verdict, outcome
from arf_programs.report.text import figure, integer, metric_label, probability, signed_bounds

_EFFECTS = {"risk_difference": "risk difference", "cliffs_delta": "Cliff's δ", "cohens_dz": "Cohen's d_z"}


@dataclass(frozen=True)
class Difference:
    """One comparison as a table shows it; what was not computed is empty."""

    metric: str
    value: str
    bounds: str
    n: int
    outcome: Verdict
    neutral: bool
    strip: Markup
    p: str
    p_holm: str
    effect: str
    effect_name: str
    wins: str
    settles_at: str


def differences(summary: RunSummary) -> list[tuple[str, str, list[Difference]]]:
    """(a, b, their differences metric by metric) for each pair of systems."""
    known = [c for c in summary.compared() if c.metric in METRICS]
    return [
        (a, b, [difference(c, _extent(known, c.metric)) for c in rows])
        for (a, b), rows in groupby(known, key=lambda c: (c.a, c.b))
    ]


def difference(comparison: Comparison, extent: float) -> Difference:
    """A comparison with its strip, which reaches from `-extent` to `extent`."""
    c, verdict = comparison, outcome(comparison)
    interval = Interval(value=c.difference, low=c.low, high=c.high)
    return Difference(
        metric=metric_label(c.metric),
        value=figure(interval.value, c.metric, signed=True),
        bounds=signed_bounds(c, c.metric),
        n=c.n,
        outcome=verdict,
        neutral=METRICS[c.metric].better == "neither",
        strip=svg.difference_strip(interval, extent, verdict),
        p="" if c.p is None else probability(c.p),
        p_holm="" if c.p_holm is None else probability(c.p_holm),
        **_effect(c.effect),
        wins="" if c.wins is None else f"{c.wins}–{c.ties}–{c.losses}",
        settles_at="" if c.settles_at is None else integer(c.settles_at),
    )


def _effect(effect: Effect | None) -> dict[str, str]:
    if effect is None:
        return {"effect": "", "effect_name": ""}
    return {"effect": figure(effect.value, "rating", signed=True), "effect_name": _EFFECTS[effect.name]}


def _extent(comparisons: Sequence[Comparison], metric: str) -> float:
    """The farthest bound from zero of all comparisons by a metric."""
    return max((max(abs(c.low), abs(c.high)) for c in comparisons if c.metric == metric), default=0.0) or 1.0

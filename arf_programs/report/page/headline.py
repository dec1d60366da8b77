"""The report's text about comparisons: its first sentence (does the student beat its teacher?) and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from arf_programs.metrics import METRICS, Comparison, Effect, Interval
from arf_programs.report.data import RunSummary
from arf_programs.report.page import svg
from arf_programs.report.text import figure, integer, metric_label, probability, share, signed_bounds

Verdict = Literal["better", "worse", "unclear", "missing"]
# With fewer pairs a percentile interval is far too narrow, and for one pair it is a single point.
_FEWEST_PAIRS = 10
_DECIDING = ("error_rate", "errors_per_summary", "rating")


@dataclass(frozen=True)
class Headline:
    """The verdict, its title, the sentences that follow (`details`), and the comparison that decided.

    `plain` has the sentences that need no statistics; the page shows the others on demand.
    """

    verdict: Verdict
    title: str
    details: tuple[str, ...]
    comparison: Comparison | None = None
    plain: tuple[str, ...] = ()


def outcome(comparison: Comparison) -> Verdict:
    """Whether `a` is better than `b`; unclear if the interval includes zero or there are too few pairs."""
    metric = METRICS.get(comparison.metric)
    if metric is None or metric.better == "neither" or comparison.low <= 0 <= comparison.high:
        return "unclear"
    if 0 < _units(comparison) < _FEWEST_PAIRS:
        return "unclear"
    return "better" if (comparison.high < 0) == (metric.better == "lower") else "worse"


READ_BY_NOBODY = "No model and no person read these summaries."


def headline(summary: RunSummary, *, confidence: float = 0.95) -> Headline:
    """Say whether `student_arf` beats `teacher`, by the first of the deciding metrics that was measured."""
    pairs = [c for c in summary.compared() if (c.a, c.b) == ("student_arf", "teacher")]
    chosen = next((c for name in _DECIDING for c in pairs if c.metric == name), None)
    if chosen is None:
        return Headline("missing", "Student and teacher were not compared in this run.", ())
    verdict = outcome(chosen)
    title = {
        "better": "The student beats its teacher.",
        "worse": "The student does worse than its teacher.",
    }.get(verdict, "The student is not shown to beat its teacher.")
    details = [_values(summary, chosen), _interval(chosen, confidence), *_caution(chosen), _test(summary, chosen)]
    details += [_wanted(chosen), *_against(pairs, verdict)]
    plain = [_values(summary, chosen), _in_words(chosen, verdict), *_caution(chosen), *_against(pairs, verdict)]
    return Headline(verdict, title, tuple(filter(None, details)), chosen, tuple(filter(None, plain)))


def _in_words(chosen: Comparison, verdict: Verdict) -> str:
    """Say what the comparison shows, for readers who are not statisticians."""
    if verdict in ("better", "worse"):
        return "The difference is larger than chance would explain."
    crowd = f"{chosen.n} held-out conversations" if chosen.n else "The held-out conversations"
    told = f"{crowd} are too few to tell the two apart."
    needed = chosen.settles_at
    return told if needed is None else f"{told} To be fairly sure, you need about {integer(needed)}."


def _values(summary: RunSummary, chosen: Comparison) -> str:
    systems = summary.evaluate.systems
    student, teacher = (systems.get(name, {}).get(chosen.metric) for name in (chosen.a, chosen.b))
    if student is None or teacher is None:
        return ""
    ours, theirs = (figure(interval.value, chosen.metric) for interval in (student, teacher))
    if chosen.metric == "error_rate" and summary.evaluate.checks_alone:
        seen = f"{ours} of the student's summaries have at least one error that the automatic checks could see"
        return f"{seen}, {theirs} of the teacher's. {READ_BY_NOBODY}"
    if chosen.metric == "error_rate":
        return f"{ours} of the student's summaries have at least one error, {theirs} of the teacher's."
    return f"{metric_label(chosen.metric)}: {ours} for the student, {theirs} for the teacher."


def _interval(chosen: Comparison, confidence: float) -> str:
    value, low, high = (figure(v, chosen.metric, signed=True) for v in (chosen.difference, chosen.low, chosen.high))
    crowd = f" over {chosen.n} conversation{'s' if chosen.n > 1 else ''} that nobody trained on" if chosen.n else ""
    bounds = f"{low.removesuffix(' pts')} to {high.removesuffix(' pts')}"
    text = f"The difference is {value.replace('pts', 'points')} ({share(confidence, 1)} interval {bounds}){crowd}"
    reaches_zero = chosen.low <= 0 <= chosen.high
    return text + ("; the interval includes zero, so the two cannot be told apart." if reaches_zero else ".")


def _caution(chosen: Comparison) -> list[str]:
    units = _units(chosen)
    if not 0 < units < _FEWEST_PAIRS:
        return []
    kind = "clusters of conversations" if units < chosen.n else "conversations"
    be = "is" if units == 1 else "are"
    return [f"A claim needs at least {_FEWEST_PAIRS} {kind}, and {units} {be} too few."]


def _units(comparison: Comparison) -> int:
    """The number of units that were drawn: clusters, if there are any."""
    return comparison.clusters or comparison.n


def _test(summary: RunSummary, chosen: Comparison) -> str:
    """The permutation test, before and after Holm's correction."""
    if chosen.p is None:
        return ""
    text = f"A paired permutation test gives p = {probability(chosen.p)}"
    family = sum(c.p_holm is not None for c in summary.evaluate.comparisons)
    if chosen.p_holm is None or family < 2:
        return text.replace("= <", "< ") + "."
    text += f", and {probability(chosen.p_holm)} after Holm's correction for the {family} comparisons of this report."
    return text.replace("= <", "< ")


def _wanted(chosen: Comparison) -> str:
    if chosen.settles_at is None:
        return ""
    return (
        f"If the true difference were the one seen, about {integer(chosen.settles_at)} held-out conversations would "
        "show it four times in five."
    )


def _against(pairs: Sequence[Comparison], verdict: Verdict) -> list[str]:
    """The metrics that contradict the headline, so that a better error rate does not hide a worse rating."""
    opposite: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
    named = [metric_label(c.metric) for c in pairs if outcome(c) == opposite.get(verdict)]
    return [f"But it is {opposite[verdict]} by: {'; '.join(named)}."] if named else []


_EFFECTS = {"risk_difference": "risk difference", "cliffs_delta": "Cliff's δ", "cohens_dz": "Cohen's d_z"}


@dataclass(frozen=True)
class Difference:
    """One comparison as a table shows it; a text is empty if it was not computed."""

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
    """Rows of (a, b, their differences metric by metric), one for each pair of systems."""
    comparisons = [c for c in summary.compared() if c.metric in METRICS]
    return [
        (a, b, [difference(c, _extent(comparisons, c.metric)) for c in rows])
        for (a, b), rows in groupby(comparisons, key=lambda c: (c.a, c.b))
    ]


def difference(comparison: Comparison, extent: float) -> Difference:
    """Lay out a comparison, with a strip from `-extent` to `extent`."""
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

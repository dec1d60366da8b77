"""Is a system worse than another by more than an allowed margin? Yes, no, or too few conversations to tell.

Each metric has two one-sided paired t-tests against its margin: "worse by more than the margin", and "worse by less".
A regression is claimed for a metric whose first test stands after Holm's correction over all metrics, so that the
chance of a false alarm in any of them is at most alpha. No regression is claimed if the second test stands for every
metric; such a claim about all needs no correction (Berger 1982).

Sources: Schuirmann (1987), "A Comparison of the Two One-Sided Tests Procedure and the Power Approach"; Piaggio et al.
(2012), "Reporting of Noninferiority and Equivalence Randomized Trials" (margin); Holm (1979); Berger (1982),
"Multiparameter Hypothesis Testing and Acceptance Sampling"; Tango (1998), "Equivalence Test and Confidence Interval for
the Difference in Proportions for the Paired-Sample Design" (the variance as the margin implies it); Edwards (1948),
"Note on the Correction for Continuity in Testing the Significance of the Difference Between Correlated Proportions";
Liang and Zeger (1986), "Longitudinal Data Analysis Using Generalized Linear Models" (clusters).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from arf_programs.metrics.bootstrap import DEFAULT, Resampling
from arf_programs.metrics.systems.definitions import METRICS, Metric
from arf_programs.metrics.systems.paired import detectable_effect, holm, pairs_needed
from signatures.exceptions import ConfigError
from signatures.records import Record, Score

GateVerdict = Literal["regression", "no_regression", "cannot_tell"]
FEWEST_UNITS: Final = 10
"""With fewer conversations (or clusters of them) neither claim is made, as in the report."""

_PLAIN_UNITS = ("share", "count", "rating")  # their values are whole numbers


class GateCheck(Record):
    """One metric of two systems, tested against its margin. All differences are positive if the candidate is worse.

    `at_least` and `at_most` are the bounds of the two one-sided tests. `p` is that of "worse by more than the margin",
    `p_holm` the same after Holm's correction, `p_within` that of "worse by less than the margin".
    `detects` is the smallest true difference that would be called a regression four times in five; None below
    FEWEST_UNITS. `needs` is the number of conversations with which two equal systems would pass four times in five.
    It is None if no number would do, as with a margin of 0. Both rest on the spread of the differences, not on their
    mean.
    """

    metric: str
    margin: float
    candidate: float
    baseline: float
    worse_by: float
    at_least: float
    at_most: float
    n: int
    clusters: int
    p: float
    p_holm: float
    p_within: float
    detects: float | None
    needs: int | None
    verdict: GateVerdict


@dataclass(frozen=True)
class MarginTest:
    """The two one-sided tests of differences against a margin: mean, its standard error and p-values of each sample.

    `units` is the number of conversations or clusters. `step` is what both tests take off the excess, since the sum of
    whole numbers moves in steps of 1: half a step (Edwards 1948).
    """

    mean: Any
    error: Any
    p_worse: Any
    p_within: Any
    units: int
    step: float


def margin_test(
    worsening: Any, margin: float, *, whole: bool = True, clusters: Sequence[str] | None = None
) -> MarginTest:
    """Test the mean of `worsening` (..., conversations) against the margin, for each sample of the leading axes.

    A positive value says that the candidate is worse on that conversation. The standard error is that of the mean or,
    with `clusters` (one name per conversation), of whole clusters. `whole` says that the values are whole numbers.
    Their variance is then at least that of the margin itself, so that a small sample in which nothing happened proves
    nothing. Both p-values are 1 with fewer than FEWEST_UNITS conversations or clusters.
    """
    import numpy as np
    from scipy.stats import t

    values = np.asarray(worsening, dtype=float)
    number = values.shape[-1]
    mean = values.mean(axis=-1)
    sums, units = _cluster_sums(values - mean[..., None], clusters)
    variance = (sums**2).sum(axis=-1) / number**2 * (units / max(1, units - 1))
    floor = (margin % 1) * (1 - margin % 1) / number
    error = np.sqrt(np.where(whole | (variance == 0), np.maximum(variance, floor), variance))
    step = 0.5 / number if whole else 0.0
    if units < FEWEST_UNITS:
        ones = np.ones_like(mean)
        return MarginTest(mean, error, ones, ones, units, step)
    excess = mean - margin
    worse, within = (t.sf(_scaled(sign * excess - step, error), units - 1) for sign in (1, -1))
    return MarginTest(mean, error, worse, within, units, step)


def check_margins(
    candidate: Mapping[str, Score],
    baseline: Mapping[str, Score],
    margins: Mapping[str, float],
    resampling: Resampling = DEFAULT,
) -> list[GateCheck]:
    """Test each metric of `margins`; the scores are by conversation, and those of only one system do not count.

    Level and clusters are those of `resampling`. Raises ConfigError with all problems of the margins: metrics without a
    direction, metrics that were not measured, margins that are no amount.
    """
    alpha = 1 - resampling.confidence
    pairs = {name: _values(METRICS[name], candidate, baseline) for name in margins if name in METRICS}
    _refuse_margins(margins, pairs)
    tests = {name: _test(METRICS[name], margins[name], pairs[name], resampling) for name in margins}
    adjusted = holm({name: float(test.p_worse) for name, test in tests.items()})
    return [
        _check(METRICS[name], margins[name], pairs[name], test, adjusted[name], alpha, len(tests))
        for name, test in tests.items()
    ]


def verdict_of(checks: Sequence[GateCheck]) -> GateVerdict:
    """The verdict on all metrics: a regression if one is proven, none if every metric is proven to have none."""
    found = {check.verdict for check in checks}
    if "regression" in found:
        return "regression"
    return "no_regression" if found == {"no_regression"} else "cannot_tell"


def _values(
    metric: Metric, candidate: Mapping[str, Score], baseline: Mapping[str, Score]
) -> dict[str, tuple[float, float]]:
    both = {
        name: (metric.read(score), metric.read(baseline[name])) for name, score in candidate.items() if name in baseline
    }
    return {name: (x, y) for name, (x, y) in both.items() if x is not None and y is not None}


def _refuse_margins(margins: Mapping[str, float], pairs: Mapping[str, Mapping[str, object]]) -> None:
    directed = [name for name, values in pairs.items() if METRICS[name].better != "neither" and values]
    problems = []
    if not margins:
        problems.append("no metric is named: give --max-regression, for example --max-regression error_rate=0.02")
    for name, margin in margins.items():
        if name not in METRICS or METRICS[name].better == "neither":
            known = ", ".join(key for key, metric in METRICS.items() if metric.better != "neither")
            problems.append(f"--max-regression {name}: not a metric that can get worse. There are: {known}")
        elif name not in directed:
            problems.append(f"--max-regression {name}: it was not measured for both systems")
        if not math.isfinite(margin) or margin < 0:
            problems.append(f"--max-regression {name}: {margin:g} is no margin: give 0 or more")
        elif name in METRICS and METRICS[name].unit in ("share", "score") and margin >= 1:
            problems.append(f"--max-regression {name}: {margin:g} is the whole scale: two points are 0.02")
    if problems:
        raise ConfigError(problems)


def _test(metric: Metric, margin: float, pairs: Mapping[str, tuple[float, float]], tool: Resampling) -> MarginTest:
    sign = 1 if metric.better == "lower" else -1
    worsening = [sign * (x - y) for x, y in pairs.values()]
    return margin_test(worsening, margin, whole=metric.unit in _PLAIN_UNITS, clusters=tool.names(list(pairs)))


def _check(
    metric: Metric,
    margin: float,
    pairs: Mapping[str, tuple[float, float]],
    test: MarginTest,
    p_holm: float,
    alpha: float,
    family: int,
) -> GateCheck:
    from scipy.stats import t

    mean, error, within, units = float(test.mean), float(test.error), float(test.p_within), test.units
    reach = float(t.isf(alpha, units - 1)) * error + test.step if units > 1 else math.inf
    verdict: GateVerdict = "regression" if p_holm < alpha else "no_regression" if within < alpha else "cannot_tell"
    return GateCheck(
        metric=metric.name,
        margin=margin,
        candidate=sum(x for x, _ in pairs.values()) / len(pairs),
        baseline=sum(y for _, y in pairs.values()) / len(pairs),
        worse_by=mean,
        at_least=mean - reach,
        at_most=mean + reach,
        n=len(pairs),
        clusters=units,
        p=float(test.p_worse),
        p_holm=p_holm,
        p_within=within,
        detects=_detects(margin, test, alpha / family),
        needs=_needs(margin, test, len(pairs), alpha),
        verdict=verdict,
    )


def _detects(margin: float, test: MarginTest, alpha: float) -> float | None:
    """The smallest true difference found with power 0.8, at the level that Holm's correction leaves in the worst case.

    A one-sided test at level alpha is the two-sided one at level 2 alpha, on the side that matters.
    """
    if test.units < FEWEST_UNITS:
        return None
    effect = detectable_effect(test.units, confidence=1 - 2 * alpha)
    return margin + test.step + effect * math.sqrt(test.units) * float(test.error)


def _needs(margin: float, test: MarginTest, number: int, alpha: float) -> int | None:
    """The conversations with which the margin excludes a true difference of 0 with power 0.8, at this spread."""
    if not margin:
        return None
    error = float(test.error)
    units = pairs_needed(margin / (error * math.sqrt(test.units)), confidence=1 - 2 * alpha) if error else FEWEST_UNITS
    if units is None:
        return None
    plain = max(units, FEWEST_UNITS) * number / test.units
    # n conversations with the step stand for `plain` without it: (n m - step n) / sqrt(n) = m sqrt(plain).
    step = test.step * number
    return math.ceil(((math.sqrt(plain) + math.sqrt(plain + 4 * step / margin)) / 2) ** 2)


def _scaled(excess: Any, error: Any) -> Any:
    """The excess in standard errors; without any spread the excess itself decides."""
    import numpy as np

    return np.where(error > 0, excess / np.where(error > 0, error, 1.0), np.where(excess > 0, np.inf, -np.inf))


def _cluster_sums(values: Any, clusters: Sequence[str] | None) -> tuple[Any, int]:
    """Return the sums of the last axis by cluster, and the number of clusters; without clusters, the values."""
    if clusters is None:
        return values, values.shape[-1]
    import numpy as np

    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names)))
    return np.add.reduceat(values[..., order], starts, axis=-1), len(names)

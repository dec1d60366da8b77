"""Fit a saturating power law to scores at several sizes, and read from it what more conversations would buy.

The law is `y(n) = a - b * (n / N) ** -c`, where n is the number of training conversations and N that of the whole: with
n it nears `a`, what any number of conversations could reach. It is the form that learning curves have most often
(Hestness et al. 2017, arXiv 1712.00409; Viering and Loog 2021, "The Shape of Learning Curves: a Review", arXiv
2103.10948, where it is POW3). Pure functions of numbers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from arf_programs.metrics import Better, Interval, Resampling
from signatures.records import Record

Verdict = Literal["pays", "no gain", "worse", "cannot say"]
Scores = NDArray[np.float64]
"""Scores of shape (seeds, sizes, conversations); NaN where nothing was measured."""

MORE: Final = 2.0
"""How many times the conversations the curve is extended to."""

FEWEST_SIZES: Final = 3  # as many as the law has parameters
_EXPONENTS: Final = (0.05, 2.0)  # outside of them the law is a logarithm, or flat after the first step
_START: Final = 0.5
_MOST_FITS: Final = 300


class Law(Record):
    """The parameters of the law. `exponent_bounded` says that c stands at an end of its range, so is not known."""

    a: float
    b: float
    c: float
    exponent_bounded: bool = False


class MetricCurve(Record):
    """The curve of one metric.

    Attributes:
        scores: the mean at each size, with its interval over conversations and seeds.
        law: the fit to the means; None if none was found.
        gain: what `MORE` times the conversations would improve, in the unit of the metric; above 0 is better.
        last_step: what was measured: the improvement from the last size but one to the last, paired.
        failed: share of the resamples for which no fit was found.
    """

    metric: str
    better: Better
    scores: tuple[Interval, ...]
    law: Law | None
    gain: Interval | None
    last_step: Interval
    failed: float
    verdict: Verdict


def fit_metric(
    metric: str, better: Better, sizes: Sequence[int], scores: Scores, names: Sequence[str], resampling: Resampling
) -> MetricCurve:
    """Fit the curve of a metric. `names` are the conversations of the last axis of `scores`.

    The bootstrap draws conversations (or their clusters) and seeds, both with replacement, the same ones for every
    size, and fits the law anew: a percentile interval (Efron and Tibshirani 1993, chapter 13). At most `_MOST_FITS`
    resamples are fitted.
    """
    sign = -1.0 if better == "lower" else 1.0
    drawn = _resampled_means(scores, names, resampling)
    means = _means(scores, np.ones((1, scores.shape[0])), np.ones((1, scores.shape[2])))[0]
    law = fit_law(sizes, sign * means)
    gains = [gain_of(found) for row in drawn if (found := fit_law(sizes, sign * row)) is not None]
    gain = None if law is None or not gains else resampling.percentile(gain_of(law), gains, len(names))
    intervals = tuple(
        resampling.percentile(float(mean), column, len(names)) for mean, column in zip(means, drawn.T, strict=True)
    )
    last = sign * (drawn[:, -1] - drawn[:, -2])
    last_step = resampling.percentile(float(sign * (means[-1] - means[-2])), last, len(names))
    return MetricCurve(
        metric=metric,
        better=better,
        scores=intervals,
        law=law if law is None or sign > 0 else law.model_copy(update={"a": -law.a, "b": -law.b}),
        gain=gain,
        last_step=last_step,
        failed=1 - len(gains) / len(drawn),
        verdict=verdict_of(gain, intervals, last_step),
    )


def gain_over(better: Better, scores: Scores, others: Scores, names: Sequence[str], resampling: Resampling) -> Interval:
    """Return how much better `scores` are than `others` at the last size, paired by seed and conversation.

    Above 0 is better, also for a metric of which less is better. The bootstrap is that of `fit_metric`.
    """
    sign = -1.0 if better == "lower" else 1.0
    apart = sign * (scores[:, -1:] - others[:, -1:])
    mean = _means(apart, np.ones((1, apart.shape[0])), np.ones((1, apart.shape[2])))[0, 0]
    return resampling.percentile(float(mean), _resampled_means(apart, names, resampling)[:, 0], len(names))


def verdict_of(gain: Interval | None, scores: Sequence[Interval], last_step: Interval) -> Verdict:
    """Say whether more conversations pay, by the interval of the gain, the scores at the sizes, and the last step.

    The law can only rise or only fall. So after a low start its gain is above 0 in nearly every resample, although the
    scores rise no longer. It is believed only if the last step went the same way.
    An interval that holds 0 shows no gain. But no more sizes than the law has parameters fit it exactly whatever they
    are, so there it cannot be said. Nor can it where the interval is wider than that of the last score itself.
    """
    if gain is None:
        return "cannot say"
    if not gain.low <= 0 <= gain.high:
        if gain.low * last_step.value <= 0:
            return "cannot say"
        return "pays" if gain.low > 0 else "worse"
    wide = gain.high - gain.low > scores[-1].high - scores[-1].low
    return "cannot say" if wide or len(scores) <= FEWEST_SIZES else "no gain"


def fit_law(sizes: Sequence[int], values: Sequence[float] | Scores) -> Law | None:
    """Fit the law to values at these sizes, higher being better, by least squares; None if there is no fit.

    Values that are all equal have the law that stays there.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    y = np.asarray(values, dtype=float)
    if not np.isfinite(y).all():
        return None
    if np.ptp(y) == 0:
        return Law(a=float(y[-1]), b=0.0, c=_EXPONENTS[0], exponent_bounded=True)
    x = np.asarray(sizes, dtype=float) / sizes[-1]

    def projected(x: Scores, c: float) -> Scores:
        return np.asarray(_columns(x, c) @ _best_ab(x, y, c))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)  # an exact fit leaves no covariance
            (c,), _ = curve_fit(projected, x, y, p0=_START, bounds=_EXPONENTS)
    except RuntimeError:
        return None
    a, b = _best_ab(x, y, c)
    return Law(a=float(a), b=float(b), c=float(c), exponent_bounded=bool(np.isclose(c, _EXPONENTS, rtol=1e-2).any()))


def _columns(x: Scores, c: float) -> Scores:
    return np.stack([np.ones_like(x), -(x**-c)], axis=1)


def _best_ab(x: Scores, y: Scores, c: float) -> Scores:
    """Return the a and b that fit best at an exponent (variable projection: Golub and Pereyra 1973)."""
    return np.asarray(np.linalg.lstsq(_columns(x, c), y, rcond=None)[0])


def gain_of(law: Law) -> float:
    """Return what `MORE` times the conversations add to the value at all of them."""
    return law.b * (1 - math.pow(MORE, -law.c))


def _resampled_means(scores: Scores, names: Sequence[str], resampling: Resampling) -> Scores:
    """Return the means of shape (resamples, sizes)."""
    rng = np.random.default_rng(resampling.seed)
    number = min(resampling.samples, _MOST_FITS)
    clusters, places = np.unique(np.array(resampling.names(names) or names), return_inverse=True)
    drawn = rng.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), size=number)
    seeds = rng.multinomial(scores.shape[0], np.full(scores.shape[0], 1 / scores.shape[0]), size=number)
    return _means(scores, seeds.astype(float), drawn[:, places].astype(float))


def _means(scores: Scores, seeds: Scores, conversations: Scores) -> Scores:
    """Average with weights of seeds, of shape (resamples, seeds), and of conversations; NaN counts for nothing."""
    measured = np.isfinite(scores)
    path = "rs,sfc,rc->rf"
    top: Any = np.einsum(path, seeds, np.where(measured, scores, 0.0), conversations, optimize=True)
    bottom: Any = np.einsum(path, seeds, measured.astype(float), conversations, optimize=True)
    return np.asarray(np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0))


def as_scores(values: Sequence[Sequence[Mapping[str, float | None]]], names: Sequence[str]) -> Scores:
    """Arrange values by seed, size and conversation as `Scores`."""
    return np.array([[[_number(size.get(name)) for name in names] for size in seed] for seed in values])


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)

"""Bootstrap intervals over conversations.

Sources: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13 (percentile intervals); Koehn (2004),
"Statistical Significance Tests for Machine Translation Evaluation" (two systems compared on the same resampled items).
"""

from __future__ import annotations

from collections.abc import Sequence

from signatures.records import Record

_CELLS = 2_000_000  # resampled values held at once: 16 MB however many conversations there are


class Interval(Record):
    """A mean over `n` conversations, with the bounds of its confidence interval, in the unit of the values."""

    value: float
    low: float
    high: float
    n: int = 0


def mean_interval(
    values: Sequence[float | None], *, samples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """The mean of `values`, one a conversation, with its percentile bootstrap interval.

    `None` values were not measured and are left out; if nothing is left the answer is None. Where resampling cannot
    vary (one value, or all equal) low, high and value are the same: read `n` before trusting such an interval.
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    if min(known) == max(known):
        return Interval(value=known[0], low=known[0], high=known[0], n=len(known))
    # Imported here because scipy.stats takes most of a second, which `arf --help` should not.
    import numpy as np
    from scipy.stats import bootstrap

    result = bootstrap(
        (np.array(known),),
        np.mean,
        n_resamples=samples,
        batch=max(1, _CELLS // len(known)),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return Interval(value=float(np.mean(known)), low=float(low), high=float(high), n=len(known))


def paired_difference(
    a: Sequence[float | None],
    b: Sequence[float | None],
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The mean of `a - b` over the same conversations, in the same order, with its bootstrap interval.

    Resampling the differences keeps each conversation's pair together, so that hard conversations are hard for both.
    A pair with a missing value is left out; None if no pair is left. Raises ValueError if the lengths differ.
    """
    differences = [None if left is None or right is None else left - right for left, right in zip(a, b, strict=True)]
    return mean_interval(differences, samples=samples, confidence=confidence, seed=seed)

"""Bootstrap intervals over conversations.

Sources: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13 (percentile intervals); Koehn (2004),
"Statistical Significance Tests for Machine Translation Evaluation" (two systems compared on the same resampled items).


How intervals and tests are computed, said once for all figures of a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from signatures.records import Record

_CELLS = 2_000_000  # resampled values held at once: 16 MB however many conversations there are


class Interval(Record):
    """A mean over `n` conversations, with the bounds of its confidence interval, in the unit of the values."""

    value: float
    low: float
    high: float
    n: int = 0


def mean_interval(
    values: Sequence[float | None],
    clusters: Sequence[str] | None = None,
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The mean of `values`, one a conversation, with its percentile bootstrap interval.

    What is drawn are conversations or, with `clusters` (one name a value), whole clusters of them.

    `None` values were not measured and are left out; if nothing is left the answer is None. Where resampling cannot
    vary (one value, or all equal) low, high and value are the same: read `n` before trusting such an interval.
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    if clusters is not None:
        names = [name for name, value in zip(clusters, values, strict=True) if value is not None]
        ones = [1.0] * len(known)
        drawn = cluster_ratio(known, ones, names, samples=samples, confidence=confidence, seed=seed)
        return drawn and drawn.model_copy(update={"n": len(known)})
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
    clusters: Sequence[str] | None = None,
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The mean of `a - b` over the same conversations, in the same order, with its interval as in `mean_interval`.

    Resampling the differences keeps each conversation's pair together, so that hard conversations are hard for both.
    A pair with a missing value is left out; None if no pair is left. Raises ValueError if the lengths differ.
    """
    differences = [None if left is None or right is None else left - right for left, right in zip(a, b, strict=True)]
    return mean_interval(differences, clusters, samples=samples, confidence=confidence, seed=seed)


def cluster_ratio(
    tops: Sequence[float],
    bottoms: Sequence[float],
    clusters: Sequence[str],
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """`sum(tops) / sum(bottoms)` with its percentile bootstrap interval; what is drawn are whole clusters.

    One value a row, and the row's cluster, such as its conversation: rows of one conversation are alike, so drawing
    rows would make the interval too narrow (Field and Welsh 2007, "Bootstrapping clustered data"). Clusters
    with nothing to divide by say nothing and are left out; `n` is the number of the others. None where there is none.
    Raises ValueError if the lengths differ.
    """
    sums: dict[str, tuple[float, float]] = {}
    for top, bottom, cluster in zip(tops, bottoms, clusters, strict=True):
        known = sums.get(cluster, (0.0, 0.0))
        sums[cluster] = (known[0] + top, known[1] + bottom)
    counted = [pair for pair in sums.values() if pair[1]]
    if not counted:
        return None
    value = sum(top for top, _ in counted) / sum(bottom for _, bottom in counted)
    if len(counted) == 1:
        return Interval(value=value, low=value, high=value, n=1)
    import numpy as np

    pairs, random = np.array(counted), np.random.default_rng(seed)
    ratios = np.concatenate([
        _ratios(pairs, random.integers(len(pairs), size=(size, len(pairs)))) for size in _batches(samples, len(pairs))
    ])  # fmt: skip
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=value, low=float(low), high=float(high), n=len(counted))


def _ratios(pairs: Any, drawn: Any) -> Any:
    return pairs[drawn, 0].sum(axis=1) / pairs[drawn, 1].sum(axis=1)


def _batches(samples: int, width: int) -> list[int]:
    """Sizes that add up to `samples`, each of which draws at most `_CELLS` values at once."""
    size = max(1, _CELLS // width)
    return [min(size, samples - start) for start in range(0, samples, size)]


@dataclass(frozen=True)
class Resampling:
    """How intervals and tests are computed. `clusters` names the cluster of each conversation; one that it does not
    name, and all where it is empty, is a cluster of its own."""

    samples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    clusters: Mapping[str, str] = field(default_factory=dict)

    def names(self, conversations: Sequence[str]) -> list[str] | None:
        """The cluster of each conversation; None where none is shared, so that conversations are drawn."""
        if not self.clusters:
            return None
        return [self.clusters.get(name, f"\0{name}") for name in conversations]

    def mean(self, values: Mapping[str, float]) -> Interval | None:
        """The mean of a value a conversation, with its interval; None where there are none."""
        names = self.names(list(values))
        return mean_interval(
            list(values.values()), names, samples=self.samples, confidence=self.confidence, seed=self.seed
        )

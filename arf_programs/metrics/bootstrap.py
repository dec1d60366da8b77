"""Bootstrap intervals over conversations, or over clusters of conversations.

Sources: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13 (percentile intervals); Koehn (2004),
"Statistical Significance Tests for Machine Translation Evaluation" (two systems compared on the same resampled items);
Field and Welsh (2007), "Bootstrapping clustered data".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from arf_programs.config import Config
from arf_programs.corpus import cluster_duplicates, read_clusters
from signatures.records import Conversation, Record

_CELLS = 2_000_000  # resampled values held at once: 16 MB however many conversations there are


class Interval(Record):
    """A mean over `n` conversations, with the bounds of its confidence interval, in the unit of the values."""

    value: float
    low: float
    high: float
    n: int = 0

    def text(self, form: str = ".2f", between: str = " to ") -> str:
        """Write the interval as `0.52 (0.40 to 0.63)`, each number in the given form."""
        return f"{self.value:{form}} ({self.low:{form}}{between}{self.high:{form}})"


@dataclass(frozen=True)
class Resampling:
    """The settings of all intervals and tests of a report.

    `clusters` names the cluster of each conversation. A conversation without a name there is a cluster of its own.
    """

    samples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    clusters: Mapping[str, str] = field(default_factory=dict)

    def names(self, conversations: Sequence[str]) -> list[str] | None:
        """The cluster of each conversation; None if there are no clusters, so that conversations are drawn."""
        if not self.clusters:
            return None
        return [self.clusters.get(name, f"\0{name}") for name in conversations]

    def mean(self, values: Mapping[str, float]) -> Interval | None:
        """The mean of one value per conversation, with its interval; None without values."""
        return mean_interval(list(values.values()), self.names(list(values)), self)

    def ratio(self, tops: Sequence[float], bottoms: Sequence[float], clusters: Sequence[str]) -> Interval | None:
        """`cluster_ratio` with these settings and the given clusters, one name per row."""
        return cluster_ratio(tops, bottoms, clusters, self)

    def share(self, hits: Sequence[bool], clusters: Sequence[str]) -> Interval | None:
        """The share of rows that are hits, with an interval that draws whole clusters; one cluster name per row."""
        return self.ratio([float(hit) for hit in hits], [1.0] * len(hits), clusters)

    def percentile(self, value: float, drawn: Any, n: int) -> Interval:
        """The value with the percentile interval of its draws. Draws without a value (NaN) do not count."""
        import numpy as np

        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(drawn, (tail, 1 - tail))
        return Interval(value=value, low=float(low), high=float(high), n=n)


DEFAULT: Final = Resampling()


def configured_resampling(config: Config, conversations: Mapping[str, Conversation] | None = None) -> Resampling:
    """The settings of `evaluate` and the seed.

    If `conversations` are given, the clusters are those of `evaluate.cluster`, and without that key near-duplicates:
    copies of one conversation say no more than one of them.
    """
    settings = config.evaluate
    clusters: Mapping[str, str] = {}
    if conversations is not None and settings.cluster:
        clusters = read_clusters(conversations, settings.cluster)
    elif conversations is not None:
        clusters = cluster_duplicates(conversations, threshold=config.corpus.near_duplicate)
    return Resampling(settings.samples, settings.confidence, config.seed, clusters)


def mean_interval(
    values: Sequence[float | None], clusters: Sequence[str] | None = None, resampling: Resampling = DEFAULT
) -> Interval | None:
    """Compute the mean of `values`, one per conversation, with its percentile bootstrap interval.

    The bootstrap draws conversations or, with `clusters` (one name per value), whole clusters of them.

    A `None` value was not measured and does not count. If there is no other value, the result is None. With one value,
    or only equal values, resampling cannot vary, so low, high and value are the same. Such an interval says little.
    """
    measured = [float(value) for value in values if value is not None]
    if not measured:
        return None
    if min(measured) == max(measured):
        return Interval(value=measured[0], low=measured[0], high=measured[0], n=len(measured))
    if clusters is not None:
        names = [name for name, value in zip(clusters, values, strict=True) if value is not None]
        ones = [1.0] * len(measured)
        interval = cluster_ratio(measured, ones, names, resampling)
        return interval and interval.model_copy(update={"n": len(measured)})
    import numpy as np

    low, high = _bounds((measured,), np.mean, resampling)
    return Interval(value=float(np.mean(measured)), low=low, high=high, n=len(measured))


def paired_difference(
    a: Sequence[float | None], b: Sequence[float | None], resampling: Resampling = DEFAULT
) -> Interval | None:
    """Compute the mean of `a - b` over the same conversations, in the same order, as `mean_interval` does.

    Resampling the differences keeps each conversation's pair together, so that hard conversations are hard for both.
    A pair with a missing value does not count. If there is no other pair, the result is None. Raises ValueError if the
    lengths differ.
    """
    differences = [None if left is None or right is None else left - right for left, right in zip(a, b, strict=True)]
    return mean_interval(differences, None, resampling)


def cluster_ratio(
    tops: Sequence[float], bottoms: Sequence[float], clusters: Sequence[str], resampling: Resampling = DEFAULT
) -> Interval | None:
    """Compute `sum(tops) / sum(bottoms)` with its percentile bootstrap interval, which draws whole clusters.

    Each row has one value in each list, and a cluster such as its conversation. Rows of one conversation are alike, so
    drawing rows would make the interval too narrow. A cluster whose bottoms add up to 0 does not count; `n` is the
    number of the others. None if there is no other. Raises ValueError if the lengths differ.
    """
    sums: dict[str, tuple[float, float]] = {}
    for top, bottom, cluster in zip(tops, bottoms, clusters, strict=True):
        earlier = sums.get(cluster, (0.0, 0.0))
        sums[cluster] = (earlier[0] + top, earlier[1] + bottom)
    counted = [pair for pair in sums.values() if pair[1]]
    if not counted:
        return None
    value = sum(top for top, _ in counted) / sum(bottom for _, bottom in counted)
    if len(counted) == 1:
        return Interval(value=value, low=value, high=value, n=1)
    low, high = _bounds(tuple(zip(*counted, strict=True)), _ratio, resampling)
    return Interval(value=value, low=low, high=high, n=len(counted))


def _ratio(tops: Any, bottoms: Any, axis: int = -1) -> Any:
    return tops.sum(axis=axis) / bottoms.sum(axis=axis)


def _bounds(
    columns: tuple[Sequence[float], ...], statistic: Callable[..., Any], resampling: Resampling
) -> tuple[float, float]:
    """The bounds of the percentile interval; a draw takes the same rows of each column."""
    # Imported here because scipy.stats takes most of a second, which `arf --help` should not.
    import numpy as np
    from scipy.stats import bootstrap

    interval = bootstrap(
        tuple(np.array(column) for column in columns),
        statistic,
        paired=len(columns) > 1,
        vectorized=True,
        n_resamples=resampling.samples,
        batch=max(1, _CELLS // len(columns[0])),
        confidence_level=resampling.confidence,
        method="percentile",
        rng=np.random.default_rng(resampling.seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)

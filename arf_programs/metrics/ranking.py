"""The area under the ROC curve, with an interval that draws whole clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arf_programs.metrics.bootstrap import Interval

_LEAST_CLUSTERS = 2


def area_under_curve(
    scores: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[str],
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Compute the share of (True, False) pairs in which the True one has the higher score; a tie counts a half.

    The percentile bootstrap draws clusters (Field and Welsh 2007), each with all its rows, so the interval is right for
    rows of one conversation that are alike. Draws without both labels do not count. `n` is the number of rows. Returns
    None unless both labels are there. With rows of one cluster only, the interval is 0 to 1.
    """
    if len(set(labels)) < 2:
        return None
    import numpy as np

    names = sorted(set(clusters))
    wins, pairs = _count_wins(scores, labels, [names.index(cluster) for cluster in clusters], len(names))
    value = float(wins.sum() / pairs.sum())
    if len(names) < _LEAST_CLUSTERS:
        return Interval(value=value, low=0.0, high=1.0, n=len(scores))
    drawn = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), size=samples)
    tops = np.einsum("sa,ab,sb->s", drawn, wins, drawn, optimize=True)
    bottoms = np.einsum("sa,ab,sb->s", drawn, pairs, drawn, optimize=True)
    areas = tops[bottoms > 0] / bottoms[bottoms > 0]
    edge = (1 - confidence) / 2
    low, high = np.quantile(areas, [edge, 1 - edge])
    return Interval(value=value, low=float(low), high=float(high), n=len(scores))


def _count_wins(
    scores: Sequence[float], labels: Sequence[bool], clusters: Sequence[int], number: int
) -> tuple[Any, Any]:
    """Return (wins, pairs), each (clusters, clusters): of the True rows of one against the False rows of another."""
    import numpy as np

    score, label, cluster = np.asarray(scores, float), np.asarray(labels, bool), np.asarray(clusters)
    member = np.eye(number)[cluster]
    high, low = score[label][:, None], score[~label][None]
    won = (high > low) + 0.5 * (high == low)
    pairs = np.outer(member[label].sum(axis=0), member[~label].sum(axis=0))
    return member[label].T @ won @ member[~label], pairs

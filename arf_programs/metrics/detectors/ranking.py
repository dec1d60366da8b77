"""Rankings: the area under the ROC curve, and the share of flawed drafts among those that a ranking puts first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from signatures.records import Record

_LEAST_CLUSTERS = 2


def area_under_curve(
    scores: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[str],
    resampling: Resampling = DEFAULT,
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
    drawn = np.random.default_rng(resampling.seed).multinomial(
        len(names), [1 / len(names)] * len(names), size=resampling.samples
    )
    tops = np.einsum("sa,ab,sb->s", drawn, wins, drawn, optimize=True)
    bottoms = np.einsum("sa,ab,sb->s", drawn, pairs, drawn, optimize=True)
    areas = tops[bottoms > 0] / bottoms[bottoms > 0]
    edge = (1 - resampling.confidence) / 2
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


SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The shares of drafts of which the curve says how many flawed drafts they hold."""


class CatchPoint(Record):
    """If the share `analysed` of the drafts is analysed, the share `caught` of the flawed ones is among them."""

    analysed: float
    caught: Interval


class CatchCurve(Record):
    """How well a ranking puts flawed drafts first. `needed` is the share to analyse for the wished recall."""

    name: str
    needed: Interval
    points: tuple[CatchPoint, ...]


def catch_curve(
    name: str, scores: Sequence[float], flawed: Sequence[bool], *, recall: float, resampling: Resampling = DEFAULT
) -> CatchCurve:
    """Compute the curve of a ranking by `scores`, the highest first, with percentile bootstrap intervals over drafts.

    Drafts with equal scores count as being in random order. Raises ValueError if no draft is flawed.
    """
    import numpy as np

    if not any(flawed):
        raise ValueError("none of the drafts is flawed")
    _, groups = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
    truth = np.asarray(flawed, dtype=float)
    rng = np.random.default_rng(resampling.seed)
    weights = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=resampling.samples).astype(float)
    drawn = [_sums(groups, truth, row) for row in weights if row @ truth > 0]
    whole = _sums(groups, truth, np.ones(len(truth)))

    def interval(value: float, values: list[float]) -> Interval:
        tail = (1 - resampling.confidence) / 2
        low, high = np.quantile(values, [tail, 1 - tail])
        return Interval(value=value, low=float(low), high=float(high), n=len(truth))

    points = tuple(
        CatchPoint(analysed=share, caught=interval(_caught(whole, share), [_caught(item, share) for item in drawn]))
        for share in SHARES
    )
    needed = interval(_needed(whole, recall), [_needed(item, recall) for item in drawn])
    return CatchCurve(name=name, needed=needed, points=points)


def _sums(groups: Any, truth: Any, weights: Any) -> tuple[Any, Any]:
    """Return how many drafts and how many flawed ones there are up to the end of each group, beginning with 0."""
    import numpy as np

    drafts = np.bincount(groups, weights)
    flawed = np.bincount(groups, weights * truth)
    return np.concatenate([[0.0], np.cumsum(drafts)]), np.concatenate([[0.0], np.cumsum(flawed)])


def _caught(sums: tuple[Any, Any], share: float) -> float:
    import numpy as np

    drafts, flawed = sums
    return float(np.interp(share * drafts[-1], drafts, flawed) / flawed[-1])


def _needed(sums: tuple[Any, Any], recall: float) -> float:
    """Return the smallest share of the drafts with which `recall` of the flawed ones is reached."""
    import numpy as np

    drafts, flawed = sums
    wanted = recall * flawed[-1]
    last = max(1, int(np.searchsorted(flawed, wanted - 1e-9)))
    step = flawed[last] - flawed[last - 1]
    part = (wanted - flawed[last - 1]) / step if step else 1.0
    return float((drafts[last - 1] + part * (drafts[last] - drafts[last - 1])) / drafts[-1])

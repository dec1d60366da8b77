"""Which drafts are worth an analysis: the share of flawed drafts among those that a ranking puts first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from arf_programs.metrics.bootstrap import Interval, Resampling
from signatures.records import Record

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
    name: str, scores: Sequence[float], flawed: Sequence[bool], *, recall: float, resampling: Resampling | None = None
) -> CatchCurve:
    """Compute the curve of a ranking by `scores`, the highest first, with percentile bootstrap intervals over drafts.

    Drafts with equal scores count as being in random order. Raises ValueError if no draft is flawed.
    """
    import numpy as np

    if not any(flawed):
        raise ValueError("none of the drafts is flawed")
    tool = resampling or Resampling()
    _, groups = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
    truth = np.asarray(flawed, dtype=float)
    rng = np.random.default_rng(tool.seed)
    weights = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=tool.samples).astype(float)
    drawn = [_sums(groups, truth, row) for row in weights if row @ truth > 0]
    whole = _sums(groups, truth, np.ones(len(truth)))

    def interval(value: float, values: list[float]) -> Interval:
        tail = (1 - tool.confidence) / 2
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

"""Which rows each epoch shows: pure functions. An epoch always shows as many rows as there are.

USEFUL (Nguyen et al. 2024, arXiv 2404.17768; "Data Distribution as a Lever", arXiv 2602.00576) clusters rows after a
first short training and doubles those that are learnt late. Here the first epoch is that training, and it goes on from
there. Learn-Focus-Review (Prakriya et al. 2024, arXiv 2409.06131) learns from all rows, focuses on the hardest, and
reviews all. Here each of these phases is an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from arf_programs.config import ScheduleConfig

Cluster = Literal["early", "late"]
Losses = Mapping[int, Sequence[float]]
"""{epoch, from 0: the loss of each row after it}."""


def rows_of_epoch(schedule: ScheduleConfig, losses: Losses, epoch: int, rows: int, seed: int) -> list[int]:
    """Return the indices of the rows of an epoch (from 0), in their order; `losses` has all earlier epochs.

    `upsample` goes on through shuffles of all rows with the chosen ones twice, from the second epoch on. `lfr` shows
    the hardest share `focus` again and again in every second epoch. The result depends on its arguments alone.
    """
    if schedule.kind == "upsample" and epoch > 0:
        late = _doubled(schedule, losses[0], seed)
        return _passes([*range(rows), *late], (epoch - 1) * rows, rows, f"{seed} upsample")
    if schedule.kind == "lfr" and epoch % 2:
        latest = losses[epoch - 1]
        hardest = sorted(range(rows), key=lambda row: -latest[row])[: max(1, round(schedule.focus * rows))]
        return _passes(hardest, 0, rows, f"{seed} focus {epoch}")
    return _passes(range(rows), 0, rows, f"{seed} {epoch}")


def _doubled(schedule: ScheduleConfig, first: Sequence[float], seed: int) -> list[int]:
    late = [row for row, cluster in enumerate(cluster_rows([[loss] for loss in first], seed)) if cluster == "late"]
    if schedule.rows == "late":
        return late
    return Random(f"{seed} random").sample(range(len(first)), len(late))  # noqa: S311 - repeatable, not secret


def _passes(pool: Sequence[int], start: int, count: int, seed: str) -> list[int]:
    """Return the rows `start` to `start + count` of endless shuffles of the pool."""
    shown: list[int] = []
    number = 0
    while len(shown) < start + count:
        shown += Random(f"{seed} {number}").sample(pool, len(pool))  # noqa: S311 - repeatable, not secret
        number += 1
    return shown[start : start + count]


def cluster_rows(losses: Sequence[Sequence[float]], seed: int) -> list[Cluster]:
    """Cluster rows by their losses after the epochs (2-means, scikit-learn); those of the higher mean are `late`.

    All rows are `early` where their losses are the same.
    """
    if len({tuple(row) for row in losses}) < 2:
        return ["early"] * len(losses)
    import numpy as np
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=2, n_init=10, random_state=seed).fit(np.array(losses))
    late = int(fitted.cluster_centers_.mean(axis=1).argmax())
    return ["late" if label == late else "early" for label in fitted.labels_]

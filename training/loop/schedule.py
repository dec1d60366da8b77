"""Measure the loss of each training row after each epoch, and choose the rows that the next epoch shows.

An epoch always shows as many rows as there are. The losses are kept beside the checkpoints, so a training that was
interrupted goes on with the same rows. Importing this module costs seconds.

USEFUL (Nguyen et al. 2024, arXiv 2404.17768; "Data Distribution as a Lever", arXiv 2602.00576) clusters rows after a
first short training and doubles those that are learnt late. Here the first epoch is that training, and it goes on from
there. Learn-Focus-Review (Prakriya et al. 2024, arXiv 2409.06131) learns from all rows, focuses on the hardest, and
reviews all. Here each of these phases is an epoch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Literal

import torch
from pydantic import BaseModel
from torch import nn
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from arf_programs.config import ScheduleConfig
from arf_programs.runs import write_jsonl_atomic, write_text_atomic
from training.loop.loss_weights import COLUMN
from training.loop.records import Checkpoints
from training.loop.trainer import StudentTrainer, predict_completions
from training.settings import TrainSettings

Cluster = Literal["early", "late"]
Losses = Mapping[int, Sequence[float]]
"""{epoch, from 0: the loss of each row after it}."""
_FILE = "difficulty.json"
_DIGITS = 5


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


class RowDifficulty(BaseModel):
    """How hard a row was to learn. `row` is its line in the training file, from 1.

    `losses` has the mean negative log-likelihood of its completion tokens after each epoch, in nats. A `late` row is in
    the cluster with the higher losses: it is learnt late or never, so it may be wrong.
    """

    conversation_id: str
    row: int
    losses: tuple[float, ...]
    cluster: Cluster


class Difficulty(TrainerCallback):
    """Keeps the losses of a trainer's rows by the number of the epoch, from 0."""

    def __init__(self, trainer: StudentTrainer, settings: TrainSettings, checkpoints: Checkpoints) -> None:
        self._trainer = trainer
        self._settings = settings
        self._path = checkpoints.folder / _FILE
        self._fingerprint = checkpoints.fingerprint
        self.losses = self._read()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Measure the rows after the epoch that has ended, unless an earlier process did."""
        self._measure(math.floor(state.epoch or 0))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Measure the rows after the last epoch, or after its part."""
        self._measure(math.ceil(state.epoch or 0))

    def rows_of_epoch(self, epoch: int) -> list[int]:
        """Return the rows to show in an epoch, from 0."""
        rows = len(self._trainer.train_dataset)
        return rows_of_epoch(self._settings.schedule, self.losses, epoch, rows, self._settings.seed)

    def write(self, path: Path, names: Sequence[str], lines: Sequence[int]) -> None:
        """Write the file of the rows, the hardest first; `names` are their conversations, `lines` their places."""
        by_row = list(zip(*(self.losses[epoch] for epoch in sorted(self.losses)), strict=True))
        clusters = cluster_rows(by_row, self._settings.seed)
        rows = [
            RowDifficulty(conversation_id=name, row=line + 1, losses=losses, cluster=cluster)
            for name, line, losses, cluster in zip(names, lines, by_row, clusters, strict=True)
        ]
        rows.sort(key=lambda row: (row.cluster == "early", -row.losses[-1]))
        write_jsonl_atomic(path, rows)

    def _measure(self, epochs: int) -> None:
        if epochs and epochs - 1 not in self.losses:
            self.losses[epochs - 1] = row_losses(self._trainer)
            text = json.dumps({"fingerprint": self._fingerprint, "losses": self.losses})
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomic(self._path, text)

    def _read(self) -> dict[int, list[float]]:
        """The losses that an earlier process of this training measured."""
        try:
            kept = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if kept["fingerprint"] != self._fingerprint:
            return {}
        return {int(epoch): losses for epoch, losses in kept["losses"].items()}


class ScheduledRows(Sampler[int]):
    """The rows of an epoch, as the schedule has them."""

    def __init__(self, difficulty: Difficulty, rows: int) -> None:
        self._difficulty = difficulty
        self._rows = rows
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; accelerate calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(self._difficulty.rows_of_epoch(self._epoch))


def follow(trainer: StudentTrainer, settings: TrainSettings, checkpoints: Checkpoints) -> Difficulty:
    """Measure the rows of a trainer after each epoch, and let it show them as the schedule says."""
    difficulty = Difficulty(trainer, settings, checkpoints)
    trainer.add_callback(difficulty)
    if settings.schedule.kind != "uniform":
        trainer.sampler = ScheduledRows(difficulty, len(trainer.train_dataset))
    return difficulty


@torch.no_grad()
def row_losses(trainer: StudentTrainer) -> list[float]:
    """Measure each row without dropout: the mean negative log-likelihood of its completion tokens, in nats."""
    model, size = trainer.model, trainer.args.per_device_train_batch_size
    training = model.training
    model.eval()
    losses: list[float] = []
    for start in range(0, len(trainer.train_dataset), size):
        rows = [trainer.train_dataset[row] for row in range(start, min(start + size, len(trainer.train_dataset)))]
        batch = {name: value.to(trainer.args.device) for name, value in trainer.data_collator(rows).items()}
        with trainer.compute_loss_context_manager():
            outputs, targets, _ = predict_completions(model, batch, without=COLUMN)
        nll = nn.functional.cross_entropy(outputs.logits.flatten(0, 1).float(), targets, reduction="none")
        counts = (targets != -100).view(len(rows), -1).sum(dim=1)
        losses += (nll.view(len(rows), -1).sum(dim=1) / counts).tolist()
    model.train(training)
    return [round(loss, _DIGITS) for loss in losses]

"""Measure the loss of each training row after each epoch, and show rows as a schedule says.

Importing this module costs seconds. The losses are kept beside the checkpoints, so a training that was interrupted goes
on with the same rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel
from torch import nn
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from arf_programs.runs import write_jsonl_atomic, write_text_atomic
from training.loop.checkpoints import Checkpoints
from training.loop.loss_weights import COLUMN
from training.loop.schedule import Cluster, cluster_rows, rows_of_epoch
from training.loop.trainer import StudentTrainer, predict_completions
from training.settings import TrainSettings

_FILE = "difficulty.json"
_DIGITS = 5


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

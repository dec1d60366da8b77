"""Counts of a training run that outlive an interruption: they are kept in the mark of each checkpoint.

Checkpoints that can be trusted after a crash, and nothing of them left when the work is done.

A checkpoint takes many files, and a process may die between any two of them. The mark is written last and atomically:
without it, or with the fingerprint of other settings or data, a checkpoint counts as not there.


What `training_log.json` says of a student, for the report and for whoever finds the folder later.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from arf_programs.runs import write_text_atomic
from training.loop.lengths import RowLength


class Tally(BaseModel):
    """Tokens that went through the model, those that were padding, and seconds of work."""

    tokens: int = 0
    padding: int = 0
    seconds: float = 0.0

    def add(self, earlier: Tally) -> None:
        """Add the counts of an earlier part of the same run."""
        self.tokens += earlier.tokens
        self.padding += earlier.padding
        self.seconds += earlier.seconds

    @property
    def padding_share(self) -> float:
        """Padding as a share of all positions computed, 0 to 1."""
        return self.padding / max(1, self.tokens + self.padding)


_MARK = "whole.json"


class Mark(BaseModel):
    """Says that the checkpoint beside it is whole, what it belongs to, and how far the counts had come."""

    fingerprint: str
    step: int
    tally: Tally


class Checkpoints:
    """The checkpoints of one training run, in a folder of their own."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def mark_whole(self, step: int, tally: Tally) -> None:
        """Declare the checkpoint of `step` whole."""
        mark = Mark(fingerprint=self.fingerprint, step=step, tally=tally)
        write_text_atomic(self.path(step) / _MARK, mark.model_dump_json())

    def last_whole(self) -> Mark | None:
        """The mark of the newest whole checkpoint of this run; all others are removed."""
        marks = [mark for path in self.folder.glob("checkpoint-*") if (mark := self._mark(path))]
        best = max(marks, key=lambda mark: mark.step, default=None)
        for path in self.folder.glob("checkpoint-*"):
            if best is None or path != self.path(best.step):
                shutil.rmtree(path)
        return best

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, step: int) -> Path:
        """Where transformers puts the checkpoint of a step."""
        return self.folder / f"checkpoint-{step}"

    def _mark(self, path: Path) -> Mark | None:
        try:
            mark = Mark.model_validate_json((path / _MARK).read_bytes())
        except (OSError, ValidationError):
            return None
        return mark if mark.fingerprint == self.fingerprint and path == self.path(mark.step) else None


LOG = "training_log.json"
_ENDS = 0.1  # share of the steps that loss_first and loss_last average over


class StepLoss(BaseModel):
    """Mean loss per completion token of one optimizer step, in nats; `epoch` is the share of epochs done after it."""

    step: int
    loss: float
    epoch: float


class TrainingLog(BaseModel):
    """A finished training run.

    `tokens` counts prompt and completion tokens of all epochs, without padding; `padding_share` is the share of the
    computed positions that were padding (0 to 1). `loss_first` and `loss_last` are means over the first and the last
    tenth of the steps, at least one. `seconds` is wall time from the start of the command, loading included; of a run
    that was interrupted, the work up to the checkpoint that it resumed from counts too. `dropped` names the rows that
    exceeded max_length. `fingerprint` is the SHA-256 of the settings and the training file.
    """

    model_config = ConfigDict(frozen=True)

    base: str
    arm: str
    examples: int
    dropped: tuple[RowLength, ...]
    steps: int
    epochs: float
    tokens: int
    padding_share: float
    loss_first: float
    loss_last: float
    seconds: float
    trainable_parameters: int
    device: str
    fingerprint: str
    settings: dict[str, JsonValue]
    versions: dict[str, str]
    losses: tuple[StepLoss, ...]


def step_losses(log_history: Sequence[Mapping[str, Any]]) -> tuple[StepLoss, ...]:
    """The losses in the log history of a transformers Trainer, which its checkpoints carry along."""
    return tuple(
        StepLoss(step=row["step"], loss=round(row["loss"], 5), epoch=round(row["epoch"], 4))
        for row in log_history
        if "loss" in row
    )


def first_and_last(losses: Sequence[StepLoss]) -> tuple[float, float]:
    """Mean loss over the first tenth and over the last tenth of the steps, at least one step each."""
    count = max(1, round(_ENDS * len(losses)))
    return (
        fmean(step.loss for step in losses[:count]),
        fmean(step.loss for step in losses[-count:]),
    )


def versions() -> dict[str, str]:
    """Versions of the libraries that did the work."""
    return {name: version(name) for name in ("torch", "transformers", "peft", "trl")}

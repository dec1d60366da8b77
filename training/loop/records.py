"""What a training keeps on disk: checkpoints that can be trusted after a crash, and the log of a student that is done.

A checkpoint takes many files, and a process may die between any two of them. So a mark is written last and atomically.
A checkpoint without it, or with the fingerprint of other settings or data, does not count. `training_log.json` of a
student is written last too, so a folder that has one holds a whole student.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from arf_programs.runs import write_text_atomic
from training.loop.lengths import RowLength

_MARK = "whole.json"
LOG = "training_log.json"
_ENDS = 0.1  # share of the steps that loss_first and loss_last average over


class Tally(BaseModel):
    """Tokens that went through the model, positions that were padding, and seconds of work."""

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


class Mark(BaseModel):
    """Says that the checkpoint beside it is whole, what it belongs to, and the counts up to it."""

    fingerprint: str
    step: int
    tally: Tally


class Checkpoints:
    """The checkpoints of one training run, in a folder of their own."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def mark_whole(self, step: int, tally: Tally) -> None:
        """Write the mark which says that the checkpoint of `step` is whole."""
        mark = Mark(fingerprint=self.fingerprint, step=step, tally=tally)
        write_text_atomic(self.path(step) / _MARK, mark.model_dump_json())

    def last_whole(self) -> Mark | None:
        """Return the mark of the newest whole checkpoint of this run, and remove all other checkpoints."""
        marks = [mark for path in self.folder.glob("checkpoint-*") if (mark := self._mark(path))]
        best = max(marks, key=lambda mark: mark.step, default=None)
        for path in self.folder.glob("checkpoint-*"):
            if best is None or path != self.path(best.step):
                shutil.rmtree(path)
        return best

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, step: int) -> Path:
        """The place where transformers puts the checkpoint of a step."""
        return self.folder / f"checkpoint-{step}"

    def _mark(self, path: Path) -> Mark | None:
        try:
            mark = Mark.model_validate_json((path / _MARK).read_bytes())
        except (OSError, ValidationError):
            return None
        return mark if mark.fingerprint == self.fingerprint and path == self.path(mark.step) else None


class StepLoss(BaseModel):
    """Mean loss per completion token of one optimizer step, in nats; `epoch` is the share of epochs done after it."""

    step: int
    loss: float
    epoch: float


class TrainingLog(BaseModel):
    """A finished training run.

    `tokens` counts prompt and completion tokens of all epochs, without padding. `padding_share` is the share of the
    computed positions that were padding (0 to 1). `loss_first` and `loss_last` are means over the first and the last
    tenth of the steps, at least one. `seconds` is wall time from the start of the command; after an interruption it
    includes the work up to the checkpoint that was resumed. `dropped` names the rows that exceeded max_length.
    `template` says what was mended in the chat template of the base. `smaller_batch` says what batch was taken where
    the configured one did not fit the memory. `fingerprint` is the SHA-256 of the settings and the training file.
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
    template: tuple[str, ...] = ()
    versions: dict[str, str]
    losses: tuple[StepLoss, ...]
    smaller_batch: str | None = None


def is_trained(output: Path, fingerprint: str) -> bool:
    """Whether `output` holds a whole student made from what `fingerprint` stands for; if so, stderr says it."""
    try:
        log = json.loads((output / LOG).read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(log, dict) or log.get("fingerprint") != fingerprint:
        return False
    sys.stderr.write(f"{output} is whole and was made from the same settings and rows: nothing to do\n")
    return True


def step_losses(log_history: Sequence[Mapping[str, Any]]) -> tuple[StepLoss, ...]:
    """Read the losses from the log history of a transformers Trainer, which its checkpoints carry along."""
    return tuple(
        StepLoss(step=row["step"], loss=round(row["loss"], 5), epoch=round(row["epoch"], 4))
        for row in log_history
        if "loss" in row
    )


def first_and_last(losses: Sequence[StepLoss]) -> tuple[float, float]:
    """Average the loss over the first and over the last tenth of the steps, at least one step each."""
    count = max(1, round(_ENDS * len(losses)))
    first, last = (fmean(step.loss for step in part) for part in (losses[:count], losses[-count:]))
    return round(first, 4), round(last, 4)


def library_versions() -> dict[str, str]:
    """The versions of the libraries that train."""
    return {name: version(name) for name in ("torch", "transformers", "peft", "trl")}

"""The log of a training: a line for each step, and `training_log.json`, which is written last.

A folder that has a `training_log.json` holds a whole student.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict, JsonValue
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from signatures.exceptions import StageError
from training.loop.checkpoints import Checkpoints, Tally
from training.loop.lengths import RowLength

LOG = "training_log.json"
_ENDS = 0.1  # share of the steps that loss_first and loss_last average over


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


class Progress(TrainerCallback):
    """Reports each step, keeps the clock, marks checkpoints whole, and stops a run whose loss is not a number.

    `started` is the `time.monotonic()` from which the work counts.
    """

    def __init__(
        self, tally: Tally, checkpoints: Checkpoints, *, started: float, machine: TextIO, person: TextIO
    ) -> None:
        self._tally = tally
        self._checkpoints = checkpoints
        self._machine = machine
        self._person = person
        self._clock = self._begun = started
        self._first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Start the clock of the seconds left."""
        self._begun = time.monotonic()
        self._first_step = state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Report the loss of a step."""
        loss = (logs or {}).get("loss")
        if loss is None or not state.is_world_process_zero:
            return
        if not math.isfinite(loss):
            raise StageError(f"The loss of step {state.global_step} is {loss}: lower train.learning_rate.")
        self.keep_time()
        step, total, seconds = state.global_step, state.max_steps, round(self._tally.seconds, 1)
        row = {"step": step, "total": total, "loss": round(loss, 4), "seconds": seconds}
        self._machine.write(json.dumps(row) + "\n")
        self._machine.flush()
        pace = (time.monotonic() - self._begun) / max(1, step - self._first_step)
        self._person.write(f"step {step}/{total} loss {loss:.3f} {pace * (total - step):.0f} s left\n")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Mark the checkpoint that was just written."""
        if state.is_world_process_zero:
            self.keep_time()
            self._checkpoints.mark_whole(state.global_step, self._tally)

    def keep_time(self) -> None:
        """Add the seconds since the last call, or since the start, to the tally."""
        now = time.monotonic()
        self._tally.seconds += now - self._clock
        self._clock = now

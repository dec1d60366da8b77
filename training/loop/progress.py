"""Report the progress of training: for each step a JSON object on stdout for the parent, and a line on stderr."""

from __future__ import annotations

import json
import math
import time
from typing import TextIO

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from signatures.exceptions import StageError
from training.loop.checkpoints import Checkpoints, Tally


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

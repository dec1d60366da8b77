"""Train one student and write its folder: what fine-tuning and the preference stage have in common.

Importing this module costs seconds.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pydantic import JsonValue
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from arf_programs.models import mend_template
from arf_programs.runs import write_text_atomic
from signatures.exceptions import StageError
from signatures.records import TrainingExample
from training.loop.base_model import load_base, stop_ids
from training.loop.fitting import FittedBatch, train_fitting
from training.loop.hardware import Hardware, attention_of, base_dtype, check_hardware, find_hardware
from training.loop.lengths import RowLength, longer_sides, measure, rows_that_fit, token_limit
from training.loop.records import LOG, Checkpoints, Tally, TrainingLog, first_and_last, library_versions, step_losses
from training.loop.schedule import Difficulty, follow
from training.loop.trainer import PreferenceTrainer, StudentTrainer
from training.settings import TrainSettings

Row = TypeVar("Row")
Trainer = StudentTrainer | PreferenceTrainer
_NOT_OF_A_STUDENT = ("training_args.bin", "README.md")
_REFERENCE = "ref"  # TRL's name for the adapter that a preference run starts from


class Progress(TrainerCallback):
    """Reports each step: a JSON object on `machine` for the parent, and a line on stderr for people.

    It also keeps the clock, marks checkpoints whole, and stops a run whose loss is not a number. `started` is the
    `time.monotonic()` from which the work counts.
    """

    def __init__(self, tally: Tally, checkpoints: Checkpoints, *, started: float, machine: TextIO) -> None:
        self._tally = tally
        self._checkpoints = checkpoints
        self._machine = machine
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
        sys.stderr.write(f"step {step}/{total} loss {loss:.3f} {pace * (total - step):.0f} s left\n")

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


def train_student(
    settings: TrainSettings,
    rows: Sequence[Row],
    sides: Sequence[Sequence[TrainingExample]],
    assemble: Callable[..., Trainer],
    *,
    output: Path,
    fingerprint: str,
    logged: Mapping[str, JsonValue],
    machine: TextIO,
    started: float,
    start: str | None = None,
    may_recompute: bool = False,
    difficulty: Path | None = None,
) -> None:
    """Train on `rows` into the folder `output`; each step is a JSON line on `machine`.

    Args:
        sides: The rows as examples: one list, or for pairs two of the same length. They are measured and counted.
        assemble: Makes the trainer, as the functions of `training.loop.assemble` do.
        logged: The settings as `training_log.json` shows them.
        started: The `time.monotonic()` at which the command began.
        start: The model to train on; None: the base.
        may_recompute: Whether a lack of memory may turn gradient checkpointing on.
        difficulty: Where the losses of the rows are written, if the settings measure them.

    Raises:
        UserError: Settings or rows cannot be trained on.
        StageError: Training fails.
    """
    hardware = find_hardware()
    check_hardware(settings, hardware)
    checkpoints = Checkpoints(output / "checkpoints", fingerprint)
    done: list[_Attempt] = []
    followed: list[Difficulty] = []

    def attempt(tried: TrainSettings) -> None:
        again = tried is not settings and checkpoints.last_whole() is not None
        begun = time.monotonic() if again else started  # a checkpoint has the seconds up to it
        prepared = _prepare(tried, rows, sides, assemble, hardware, checkpoints, machine, begun, start)
        if settings.schedule.measures:
            followed.append(follow(prepared.trainer, settings, checkpoints))
        _train(prepared.trainer, output, checkpoints)
        done.append(prepared)

    fitted = train_fitting(settings, hardware, attempt, partial(_say_smaller, machine), may_recompute=may_recompute)
    trainer, lengths = done[0].trainer, done[0].lengths
    trainer.save_model(str(output))
    if trainer.is_world_process_zero():
        _clean(output, settings)
        done[0].progress.keep_time()
        dropped = [lengths[index] for index in range(len(lengths)) if index not in set(done[0].fitting)]
        examples = [sides[0][index] for index in done[0].fitting]
        if difficulty:
            _write_difficulty(difficulty, followed, examples, done[0].fitting)
        log = _make_log(trainer, settings, fingerprint, examples, dropped, logged, done[0].mended, fitted)
        write_text_atomic(output / LOG, log.model_dump_json(indent=1) + "\n")
        checkpoints.remove()


def _write_difficulty(
    path: Path, followed: Sequence[Difficulty], examples: Sequence[TrainingExample], fitting: Sequence[int]
) -> None:
    """Write the losses of the rows; without any, remove the file of an earlier training."""
    path.unlink(missing_ok=True)
    for difficulty in followed[-1:]:
        difficulty.write(path, [example.conversation_id for example in examples], fitting)


@dataclass(frozen=True)
class _Attempt:
    """A trainer, and what was found out about the rows: their lengths, and the indices of those that fit."""

    trainer: Trainer
    progress: Progress
    lengths: list[RowLength]
    fitting: list[int]
    mended: tuple[str, ...]


def _prepare(
    settings: TrainSettings,
    rows: Sequence[Row],
    sides: Sequence[Sequence[TrainingExample]],
    assemble: Callable[..., Trainer],
    hardware: Hardware,
    checkpoints: Checkpoints,
    machine: TextIO,
    started: float,
    start: str | None,
) -> _Attempt:
    """Load the model, measure the rows, and make a trainer."""
    dtype = base_dtype(settings, hardware)
    model, tokenizer = load_base(
        start or settings.base, dtype, four_bit=settings.method == "qlora", attention=attention_of(settings, hardware)
    )
    stops = stop_ids(model.generation_config, tokenizer)
    mended = mend_template(tokenizer, stops)
    lengths = longer_sides([measure(tokenizer, side, stops) for side in sides])
    limit = token_limit(settings.max_length, model.config)
    fitting = rows_that_fit(lengths, limit, settings.on_overflow)
    tally = Tally()
    progress = Progress(tally, checkpoints, started=started, machine=machine)
    trainer = assemble(
        settings,
        [rows[index] for index in fitting],
        model,
        tokenizer,
        hardware=hardware,
        folder=checkpoints.folder,
        tally=tally,
        callbacks=[progress],
    )
    return _Attempt(trainer, progress, lengths, fitting, mended)


def _say_smaller(machine: TextIO, fitted: FittedBatch) -> None:
    """Say it in the log, and to the parent."""
    sys.stderr.write(f"{fitted}\n")
    machine.write(json.dumps({"say": str(fitted)}) + "\n")
    machine.flush()


def _train(trainer: Trainer, output: Path, checkpoints: Checkpoints) -> None:
    """Train from the last whole checkpoint, or from the beginning."""
    with trainer.accelerator.main_process_first():
        (output / LOG).unlink(missing_ok=True)
        mark = checkpoints.last_whole()
    if mark:
        trainer.tally.add(mark.tally)
        sys.stderr.write(f"resuming after step {mark.step}\n")
    trainer.train(resume_from_checkpoint=str(checkpoints.path(mark.step)) if mark else None)


def _clean(output: Path, settings: TrainSettings) -> None:
    """Let an adapter name its base as the configuration does, and remove what a student does not need."""
    config = output / "adapter_config.json"
    if settings.method == "full":
        config.unlink(missing_ok=True)  # left by an adapter that was trained here before
        (output / "adapter_model.safetensors").unlink(missing_ok=True)
    else:
        content: dict[str, Any] = {**json.loads(config.read_bytes()), "base_model_name_or_path": settings.base}
        if isinstance(content["target_modules"], list):
            content["target_modules"].sort()  # PEFT writes a set: the same training, the same file
        write_text_atomic(config, json.dumps(content, indent=2, sort_keys=True) + "\n")
    for name in _NOT_OF_A_STUDENT:
        (output / name).unlink(missing_ok=True)
    shutil.rmtree(output / _REFERENCE, ignore_errors=True)


def _make_log(
    trainer: Trainer,
    settings: TrainSettings,
    fingerprint: str,
    examples: Sequence[TrainingExample],
    dropped: Sequence[RowLength],
    logged: Mapping[str, JsonValue],
    mended: tuple[str, ...],
    fitted: FittedBatch | None,
) -> TrainingLog:
    losses = step_losses(trainer.state.log_history)
    first, last = first_and_last(losses)
    return TrainingLog(
        base=settings.base,
        arm=examples[0].arm,
        examples=len(examples),
        dropped=tuple(dropped),
        steps=trainer.state.global_step,
        epochs=settings.epochs,
        tokens=trainer.tally.tokens,
        padding_share=round(trainer.tally.padding_share, 4),
        loss_first=first,
        loss_last=last,
        seconds=round(trainer.tally.seconds, 1),
        trainable_parameters=trainer.get_num_trainable_parameters(),
        device=trainer.args.device.type,
        fingerprint=fingerprint,
        settings=dict(logged),
        template=mended,
        versions=library_versions(),
        losses=losses,
        smaller_batch=None if fitted is None else str(fitted),
    )

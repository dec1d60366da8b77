"""Train one student and write its folder: what fine-tuning and the preference stage have in common.

Importing this module costs seconds.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import torch
from pydantic import JsonValue

from arf_programs.models import mend_template
from arf_programs.runs import write_text_atomic
from signatures.exceptions import StageError
from signatures.records import TrainingExample
from training.loop.base_model import load_base, stop_ids
from training.loop.checkpoints import Checkpoints, Tally
from training.loop.hardware import base_dtype, check_hardware, find_hardware
from training.loop.lengths import RowLength, longer_sides, measure, rows_that_fit, token_limit
from training.loop.log import LOG, TrainingLog, first_and_last, library_versions, step_losses
from training.loop.progress import Progress
from training.loop.trainer import PreferenceTrainer, StudentTrainer
from training.settings import TrainSettings

Row = TypeVar("Row")
Trainer = StudentTrainer | PreferenceTrainer
_NOT_OF_A_STUDENT = ("training_args.bin", "README.md")
_REFERENCE = "ref"  # TRL's name for the adapter that a preference run starts from


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
) -> None:
    """Train on `rows` into the folder `output`; each step is a JSON line on `machine`.

    Args:
        sides: The rows as examples: one list, or for pairs two of the same length. They are measured and counted.
        assemble: Makes the trainer, as the functions of `training.loop.assemble` do.
        logged: The settings as `training_log.json` shows them.
        started: The `time.monotonic()` at which the command began.
        start: The model to train on; None: the base.

    Raises:
        UserError: Settings or rows cannot be trained on.
        StageError: Training fails.
    """
    hardware = find_hardware()
    check_hardware(settings, hardware)
    dtype = base_dtype(settings, hardware)
    model, tokenizer = load_base(start or settings.base, dtype, four_bit=settings.method == "qlora")
    stops = stop_ids(model.generation_config, tokenizer)
    mended = mend_template(tokenizer, stops)
    lengths = longer_sides([measure(tokenizer, side, stops) for side in sides])
    limit = token_limit(settings.max_length, model.config)
    fitting = rows_that_fit(lengths, limit, settings.on_overflow)
    tally = Tally()
    checkpoints = Checkpoints(output / "checkpoints", fingerprint)
    progress = Progress(tally, checkpoints, started=started, machine=machine, person=sys.stderr)
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
    _train(trainer, output, checkpoints)
    trainer.save_model(str(output))
    if trainer.is_world_process_zero():
        _clean(output, settings)
        progress.keep_time()
        dropped = [row for row in lengths if row.total > limit]
        log = _make_log(trainer, settings, fingerprint, [sides[0][index] for index in fitting], dropped, logged, mended)
        write_text_atomic(output / LOG, log.model_dump_json(indent=1) + "\n")
        checkpoints.remove()


def _train(trainer: Trainer, output: Path, checkpoints: Checkpoints) -> None:
    """Train from the last whole checkpoint, or from the beginning. Raises StageError when memory runs out."""
    with trainer.accelerator.main_process_first():
        (output / LOG).unlink(missing_ok=True)
        mark = checkpoints.last_whole()
    if mark:
        trainer.tally.add(mark.tally)
        sys.stderr.write(f"resuming after step {mark.step}\n")
    try:
        trainer.train(resume_from_checkpoint=str(checkpoints.path(mark.step)) if mark else None)
    except torch.OutOfMemoryError as error:
        raise StageError(f"Out of memory: halve train.batch_size and double gradient_accumulation. {error}") from error


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
    )

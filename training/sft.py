"""Fine-tunes a student on the examples of an arm: `python -m training.sft --data train/arf.jsonl --output student/arf`.

Writes the adapter (with method `full`, the model), the tokenizer and `training_log.json` into the output folder. The
log is written last and atomically: where it is, the student is whole. An interrupted run goes on from its last whole
checkpoint when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

from arf_programs.config import Method
from arf_programs.runs import read_jsonl, write_text_atomic
from signatures.exceptions import DataError, StageError
from signatures.records import TrainingExample
from training.loop.base_model import load_base, stop_ids
from training.loop.checkpoints import LOG, Checkpoints, Tally, TrainingLog, first_and_last, step_losses, versions
from training.loop.hardware import base_dtype, check_hardware, find_hardware
from training.loop.lengths import RowLength, measure, rows_that_fit, token_limit
from training.settings import TrainSettings, load_settings, quiet_libraries, run_command
from training.sizing.dry_run import tell

if TYPE_CHECKING:
    from training.loop.trainer import StudentTrainer
    from training.sizing.dry_run import DryRun

_LORA_FLAGS = {"lora_r": "r", "lora_alpha": "alpha", "lora_dropout": "dropout", "last_layers": "last_layers"}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    arguments = vars(parser.parse_args(argv))
    data, output, config = arguments.pop("data"), arguments.pop("output"), arguments.pop("config")
    dry, as_json = arguments.pop("dry_run"), arguments.pop("json")
    if not dry and (data is None or output is None):
        parser.error("--data and --output are needed, unless --dry-run is given")
    given = {key: value for key, value in arguments.items() if value is not None}
    lora = {name: given.pop(flag) for flag, name in _LORA_FLAGS.items() if flag in given}
    overrides = {**given, "lora": lora} if lora else given
    if dry:
        return look_ahead(data, config, overrides, as_json=as_json)
    return run_command(lambda machine: train(data, output, load_settings(config, overrides), machine))


def look_ahead(data: Path | None, config: Path | None, overrides: dict[str, Any], *, as_json: bool) -> int:
    """Print what the training would do and take, and return the exit code: 2 when something stands in its way.

    Without rows (`data` is None, or no file yet) it says what can be said without them.
    """

    def outlook() -> DryRun:
        settings = load_settings(config, overrides)
        examples = _read_examples(data, settings) if data and data.exists() else None
        quiet_libraries()
        from training.sizing.dry_run import dry_run

        return dry_run(settings, examples)

    return tell(outlook, as_json=as_json)


def train(data: Path, output: Path, settings: TrainSettings, machine: TextIO) -> None:
    """Train a student on the rows of `data` into the folder `output`; each step is a JSON line on `machine`.

    Raises UserError for settings or rows that cannot be trained on, StageError when training fails. Does nothing when
    the folder is whole and was made from the same settings and rows.
    """
    started = time.monotonic()
    examples = _read_examples(data, settings)
    checkpoints = Checkpoints(output / "checkpoints", settings.fingerprint(data.read_bytes()))
    if made_from(output) == checkpoints.fingerprint:
        sys.stderr.write(f"{output} is whole and was made from the same settings and rows: nothing to do\n")
        return
    quiet_libraries()
    hardware = find_hardware()
    check_hardware(settings, hardware)
    from training.loop.assemble import assemble
    from training.loop.progress import Progress

    dtype = base_dtype(settings, hardware)
    model, tokenizer = load_base(settings.base, dtype, four_bit=settings.method == "qlora")
    lengths = measure(tokenizer, examples, stop_ids(model.generation_config, tokenizer))
    fitting = rows_that_fit(lengths, token_limit(settings.max_length, model.config), settings.on_overflow)
    tally = Tally()
    progress = Progress(tally, checkpoints, started=started, machine=machine, person=sys.stderr)
    rows = [examples[index] for index in fitting]
    trainer = assemble(
        settings,
        rows,
        model,
        tokenizer,
        hardware=hardware,
        folder=checkpoints.folder,
        tally=tally,
        callbacks=[progress],
    )
    run_training(trainer, output, checkpoints)
    trainer.save_model(str(output))
    if trainer.is_world_process_zero():
        mend_saved(output, settings)
        progress.keep_time()
        dropped = [row for index, row in enumerate(lengths) if index not in fitting]
        log = make_log(trainer, settings, checkpoints.fingerprint, rows, dropped)
        write_text_atomic(output / LOG, log.model_dump_json(indent=1) + "\n")
        checkpoints.remove()


def _read_examples(data: Path, settings: TrainSettings) -> list[TrainingExample]:
    examples = list(read_jsonl(data, TrainingExample))
    if not examples:
        raise DataError(f"{data} has no rows: nothing to train on.")
    arm = settings.arm or examples[0].arm
    for number, example in enumerate(examples, start=1):
        if example.arm != arm:
            raise DataError(f"{data} row {number}: its arm is {example.arm!r}, not {arm!r}: train one arm at a time.")
    return examples


def made_from(output: Path) -> str | None:
    """The fingerprint of what a whole student was made from; None when the folder is not whole."""
    try:
        log = json.loads((output / LOG).read_bytes())
    except (OSError, ValueError):
        return None
    return log.get("fingerprint") if isinstance(log, dict) else None


def run_training(trainer: StudentTrainer, output: Path, checkpoints: Checkpoints) -> None:
    """Train, from the last whole checkpoint on if there is one. Raises StageError when memory runs out."""
    import torch

    with trainer.accelerator.main_process_first():
        (output / LOG).unlink(missing_ok=True)
        found = checkpoints.last_whole()
    if found:
        trainer.tally.add(found.tally)
        sys.stderr.write(f"resuming after step {found.step}\n")
    try:
        trainer.train(resume_from_checkpoint=str(checkpoints.path(found.step)) if found else None)
    except torch.OutOfMemoryError as error:
        raise StageError(f"Out of memory: halve train.batch_size and double gradient_accumulation. {error}") from error


def mend_saved(output: Path, settings: TrainSettings) -> None:
    """Let an adapter name its base as the configuration does, and leave no file that only training needs."""
    config = output / "adapter_config.json"
    if settings.method == "full":
        config.unlink(missing_ok=True)  # left by an adapter that was trained here before
        (output / "adapter_model.safetensors").unlink(missing_ok=True)
    else:
        content = {**json.loads(config.read_bytes()), "base_model_name_or_path": settings.base}
        if isinstance(content["target_modules"], list):
            content["target_modules"].sort()  # PEFT writes a set: the same training, the same file
        write_text_atomic(config, json.dumps(content, indent=2, sort_keys=True) + "\n")
    for name in ("training_args.bin", "README.md"):
        (output / name).unlink(missing_ok=True)


def make_log(
    trainer: StudentTrainer,
    settings: TrainSettings,
    fingerprint: str,
    rows: Sequence[TrainingExample],
    dropped: Sequence[RowLength],
) -> TrainingLog:
    """What is told of a student that was trained on `rows`."""
    losses = step_losses(trainer.state.log_history)
    first, last = first_and_last(losses)
    return TrainingLog(
        base=settings.base,
        arm=rows[0].arm,
        examples=len(rows),
        dropped=tuple(dropped),
        steps=trainer.state.global_step,
        epochs=settings.epochs,
        tokens=trainer.tally.tokens,
        padding_share=round(trainer.tally.padding_share, 4),
        loss_first=round(first, 4),
        loss_last=round(last, 4),
        seconds=round(trainer.tally.seconds, 1),
        trainable_parameters=trainer.get_num_trainable_parameters(),
        device=trainer.args.device.type,
        fingerprint=fingerprint,
        settings=settings.as_json(),
        versions=versions(),
        losses=losses,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.sft",
        description="Fine-tune a student on the examples of an arm. Flags go before the configuration file.",
    )
    add = parser.add_argument
    add("--data", type=Path, help="training examples, e.g. train/arf.jsonl")
    add("--output", type=Path, help="folder of the student, e.g. student/arf")
    add("--config", type=Path, help="JSON file of settings, as the `train` section of arf.yaml")
    add("--dry-run", action="store_true", help="say what it would do and take, and do nothing")
    add("--json", action="store_true", help="with --dry-run: print one JSON object, figures and text")
    add("--base", help="smollm2-135m, a folder, or a Hugging Face id")
    add("--arm", help="the arm that the rows must belong to")
    add("--method", choices=get_args(Method), help="an adapter, one on a 4-bit base, or every weight")
    add("--seed", type=int)
    add("--epochs", type=float)
    add("--learning-rate", type=float)
    add("--batch-size", type=int, help="rows a step and device")
    add("--gradient-accumulation", type=int)
    add("--max-length", type=int, help="tokens of prompt and completion")
    add("--on-overflow", choices=("fail", "drop"), help="what to do with longer rows")
    add("--lora-r", type=int)
    add("--lora-alpha", type=int)
    add("--lora-dropout", type=float)
    add("--last-layers", type=int, help="adapt the last N layers only")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

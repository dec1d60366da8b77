"""Fine-tune a student on the examples of an arm: `python -m training.sft --data train/arf.jsonl --output student/arf`.

The output folder gets the adapter (with method `full`, the model), the tokenizer and `training_log.json`. The log is
written last and atomically, so a folder with a log holds a whole student. After an interruption the same command goes
on from the last whole checkpoint. With a `schedule` that measures rows, `<data>_difficulty.jsonl` is written beside the
data.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any, TextIO, get_args

from arf_programs.config import Method
from arf_programs.runs import digest_file, private_files, read_jsonl
from signatures.exceptions import ConfigError, DataError
from signatures.records import TrainingExample
from training.loop.records import is_trained
from training.settings import TrainSettings, load_settings, quiet_libraries, run_command
from training.sizing.dry_run import DryRun, decide_checkpointing, dry_run, run_dry

_LORA_FLAGS = {"lora_r": "r", "lora_alpha": "alpha", "lora_dropout": "dropout", "last_layers": "last_layers"}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    arguments = vars(parser.parse_args(argv))
    data, output, config = arguments.pop("data"), arguments.pop("output"), arguments.pop("config")
    dry, as_json = arguments.pop("dry_run"), arguments.pop("json")
    start = tuple(arguments.pop(name) for name in ("start", "pull", "towards"))
    if not dry and (data is None or output is None):
        parser.error("--data and --output are needed, unless --dry-run is given")
    given = {key: value for key, value in arguments.items() if value is not None}
    lora = {name: given.pop(flag) for flag, name in _LORA_FLAGS.items() if flag in given}
    overrides = {**given, "lora": lora} if lora else given
    if dry:
        return run_dry(lambda: look_ahead(data, config, overrides), as_json=as_json)
    return run_command(lambda machine: train(data, output, load_settings(config, overrides), machine, *start), output)


def look_ahead(data: Path | None, config: Path | None, overrides: dict[str, Any]) -> DryRun:
    """Find out what the training would do and take; `data` may be None or a file that is not there yet."""
    settings = load_settings(config, overrides)
    examples = _read_examples(data, settings) if data and data.exists() else None
    return dry_run(settings, None if examples is None else [examples])


@private_files()
def train(
    data: Path,
    output: Path,
    settings: TrainSettings,
    machine: TextIO,
    adapter: Path | None = None,
    pull: float = 0.0,
    towards: Path | None = None,
) -> None:
    """Train a student on the rows of `data` into the folder `output`; each step is a JSON line on `machine`.

    `adapter`, `pull` and `towards` are those of `training.loop.adapter.Start`. Does nothing when the folder holds a
    whole student that was made from the same settings, rows and start. Raises UserError for settings or rows that
    cannot be trained on, StageError when training fails.
    """
    started = time.monotonic()
    examples = _read_examples(data, settings)
    starts = adapter is not None or pull > 0
    if starts and settings.method == "full":
        raise ConfigError("train.method: full trains no adapter, so --start and --pull do not go with it: use lora.")
    begun = [digest_file(path) if path else "" for path in (adapter, towards)] if starts else []
    told = " ".join([*begun, f"{pull:g}"]) if starts else ""
    fingerprint = settings.fingerprint(data.read_bytes() + told.encode())
    if is_trained(output, fingerprint):
        return
    quiet_libraries()
    from training.loop.adapter import Start
    from training.loop.assemble import assemble
    from training.loop.run import train_student

    start = Start(adapter, pull, towards) if starts else None
    decided = decide_checkpointing(settings, [examples])
    train_student(
        decided,
        examples,
        [examples],
        partial(assemble, start=start),
        output=output,
        fingerprint=fingerprint,
        logged=decided.as_json(),
        machine=machine,
        started=started,
        may_recompute=decided is not settings,
        difficulty=data.with_name(f"{data.stem}_difficulty.jsonl"),
    )


def _read_examples(data: Path, settings: TrainSettings) -> list[TrainingExample]:
    examples = list(read_jsonl(data, TrainingExample))
    if not examples:
        raise DataError(f"{data} has no rows: nothing to train on.")
    arm = settings.arm or examples[0].arm
    for number, example in enumerate(examples, start=1):
        if example.arm != arm:
            raise DataError(f"{data} row {number}: its arm is {example.arm!r}, not {arm!r}: train one arm at a time.")
    return examples


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.sft",
        description="Fine-tune a student on the examples of an arm. A flag overrides the configuration file.",
    )
    add = parser.add_argument
    add("--data", type=Path, help="training examples, e.g. train/arf.jsonl")
    add("--output", type=Path, help="folder of the student, e.g. student/arf")
    add("--config", type=Path, help="JSON file of settings, as the `train` section of arf.yaml")
    add("--start", type=Path, help="weights of an adapter (safetensors) to go on from; without it, a new adapter")
    add("--pull", type=float, default=0.0, help="strength of FedProx's pull towards the start, or --towards")
    add("--towards", type=Path, help="weights of an adapter that pull, in place of those of the start")
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

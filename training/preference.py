"""Trains a student on preference pairs: `python -m training.preference --data train/preference.jsonl --adapter
student/arf --output student/arf_dpo --config train/arf_dpo.json`.

It goes on from the adapter of a fine-tuned student (with method `full`, from a whole model), or, without `--adapter`,
from the base. Output, checkpoints and progress lines are those of `training.sft`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from arf_programs.models import is_adapter
from arf_programs.runs import digest_file, read_jsonl, write_text_atomic
from signatures.exceptions import ConfigError, DataError
from signatures.records import PreferencePair, TrainingExample
from training.loop.base_model import load_base, stop_ids
from training.loop.checkpoints import LOG, Checkpoints, Tally
from training.loop.hardware import base_dtype, check_hardware, find_hardware
from training.loop.lengths import longer, measure, rows_that_fit, token_limit
from training.settings import TrainSettings, load_settings, quiet_libraries, run_command
from training.sft import made_from, make_log, mend_saved, run_training
from training.sizing.dry_run import tell

if TYPE_CHECKING:
    from training.sizing.dry_run import DryRun

REFERENCE = "ref"  # what TRL calls the adapter that holds the student as it was before


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.dry_run:
        return look_ahead(arguments.data, arguments.config, as_json=arguments.json)
    if arguments.data is None or arguments.output is None:
        parser.error("--data and --output are needed, unless --dry-run is given")
    return run_command(
        lambda machine: train(
            arguments.data, arguments.output, load_settings(arguments.config, {}), machine, adapter=arguments.adapter
        )
    )


def look_ahead(data: Path | None, config: Path, *, as_json: bool) -> int:
    """Print what the training would do and take, as `training.sft.look_ahead` does."""

    def outlook() -> DryRun:
        settings = _of_preference(load_settings(config, {}))
        pairs = _read_pairs(data) if data and data.exists() else None
        quiet_libraries()
        from training.sizing.dry_run import dry_run_of_pairs

        return dry_run_of_pairs(settings, None if pairs is None else _sides(pairs, settings))

    return tell(outlook, as_json=as_json)


def train(data: Path, output: Path, settings: TrainSettings, machine: TextIO, *, adapter: Path | None = None) -> None:
    """Train a student on the pairs of `data` into the folder `output`; each step is a JSON line on `machine`.

    Rates and epochs are those of `settings.preference`, all else is that of fine-tuning, but for packing and edit
    weights, which pairs do without. The reference, to which the student is held, is `adapter`, or the base where there
    is none. Raises UserError for settings or pairs that cannot
    be trained on, StageError when training fails. Does nothing when the folder is whole and was made from the same
    settings, pairs and adapter.
    """
    started = time.monotonic()
    settings = _of_preference(settings)
    pairs = _read_pairs(data)
    if adapter is not None:
        _check_start(settings, adapter)
    checkpoints = Checkpoints(output / "checkpoints", _fingerprint(settings, data, adapter))
    if made_from(output) == checkpoints.fingerprint:
        sys.stderr.write(f"{output} is whole and was made from the same settings and pairs: nothing to do\n")
        return
    quiet_libraries()
    hardware = find_hardware()
    check_hardware(settings, hardware)
    from training.loop.assemble import assemble_preference
    from training.loop.progress import Progress

    dtype = base_dtype(settings, hardware)
    start = str(adapter) if adapter and settings.method == "full" else settings.base
    model, tokenizer = load_base(start, dtype, four_bit=settings.method == "qlora")
    chosen, rejected = _sides(pairs, settings)
    stops = stop_ids(model.generation_config, tokenizer)
    sides = (measure(tokenizer, side, stops) for side in (chosen, rejected))
    lengths = longer(list(zip(*sides, strict=True)))
    fitting = rows_that_fit(lengths, token_limit(settings.max_length, model.config), settings.on_overflow)
    tally = Tally()
    progress = Progress(tally, checkpoints, started=started, machine=machine, person=sys.stderr)
    trainer = assemble_preference(
        settings,
        [pairs[index] for index in fitting],
        model,
        tokenizer,
        hardware=hardware,
        adapter=adapter if settings.method != "full" else None,
        folder=checkpoints.folder,
        tally=tally,
        callbacks=[progress],
    )
    run_training(trainer, output, checkpoints)
    trainer.save_model(str(output))
    if trainer.is_world_process_zero():
        shutil.rmtree(output / REFERENCE, ignore_errors=True)
        mend_saved(output, settings)
        progress.keep_time()
        dropped = [row for index, row in enumerate(lengths) if index not in fitting]
        log = make_log(trainer, settings, checkpoints.fingerprint, [chosen[index] for index in fitting], dropped)
        told = {**log.settings, "preference": settings.preference.model_dump(mode="json")}
        write_text_atomic(output / LOG, log.model_copy(update={"settings": told}).model_dump_json(indent=1) + "\n")
        checkpoints.remove()


def _of_preference(settings: TrainSettings) -> TrainSettings:
    preference = settings.preference
    if preference.method == "none":
        raise ConfigError("train.preference.method is none: set it to sigmoid or apo_zero.")
    changed = {"epochs": preference.epochs, "learning_rate": preference.learning_rate, "packing": False}
    return settings.model_copy(update=changed)


def _check_start(settings: TrainSettings, adapter: Path) -> None:
    """Raise DataError for a student that the method cannot go on from."""
    if settings.method == "full":
        if is_adapter(adapter) or not (adapter / "config.json").is_file():
            raise DataError(
                f"{adapter} is no whole model: with method full, give the folder of a student trained by it."
            )
    elif not is_adapter(adapter):
        raise DataError(f"{adapter} is no adapter: give the folder of a student that `training.sft` has finished.")


def _fingerprint(settings: TrainSettings, data: Path, adapter: Path | None) -> str:
    start = digest_file(adapter) if adapter else ""
    return settings.fingerprint(
        b"\0".join((settings.preference.model_dump_json().encode(), start.encode(), data.read_bytes()))
    )


def _read_pairs(data: Path) -> list[PreferencePair]:
    pairs = list(read_jsonl(data, PreferencePair))
    if not pairs:
        raise DataError(f"{data} has no rows: nothing to train on.")
    return pairs


def _sides(
    pairs: Sequence[PreferencePair], settings: TrainSettings
) -> tuple[list[TrainingExample], list[TrainingExample]]:
    """Both sides of the pairs as examples, by which they are measured and told of."""

    def example(pair: PreferencePair, completion: str) -> TrainingExample:
        arm = settings.arm or "preference"
        name = pair.conversation_id
        return TrainingExample(conversation_id=name, messages=pair.prompt, completion=completion, arm=arm)

    chosen = [example(pair, pair.chosen[0].content) for pair in pairs]
    return chosen, [example(pair, pair.rejected[0].content) for pair in pairs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.preference",
        description="Train a student on pairs of a verified revision and its draft.",
    )
    add = parser.add_argument
    add("--data", type=Path, help="preference pairs, e.g. train/preference.jsonl")
    add("--output", type=Path, help="folder of the student, e.g. student/arf_dpo")
    add("--config", type=Path, required=True, help="JSON file of settings with `preference`, e.g. train/arf_dpo.json")
    add("--adapter", type=Path, help="the student to go on from, e.g. student/arf; without it, the base")
    add("--dry-run", action="store_true", help="say what it would do and take, and do nothing")
    add("--json", action="store_true", help="with --dry-run: print one JSON object, figures and text")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

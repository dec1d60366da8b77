"""Train a student on preference pairs: `python -m training.preference --data train/preference.jsonl --adapter
student/arf --output student/arf_dpo --config train/arf_dpo.json`.

It goes on from the adapter of a fine-tuned student (with method `full`, from a whole model), or, without `--adapter`,
from the base. Output, checkpoints and progress lines are those of `training.sft`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from arf_programs.config import ScheduleConfig
from arf_programs.models import is_adapter
from arf_programs.runs import digest_file, private_files, read_jsonl
from signatures.exceptions import ConfigError, DataError
from signatures.records import PreferencePair, TrainingExample
from training.loop.records import is_trained
from training.settings import TrainSettings, load_settings, quiet_libraries, run_command
from training.sizing.dry_run import DryRun, decide_checkpointing, dry_run, run_dry


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.dry_run:
        return run_dry(lambda: look_ahead(given.data, given.config), as_json=given.json)
    if given.data is None or given.output is None:
        parser.error("--data and --output are needed, unless --dry-run is given")
    return run_command(
        lambda machine: train(
            given.data, given.output, load_settings(given.config, {}), machine, adapter=given.adapter
        ),
        given.output,
    )


def look_ahead(data: Path | None, config: Path) -> DryRun:
    """Find out what the training would do and take; `data` may be None or a file that is not there yet."""
    settings = _with_preference(load_settings(config, {}))
    pairs = _read_pairs(data) if data and data.exists() else None
    return dry_run(settings, None if pairs is None else _sides(pairs, settings), pairs=True)


@private_files()
def train(data: Path, output: Path, settings: TrainSettings, machine: TextIO, *, adapter: Path | None = None) -> None:
    """Train a student on the pairs of `data` into the folder `output`; each step is a JSON line on `machine`.

    Learning rate, epochs and edit weight come from `settings.preference`, all else from the settings of fine-tuning;
    packing and schedule do not apply to pairs. The reference model is `adapter`, or the base without one. Does nothing
    when the folder holds a whole student that was made from the same settings, pairs and adapter. Raises UserError for
    settings or pairs that cannot be trained on, StageError when training fails.
    """
    started = time.monotonic()
    settings = _with_preference(settings)
    pairs = _read_pairs(data)
    if adapter:
        _check_start(settings, adapter)
    fingerprint = _fingerprint(settings, data, adapter)
    if is_trained(output, fingerprint):
        return
    quiet_libraries()
    from training.loop.assemble import assemble_preference
    from training.loop.run import train_student

    full = settings.method == "full"
    sides = _sides(pairs, settings)
    decided = decide_checkpointing(settings, sides, pairs=True)
    train_student(
        decided,
        pairs,
        sides,
        partial(assemble_preference, adapter=None if full else adapter),
        output=output,
        fingerprint=fingerprint,
        logged={**decided.as_json(), "preference": settings.preference.model_dump(mode="json")},
        machine=machine,
        started=started,
        start=str(adapter) if full and adapter else None,
        may_recompute=decided is not settings,
    )


def _with_preference(settings: TrainSettings) -> TrainSettings:
    preference = settings.preference
    if preference.method == "none":
        raise ConfigError("train.preference.method is none: set it to sigmoid or apo_zero.")
    changed = {"epochs": preference.epochs, "learning_rate": preference.learning_rate, "packing": False}
    return settings.model_copy(update={**changed, "schedule": ScheduleConfig()})


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
    preference = settings.preference.model_dump_json(exclude=settings.preference.without_new_defaults())
    parts = (preference.encode(), start.encode(), data.read_bytes())
    return settings.fingerprint(b"\0".join(parts))


def _read_pairs(data: Path) -> list[PreferencePair]:
    pairs = list(read_jsonl(data, PreferencePair))
    if not pairs:
        raise DataError(f"{data} has no rows: nothing to train on.")
    return pairs


def _sides(pairs: Sequence[PreferencePair], settings: TrainSettings) -> list[list[TrainingExample]]:
    """Write the chosen and the rejected side of the pairs as examples, so that they can be measured."""
    return [
        [
            TrainingExample(
                conversation_id=pair.conversation_id,
                messages=pair.prompt,
                completion=getattr(pair, side)[0].content,
                arm=settings.arm or "preference",
            )
            for pair in pairs
        ]
        for side in ("chosen", "rejected")
    ]


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

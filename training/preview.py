"""Show how a base would read one example, and what a training would take: `python -m training.preview`.

Only the tokenizer is loaded. One JSON object comes out. `prompt` and `learns` are the texts before and after the place
where the student begins to speak. `mended` says what is mended in the chat template of the base. `training` has the
figures of a dry run in the whole memory of this machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TextIO

from arf_programs.models import render_text
from arf_programs.runs import read_jsonl
from signatures.records import TrainingExample
from training.loop.base_model import load_tokenizer
from training.loop.lengths import chat_messages, learned_text, measure
from training.settings import TrainSettings, load_settings, quiet_libraries, run_command
from training.sizing.dry_run import dry_run


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.preview", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of settings, as for training.sft")
    parser.add_argument("--data", type=Path, required=True, help="the example, then the rows of the training, if any")
    given = parser.parse_args(argv)
    return run_command(lambda machine: preview(load_settings(given.config, {}), given.data, machine))


def preview(settings: TrainSettings, data: Path, machine: TextIO) -> None:
    """Write the JSON object. Raises DataError for a base whose chat template students cannot be trained with."""
    example, *rows = read_jsonl(data, TrainingExample)
    quiet_libraries()
    base = load_tokenizer(settings.base)
    measure(base.tokenizer, [example], base.stops)
    prompt, completion = chat_messages(example)
    shown = {
        "mended": base.notes,
        "prompt": render_text(base.tokenizer, prompt, for_answer=True),
        "learns": learned_text(base.tokenizer, prompt, completion),
        "training": dry_run(settings, [rows or [example]], later=True).model_dump(mode="json"),
    }
    machine.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())

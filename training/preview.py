"""Show one example as a base model would read it: `python -m training.preview --base B --data FILE`.

Only the tokenizer is loaded. One JSON object comes out: `prompt` and `learns` are the texts before and after the place
where the student begins to speak, and `mended` says what is mended in the chat template of the base.
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
from training.settings import quiet_libraries, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.preview", description=__doc__)
    parser.add_argument("--base", required=True, help="smollm2-135m, a folder, or a Hugging Face id")
    parser.add_argument("--data", type=Path, required=True, help="a file with one training example")
    given = parser.parse_args(argv)
    return run_command(lambda machine: preview(given.base, given.data, machine))


def preview(name: str, data: Path, machine: TextIO) -> None:
    """Write the JSON object. Raises DataError for a base whose chat template students cannot be trained with."""
    (example,) = read_jsonl(data, TrainingExample)
    quiet_libraries()
    base = load_tokenizer(name)
    measure(base.tokenizer, [example], base.stops)
    prompt, completion = chat_messages(example)
    shown = {
        "mended": base.notes,
        "prompt": render_text(base.tokenizer, prompt, for_answer=True),
        "learns": learned_text(base.tokenizer, prompt, completion),
    }
    machine.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())

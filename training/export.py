"""Merges a student's adapter into its base: `python -m training.export --adapter student/arf --output merged`.

What it writes is an ordinary transformers model, in safetensors, which any server loads without PEFT.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from signatures.exceptions import DataError
from training.base_model import load_base
from training.command import quiet_libraries, run_command
from training.training_log import LOG


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export", description="Merge a student's adapter into its base model."
    )
    parser.add_argument("--adapter", type=Path, required=True, help="folder of the student, e.g. student/arf")
    parser.add_argument("--output", type=Path, required=True, help="folder to make; it must not exist")
    arguments = parser.parse_args(argv)
    return run_command(lambda _: export(arguments.adapter, arguments.output))


def export(adapter: Path, output: Path) -> None:
    """Write the merged model, its tokenizer and the training log to the folder `output`, whole or not at all.

    The weights keep the type of the base. Raises DataError when `adapter` is no adapter or `output` exists.
    """
    base = _base_of(adapter)
    if output.exists():
        raise DataError(f"{output} exists: remove it or choose another folder.")
    quiet_libraries()
    from peft import PeftModel
    from transformers import AutoTokenizer

    model, _ = load_base(base, "auto")
    tokenizer = AutoTokenizer.from_pretrained(adapter, trust_remote_code=False)
    merged: Any = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as temporary:
        made = Path(temporary) / "merged"
        merged.save_pretrained(made)
        tokenizer.save_pretrained(made)
        if (adapter / LOG).is_file():
            shutil.copyfile(adapter / LOG, made / LOG)
        made.replace(output)


def _base_of(adapter: Path) -> str:
    config = adapter / "adapter_config.json"
    if not config.is_file() and any(adapter.glob("model*.safetensors")):
        raise DataError(f"{adapter} is a whole model already (train.method full): use the folder as it is.")
    try:
        base = json.loads(config.read_bytes())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{adapter} is no adapter: it has no adapter_config.json that names its base.") from None
    return str(base)


if __name__ == "__main__":
    raise SystemExit(main())

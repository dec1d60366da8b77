"""Take a student out of its run: as an adapter or merged into its base, with a model card, to a folder or to the Hub.

    python -m training.export --run-dir runs/my-run --arm arf --output my-student [--merged] [--ollama]
    python -m training.export --run-dir runs/my-run --arm arf --repo me/my-student [--merged] [--private]
    python -m training.export --adapter runs/my-run/student/arf --output my-student

The second form uploads. Its token comes from the environment variable HF_TOKEN and is passed only to huggingface_hub.
The third form merges any adapter, and writes no card, since it has no run to describe. A merged student is an ordinary
transformers model in safetensors, which any server loads without PEFT.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arf_programs.config import load_config
from arf_programs.models import is_adapter, mend_template
from arf_programs.runs import RunFolder, write_text_atomic
from arf_programs.stages import training_log
from arf_programs.text import build_system_text
from arf_programs.tools.serving import find_student
from signatures.exceptions import ConfigError, DataError, StageError
from training.loop.base_model import load_base
from training.loop.records import LOG
from training.model_card import ADAPTER, MARK, base_of, gather, render_card
from training.ollama import MODELFILE, write_modelfile
from training.settings import quiet_libraries, run_command

CARD = "README.md"
_PUBLISHED = (".safetensors", ".json", ".jinja", ".txt", ".model")  # weights, tokenizer; no pickle, nothing of training


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description="Take a student out of its run.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run-dir", type=Path, help="folder of a run with trained students")
    source.add_argument("--adapter", type=Path, help="folder of an adapter, e.g. student/arf, to merge without a card")
    parser.add_argument("--arm", default="arf", help="which student of the run")
    parser.add_argument("--merged", action="store_true", help="merge the adapter into its base")
    parser.add_argument("--ollama", action="store_true", help="merge it, and write a Modelfile beside it")
    parser.add_argument("--license", help="licence of the base as the Hub names it, e.g. apache-2.0")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--output", type=Path, help="folder to make; an earlier export is replaced")
    target.add_argument("--repo", help="repository of the Hub, e.g. me/my-student; made if missing")
    parser.add_argument("--private", action="store_true", help="make the repository a private one")
    given = parser.parse_args(argv)
    if given.repo and (given.adapter or given.ollama):
        parser.error("--repo takes a student of a run, without --ollama")
    if given.adapter:
        return run_command(lambda _: export(given.adapter, given.output), given.output)
    folder = RunFolder(given.run_dir)
    if given.repo:
        return run_command(
            lambda _: push(
                folder, given.arm, given.repo, merged=given.merged, private=given.private, license=given.license
            )
        )
    return run_command(
        lambda _: export_student(
            folder, given.arm, given.output, merged=given.merged, license=given.license, ollama=given.ollama
        ),
        given.output,
    )


def export(adapter: Path, output: Path) -> None:
    """Write the merged model, its tokenizer and the training log to the folder `output`, whole or not at all.

    The weights keep the type of the base. Raises DataError when `adapter` is no adapter or `output` exists.
    """
    _base_name(adapter)
    if output.exists():
        raise DataError(f"{output} exists: remove it or choose another folder.")
    with _whole_or_not(output) as made:
        _merge(adapter, made)
        if (adapter / LOG).is_file():
            shutil.copyfile(adapter / LOG, made / LOG)


def export_student(
    folder: RunFolder, arm: str, output: Path, *, merged: bool, license: str | None = None, ollama: bool = False
) -> None:
    """Write the student of an arm with its model card to the folder `output`, whole or not at all.

    An earlier export there is replaced. With `ollama` the student is merged and a Modelfile is written. Raises
    DataError for an arm without a student, for a folder that holds anything else and for what no Modelfile can say, and
    what `training.model_card.gather` raises.
    """
    student = find_student(folder, arm)
    _refuse_to_overwrite(output)
    adapter = is_adapter(student)
    form = "merged model" if adapter and (merged or ollama) else ADAPTER if adapter else "model"
    card = render_card(gather(folder, arm, form=form, license=license))
    with _whole_or_not(output) as made:
        if form == "merged model":
            _merge(student, made)
        else:
            _copy(student, made)
        if ollama:
            write_text_atomic(made / MODELFILE, _modelfile(folder, arm, made))
        write_text_atomic(made / CARD, card)


def _refuse_to_overwrite(output: Path) -> None:
    """Raise DataError when `output` exists and is neither empty nor an earlier export."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    card = output / CARD
    if not card.is_file() or MARK not in card.read_text(encoding="utf-8", errors="replace"):
        raise DataError(f"{output} is not empty and is no export of a student: remove it or choose another folder.")


@contextmanager
def _whole_or_not(output: Path) -> Iterator[Path]:
    """Give a folder to write into; it replaces `output` when the block ends without an error."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        yield made
        if output.exists():
            output.replace(Path(temporary) / "earlier")
        made.replace(output)


def _merge(adapter: Path, made: Path) -> None:
    quiet_libraries()
    from peft import PeftModel
    from transformers import AutoTokenizer

    model, _ = load_base(_base_name(adapter), "auto")
    tokenizer = AutoTokenizer.from_pretrained(adapter, trust_remote_code=False)
    mend_template(tokenizer)
    merged: Any = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    merged.save_pretrained(made)
    tokenizer.save_pretrained(made)


def _modelfile(folder: RunFolder, arm: str, made: Path) -> str:
    from transformers import AutoTokenizer

    config = load_config(folder.config)
    tokenizer = AutoTokenizer.from_pretrained(made, trust_remote_code=False)
    mend_template(tokenizer)
    context = int(training_log(folder, arm)["settings"]["max_length"])
    instruction = build_system_text(config.summarize.instruction)
    return write_modelfile(tokenizer, instruction, context=context, answer=config.evaluate.max_tokens)


def _copy(student: Path, made: Path) -> None:
    """Copy weights and tokenizer. An adapter names its base by its id on the Hub, never by a local folder."""
    for path in sorted(student.iterdir()):
        if path.is_file() and path.suffix in _PUBLISHED and path.name != LOG:
            shutil.copyfile(path, made / path.name)
    config = made / "adapter_config.json"
    if config.is_file():
        name = _base_name(made)
        content = {**json.loads(config.read_bytes()), "base_model_name_or_path": base_of(name)[0] or Path(name).name}
        write_text_atomic(config, json.dumps(content, indent=2, sort_keys=True) + "\n")


def _base_name(adapter: Path) -> str:
    config = adapter / "adapter_config.json"
    if not config.is_file() and any(adapter.glob("model*.safetensors")):
        raise DataError(f"{adapter} is a whole model already (train.method full): use the folder as it is.")
    try:
        base = json.loads(config.read_bytes())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{adapter} is no adapter: it has no adapter_config.json that names its base.") from None
    return str(base)


TOKEN = "HF_TOKEN"  # noqa: S105 - the name of the variable


def push(folder: RunFolder, arm: str, repo: str, *, merged: bool, private: bool, license: str | None = None) -> None:
    """Upload the student of an arm with its card to a model repository of the Hub, and make the repository if needed.

    `private` applies to a new repository; an existing one keeps its visibility. Raises ConfigError when
    HF_TOKEN is not set, StageError when the Hub refuses or cannot be reached, and what `export_student` raises.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ConfigError(
            f"the environment variable {TOKEN} is not set: `export {TOKEN}=...` with a token that may write"
        )
    find_student(folder, arm)
    with tempfile.TemporaryDirectory(prefix="arf-push-") as temporary:
        made = Path(temporary) / "export"
        export_student(folder, arm, made, merged=merged, license=license)
        _upload(made, repo, token, private=private)


def _upload(folder: Path, repo: str, token: str, *, private: bool) -> None:
    quiet_libraries()
    from httpx import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    hub = HfApi(token=token)
    try:
        hub.create_repo(repo, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repo, folder_path=folder, commit_message="Student exported by arf-programs")
    except HFValidationError as error:
        raise ConfigError(f"{repo!r} is no repository of the Hub: {error}") from None
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split()).replace(token, "***")
        raise StageError(f"{repo}: the Hub did not take the upload: {reason}") from None


if __name__ == "__main__":
    raise SystemExit(main())

"""Stage `train`: build the examples of each arm and fine-tune its student, each in a process of its own.

The preference stage follows the arms, where one is configured. Since `training/` runs in processes of its own, this
process needs no torch.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from arf_programs.config import ARMS, PREFERENCE_STUDENTS, environment_without_secrets
from arf_programs.models import close_models
from arf_programs.review import read_reviews, reviews_digest
from arf_programs.runs import Run, RunFolder, digest, digest_file, read_jsonl, write_text_atomic
from arf_programs.stages.revise import further_outputs
from arf_programs.stages.stage import Stage
from signatures.exceptions import DataError, StageError
from signatures.records import Revision


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.train, *(run.folder.student / name for name in run.config.train.students()))


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    preference = config.train.preference
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "drafts.jsonl": digest_file(run.folder.drafts),
        "revisions.jsonl": digest_file(run.folder.revisions),
        "summarize.instruction": digest(config.summarize.instruction),
        "revise.on_reject": digest(config.revise.on_reject),
        "train": digest(
            config.train.model_dump(
                mode="json", exclude={"preference", "acknowledge_terms", *config.train.without_new_defaults()}
            )
        ),
        "seed": digest(config.seed),
        **({"train.preference": digest(preference.model_dump(mode="json"))} if preference.method != "none" else {}),
        **{path.name: digest_file(path) for path in further_outputs(run)},
        # They decide how much each revision of a draft weighs; which ones they are shows in the file of revisions.
        **({"models.editors": digest(True)} if config.models.editors else {}),
        **_reviews_fingerprint(run),
    }


def _reviews_fingerprint(run: Run) -> dict[str, str]:
    """Return the hash of what people decided about revisions; empty where that changes nothing."""
    mode, lines = run.config.revise.human, read_reviews(run.folder)
    if mode == "ignore" or not (lines or mode == "only"):
        return {}
    decided = reviews_digest(read_jsonl(run.folder.revisions, Revision), lines) if lines else ""
    return {"reviews": digest([mode, decided])} if decided or mode == "only" else {}


def student_name(arm: str) -> str:
    """Name the student of an arm among the systems."""
    return f"student_{arm}"


def training_log(folder: RunFolder, arm: str) -> dict[str, Any]:
    """Read the log that ends a training. Raises StageError when there is none."""
    path = folder.student / arm / "training_log.json"
    try:
        log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise StageError(f"{path} is missing: the student of arm {arm} is not trained.") from None
    return log


def work(run: Run) -> dict[str, int]:
    (run.folder.train / "log.txt").unlink(missing_ok=True)
    close_models()  # training is a process of its own, and needs the memory
    _run_module(run, "training.build", "--run-dir", str(run.folder.path))
    for arm in run.config.train.arms:
        _train_arm(run, arm)
    if run.config.train.preference.method != "none":
        _train_on_pairs(run)
    return {f"{name} examples": training_log(run.folder, name)["examples"] for name in run.config.train.students()}


def _train_arm(run: Run, arm: str) -> None:
    data = run.folder.train / f"{arm}.jsonl"
    if not data.read_bytes().strip():
        raise StageError(
            f"Arm {arm} has no training example: see revisions.jsonl and failures.jsonl for the reasons, "
            "set revise.on_reject to keep_draft, or leave the arm out of train.arms."
        )
    _train_student(run, "training.sft", arm, data)


def _train_on_pairs(run: Run) -> None:
    """Go on from the student of arm `arf`, or from the base."""
    preference = run.config.train.preference
    data = run.folder.train / "preference.jsonl"
    if not data.read_bytes().strip():
        raise StageError(
            "There is no verified revision, so no pair to train on: see revisions.jsonl for the reasons, or set "
            "train.preference.method to none."
        )
    start = ("--adapter", str(run.folder.student / "arf")) if preference.after == "sft" else ()
    _train_student(run, "training.preference", PREFERENCE_STUDENTS[preference.method], data, *start)


def _train_student(run: Run, module: str, name: str, data: Path, *more: str) -> None:
    """Train one student; the module goes on where it was interrupted, and does nothing for a whole student."""
    settings = run.folder.train / f"{name}.json"
    write_text_atomic(settings, json.dumps(settings_of(run, name), indent=2) + "\n")
    arguments = ("--data", str(data), "--output", str(run.folder.student / name), "--config", str(settings), *more)
    _run_module(run, module, *arguments, label=student_name(name))


def settings_of(run: Run, name: str) -> dict[str, Any]:
    """The settings of one student's training, as `training.sft` and `training.preference` read them."""
    left_out = {"arms", "acknowledge_terms"} | ({"preference"} if name in ARMS else set())
    settings = run.config.train.model_dump(mode="json", exclude=left_out)
    return {**settings, "arm": name, "seed": run.config.seed}


def _run_module(run: Run, module: str, *arguments: str, label: str = "") -> None:
    """Run `python -m module`; its JSON lines on stdout move the progress bar."""
    log = run.folder.train / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with training_process(module, *arguments, log=log) as lines:
        _show_steps(run, lines, label)


def _show_steps(run: Run, lines: Iterable[str], label: str) -> None:
    steps = _steps(run, lines)
    first = next(steps, None)
    if first is None:
        return
    with run.progress.task(label, total=first["total"]):
        for step in chain([first], steps):
            run.progress.advance(note=f"loss {step['loss']:.2f}")


def _steps(run: Run, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read the lines of steps, and print what the training says between them."""
    for line in lines:
        row = json.loads(line)
        if "say" in row:
            run.progress.say(f"  {row['say']}")
        else:
            yield row


@dataclass(frozen=True)
class Outlook:
    """The figures of a dry run, as `training.sizing` finds them, and the same in words."""

    figures: dict[str, Any]
    text: str


def outlook_of(run: Run, student: str) -> Outlook:
    """Find out what it would take to train a student, on its rows in the run folder if they are there.

    Raises StageError when the process fails for another reason than problems that it reports.
    """
    module, rows = ("training.sft", student) if student in ARMS else ("training.preference", "preference")
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        settings = Path(folder) / "train.json"
        settings.write_text(json.dumps(settings_of(run, student)), encoding="utf-8")
        data = run.folder.train / f"{rows}.jsonl"
        output = ""
        try:
            with training_process(
                module, "--dry-run", "--json", "--config", str(settings), "--data", str(data)
            ) as lines:
                output = "".join(lines)
        except DataError:
            if not output:  # else the problems are in it
                raise
    result = json.loads(output)
    return Outlook(result["figures"], result["text"])


STAGE = Stage("train", "fine-tune one student per arm", outputs, fingerprint, work)


_LAST_LINES = 12
_WRONG_INPUT = 2  # the exit code of `training.settings` for a mistake of the user


@contextmanager
def training_process(module: str, *arguments: str, log: Path | None = None) -> Iterator[Iterable[str]]:
    """Run `python -m module` and give the lines of its stdout; read them to the end.

    What the module writes to stderr is appended to `log`. The process ends with the block. Raises DataError for a
    mistake of the user, else StageError, both with the last words of the module.
    """
    environment = environment_without_secrets(keep="HF_")
    command = [sys.executable, "-m", module, *arguments]
    with (
        log.open("a+", encoding="utf-8") if log else TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,  # noqa: S603
    ):
        begin = errors.tell()
        try:
            yield process.stdout or ()
        except BaseException:
            process.terminate()
            raise
        code = process.wait()
        errors.seek(begin)
        words = _last_words(errors.read())
    if code == _WRONG_INPUT:
        raise DataError(words)
    if code != 0:
        where = f"; see {log}" if log else ""
        raise StageError(f"`python -m {module}` failed (exit code {code}){where}:\n{words}")


def run_training_module(module: str, *arguments: str) -> str:
    """Run `python -m module` to its end and return its stdout. Raises what `training_process` raises."""
    with training_process(module, *arguments) as lines:
        return "".join(lines)


def _last_words(stderr: str) -> str:
    """The text after the last `error:`; without one, the last lines."""
    *before, message = re.split(r"^error: ", stderr, flags=re.MULTILINE)
    return (message if before else "\n".join(stderr.splitlines()[-_LAST_LINES:])).strip()

"""Stage `train`: build the examples of each arm and fine-tune its student, each in a process of its own.

The preference stage follows the arms, where one is configured. Since `training/` runs in processes of its own, this
process needs no torch. A preview shows, before any payment, what the base of the students would read and learn of one
example, and what a training takes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from arf_programs.config import ARMS, PREFERENCE_STUDENTS, Arm, environment_without_secrets
from arf_programs.models import SMOLLM2, close_models, resolve_weights
from arf_programs.review import read_reviews, reviews_digest
from arf_programs.runs import (
    Run,
    RunFolder,
    StatusFile,
    digest,
    digest_file,
    read_jsonl,
    write_jsonl_atomic,
    write_text_atomic,
)
from arf_programs.stages.stage import Stage
from arf_programs.stages.variants import further_outputs
from arf_programs.text import build_messages
from signatures.exceptions import ConfigError, DataError, StageError
from signatures.records import Conversation, Revision, TrainingExample, Turn

_LAST_LINES = 12
_WRONG_INPUT = 2  # the exit code of `training.settings` for a mistake of the user
_STAND_IN = Conversation(
    id="example",
    turns=(
        Turn(speaker="Customer", text="My lamp came broken."),
        Turn(speaker="Agent", text="Sorry! A new one is on its way."),
    ),
    references=("The customer's lamp came broken, and the agent sent a new one.",),
)


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.train, *(run.folder.student / name for name in run.config.train.students()))


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
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
        **_preference_fingerprint(run),
        **{path.name: digest_file(path) for path in further_outputs(run)},
        # They decide how much each revision of a draft weighs; which ones they are shows in the file of revisions.
        **({"models.editors": digest(True)} if config.models.editors else {}),
        **_reviews_fingerprint(run),
    }


def _preference_fingerprint(run: Run) -> dict[str, str]:
    """Return the hashes of what the pairs and the training on them depend on; empty without that training."""
    preference = run.config.train.preference
    if preference.method == "none":
        return {}
    parts = {"train.preference": digest(preference.model_dump(mode="json", exclude=preference.without_new_defaults()))}
    if preference.rejected != "draft" and preference.kinds != "uniform":
        parts["errors.jsonl"] = digest_file(run.folder.errors)
    return parts


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
    return _read_log(folder.student / arm)


def _read_log(student: Path) -> dict[str, Any]:
    path = student / "training_log.json"
    try:
        log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise StageError(f"{path} is missing: the student is not trained.") from None
    return log


def work(run: Run) -> dict[str, int]:
    (run.folder.train / "log.txt").unlink(missing_ok=True)
    close_models()  # training is a process of its own, and needs the memory
    _run_module(run, "training.build", "--run-dir", str(run.folder.path))
    for arm in run.config.train.arms:
        _train_arm(run, arm)
    if run.config.train.preference.method != "none":
        _train_preferred(run)
    return {f"{name} examples": training_log(run.folder, name)["examples"] for name in run.config.train.students()}


def _train_arm(run: Run, arm: str) -> None:
    data = run.folder.train / f"{arm}.jsonl"
    if not data.read_bytes().strip():
        raise StageError(
            f"Arm {arm} has no training example: see revisions.jsonl and failures.jsonl for the reasons, "
            "set revise.on_reject to keep_draft, or leave the arm out of train.arms."
        )
    _train_student(run, "training.sft", arm, data)


def _train_preferred(run: Run) -> None:
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
    settings = _write_settings(settings_of(run, name), run.folder.train / f"{name}.json")
    arguments = ("--data", str(data), "--output", str(run.folder.student / name), "--config", str(settings), *more)
    _run_module(run, module, *arguments, label=_place_of(name, run.config.train.students()))


def _place_of(name: str, students: Sequence[str]) -> str:
    """Name a student in the progress of the stage, with its place among those that are trained one after the other."""
    place = f" ({students.index(name) + 1} of {len(students)})" if len(students) > 1 else ""
    return student_name(name) + place


def train_on(run: Run, data: Path, student: Path, *, arm: Arm, label: str, more: Sequence[str] = ()) -> int:
    """Train a student like that of an arm on other rows; return its number of examples.

    Settings and log are written beside the rows. `more` are further options of `training.sft`. An interrupted training
    goes on, as in the stage.
    """
    return _train_apart(run, "training.sft", data, student, settings_of(run, arm), label, more)


def train_on_pairs(
    run: Run, data: Path, output: Path, settings: Mapping[str, Any], *, start: Path | None, label: str
) -> int:
    """Train a model on preference pairs; return their number. `start` is the adapter to go on from, if there is one.

    Settings and log are written beside the pairs. An interrupted training goes on.
    """
    more = ("--adapter", str(start)) if start else ()
    return _train_apart(run, "training.preference", data, output, settings, label, more)


def _train_apart(
    run: Run, module: str, data: Path, output: Path, settings: Mapping[str, Any], label: str, more: Sequence[str]
) -> int:
    """Train on rows beside those of the run; return their number."""
    close_models()
    path = _write_settings(settings, data.with_suffix(".json"))
    arguments = ("--data", str(data), "--output", str(output), "--config", str(path), *more)
    _run_module(run, module, *arguments, label=label, log=data.with_name("log.txt"))
    return int(_read_log(output)["examples"])


def _write_settings(settings: Mapping[str, Any], path: Path) -> Path:
    write_text_atomic(path, json.dumps(settings, indent=2) + "\n")
    return path


def settings_of(run: Run, name: str) -> dict[str, Any]:
    """The settings of one student's training, as `training.sft` and `training.preference` read them."""
    left_out = {"arms", "acknowledge_terms"} | ({"preference"} if name in ARMS else set())
    settings = run.config.train.model_dump(mode="json", exclude=left_out)
    return {**settings, "arm": name, "seed": run.config.seed}


def _run_module(run: Run, module: str, *arguments: str, label: str = "", log: Path | None = None) -> None:
    """Run `python -m module`; its JSON lines on stdout move the progress bar."""
    log = log or run.folder.train / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with training_process(module, *arguments, log=log) as lines:
        _show_steps(run, lines, label)


def _show_steps(run: Run, lines: Iterable[str], label: str) -> None:
    steps = _steps(run, lines)
    first = next(steps, None)
    if first is None:
        return
    with run.progress.task(label, total=first["total"]):
        status = StatusFile(run.folder.status, label, first["total"], lambda: 0.0, run.progress)
        whole = False
        try:
            for _ in range(1, first["step"]):  # done before an interruption
                status.advance(fresh=False)
            for step in chain([first], steps):
                status.advance(fresh=step is not first, text=f"loss {step['loss']:.2f}")
            whole = True
        finally:
            status.end(whole=whole)


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


@contextmanager
def training_process(module: str, *arguments: str, log: Path | None = None) -> Iterator[Iterable[str]]:
    """Run `python -m module` and give the lines of its stdout; read them to the end.

    What the module writes to stderr is appended to `log`. The process ends with the block. Raises DataError for a
    mistake of the user, else StageError, both with the last words of the module.
    """
    environment = environment_without_secrets()
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


@dataclass(frozen=True)
class Preview:
    """One example as the base reads it, and the training that would follow.

    Attributes:
        prompt: the text that the student is asked with, in the chat template of the base.
        learns: the text that it learns to say after that.
        mended: what is mended in the chat template of the base.
        training: the figures of `training.sizing.DryRun`, for the whole memory of this machine.
        unread: why the base could not be read, where its files have to come from the hub; all else is empty then.
    """

    prompt: str = ""
    learns: str = ""
    mended: tuple[str, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    unread: str = ""


def preview_base(
    run: Run, conversation: Conversation | None = None, training: Iterable[Conversation] = (), *, show: bool = False
) -> Preview:
    """Show how `train.base` would be trained on one conversation (None: one of ours), in a process of its own.

    `training` are the conversations to train on, where they are known; a reference summary or one of ours stands for
    the draft. LoRA on the built-in base is known to be right, so it is only looked at to `show` the example. Raises
    DataError for a base that cannot be read, and for a chat template that no student can be trained with. Raises
    ConfigError for what prevents the training on this machine, such as too little memory.
    """
    base = run.config.train.base
    if base == SMOLLM2 and run.config.train.method == "lora" and not show:
        return Preview()
    is_here = isinstance(resolve_weights(base), Path)
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        data, settings = Path(folder) / "examples.jsonl", Path(folder) / "train.json"
        write_jsonl_atomic(data, (_example(run, item) for item in chain([conversation or _STAND_IN], training)))
        settings.write_text(json.dumps(settings_of(run, run.config.train.arms[0])), encoding="utf-8")
        try:
            shown = json.loads(run_training_module("training.preview", "--config", str(settings), "--data", str(data)))
        except DataError as error:
            if is_here or "cannot be loaded" not in str(error):
                raise
            return Preview(unread=str(error))
    if shown["training"]["problems"]:
        raise ConfigError([f"train: {problem}" for problem in shown["training"]["problems"]])
    return Preview(shown["prompt"], shown["learns"], tuple(shown["mended"]), shown["training"])


def _example(run: Run, conversation: Conversation) -> TrainingExample:
    summary = next((text for text in conversation.references if text.strip()), _STAND_IN.references[0])
    return TrainingExample(
        conversation_id=conversation.id,
        messages=build_messages(run.config.summarize.instruction, conversation),
        completion=summary.strip(),
        arm=run.config.train.arms[0],
    )


def preview_unpaid(run: Run) -> None:
    """Look at the base while the run has not asked anybody yet. Later the training says what is wrong with the base."""
    if not run.folder.ledger.exists():
        preview_base(run)


STAGE = Stage("train", "fine-tune one student per arm", outputs, fingerprint, work)

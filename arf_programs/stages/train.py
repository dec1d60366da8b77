"""Stage `train`: builds each arm's examples and fine-tunes its student, each in a process of its own.

After the arms comes the preference stage, where one is configured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arf_programs.config import ARMS, PREFERENCE_STUDENTS
from arf_programs.runs import Run, RunFolder, digest, digest_file, write_text_atomic
from arf_programs.stages.revise import further_outputs
from arf_programs.stages.stage import Stage
from signatures.exceptions import DataError, StageError

_LAST_LINES = 12
_WRONG_INPUT = 2  # the exit code of `training.settings` for what the user can mend


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
        "train": digest(config.train.model_dump(mode="json", exclude={"preference", "acknowledge_terms"})),
        "seed": digest(config.seed),
        **({"train.preference": digest(preference.model_dump(mode="json"))} if preference.method != "none" else {}),
        **{path.name: digest_file(path) for path in further_outputs(run)},
    }


def student_name(arm: str) -> str:
    """The name of an arm's student among the systems."""
    return f"student_{arm}"


def training_log(folder: RunFolder, arm: str) -> dict[str, Any]:
    """What `training.sft` wrote when it finished. Raises StageError if it has not."""
    path = folder.student / arm / "training_log.json"
    try:
        log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise StageError(f"{path} is missing: the student of arm {arm} is not trained.") from None
    return log


def work(run: Run) -> dict[str, int]:
    (run.folder.train / "log.txt").unlink(missing_ok=True)
    _run_module(run, "training.build", "--run-dir", str(run.folder.path))
    for arm in run.config.train.arms:
        _train_arm(run, arm)
    if run.config.train.preference.method != "none":
        _train_on_pairs(run)
    return {f"{name} examples": training_log(run.folder, name)["examples"] for name in run.config.train.students()}


def _train_arm(run: Run, arm: str) -> None:
    """Train one student; `training.sft` goes on where it was interrupted, and leaves alone what is whole."""
    data, settings = run.folder.train / f"{arm}.jsonl", run.folder.train / f"{arm}.json"
    if not data.read_bytes().strip():
        raise StageError(
            f"Arm {arm} has no training example: see revisions.jsonl and failures.jsonl for the reasons, "
            "set revise.on_reject to keep_draft, or leave the arm out of train.arms."
        )
    write_text_atomic(settings, json.dumps(settings_of(run, arm), indent=2) + "\n")
    arguments = ("--data", str(data), "--output", str(run.folder.student / arm), "--config", str(settings))
    _run_module(run, "training.sft", *arguments, label=student_name(arm))


def _train_on_pairs(run: Run) -> None:
    """The preference stage: `training.preference` goes on from the student of arm `arf`, or from the base."""
    preference = run.config.train.preference
    name = PREFERENCE_STUDENTS[preference.method]
    data, settings = run.folder.train / "preference.jsonl", run.folder.train / f"{name}.json"
    if not data.read_bytes().strip():
        raise StageError(
            "There is no verified revision, so no pair to train on: see revisions.jsonl for the reasons, or set "
            "train.preference.method to none."
        )
    write_text_atomic(settings, json.dumps(settings_of(run, name), indent=2) + "\n")
    start = ("--adapter", str(run.folder.student / "arf")) if preference.after == "sft" else ()
    arguments = ("--data", str(data), "--output", str(run.folder.student / name), "--config", str(settings), *start)
    _run_module(run, "training.preference", *arguments, label=student_name(name))


def settings_of(run: Run, name: str) -> dict[str, Any]:
    """The settings of one student's training, as `training.sft` and `training.preference` read them."""
    left_out = {"arms", "acknowledge_terms"} | ({"preference"} if name in ARMS else set())
    settings = run.config.train.model_dump(mode="json", exclude=left_out)
    return {**settings, "arm": name, "seed": run.config.seed}


def _run_module(run: Run, module: str, *arguments: str, label: str = "") -> None:
    """Run `python -m module`; its JSON lines on stdout move the progress bar. Raises StageError with its last words."""
    command = [sys.executable, "-m", module, *arguments]
    log = run.folder.train / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,  # noqa: S603
    ):
        try:
            _follow(run, process, label)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        last = log.read_text(encoding="utf-8").splitlines()[-_LAST_LINES:]
        kind = DataError if process.returncode == _WRONG_INPUT else StageError
        raise kind(f"`python -m {module}` failed (exit code {process.returncode}); see {log}:\n" + "\n".join(last))


def _follow(run: Run, process: subprocess.Popen[str], label: str) -> None:
    lines = iter(process.stdout or ())
    first = next(lines, "")
    if not first:
        return
    step = json.loads(first)
    with run.progress.task(label, total=step["total"]):
        run.progress.advance(note=f"loss {step['loss']:.2f}")
        for line in lines:
            run.progress.advance(note=f"loss {json.loads(line)['loss']:.2f}")


@dataclass(frozen=True)
class Outlook:
    """The figures of a dry run, those of `training.sizing.dry_run.DryRun`, and the same in words."""

    figures: dict[str, Any]
    text: str


def outlook_of(run: Run, student: str) -> Outlook:
    """The outlook for the student of an arm, or of the preference stage, on its rows in the run folder where they are
    there already.

    Raises StageError when the process fails otherwise than by finding problems.
    """
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        settings = Path(folder) / "train.json"
        settings.write_text(json.dumps(settings_of(run, student)), encoding="utf-8")
        module, rows = ("sft", student) if student in ARMS else ("preference", "preference")
        command = [sys.executable, "-m", f"training.{module}", "--dry-run", "--json", "--config", str(settings)]
        data = run.folder.train / f"{rows}.jsonl"
        done = subprocess.run([*command, "--data", str(data)], capture_output=True, text=True, check=False)  # noqa: S603
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise StageError(f"`python -m training.{module} --dry-run` failed:\n{done.stderr.strip()}") from None
    return Outlook(said["figures"], said["text"])


STAGE = Stage("train", "fine-tune one student per arm", outputs, fingerprint, work)

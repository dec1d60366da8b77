"""Runs a module of `training/` as a process of its own, for commands that wait for it without a progress bar.

The student as an ordinary model, merged into its base, in the folder of its run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from arf_programs.runs import RunFolder, digest_file, write_text_atomic
from arf_programs.stages import student_name
from signatures.exceptions import DataError, StageError

_LAST_LINES = 12
_WRONG_INPUT = 2  # the exit code of `training.settings` for what the user can mend


def run_training_module(module: str, *arguments: str) -> None:
    """Run `python -m module`. Raises DataError for what the user can mend, else StageError, with its last words."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == _WRONG_INPUT:
        raise DataError(_last_words(done.stderr))
    if done.returncode != 0:
        raise StageError(f"`python -m {module}` failed (exit code {done.returncode}):\n{_last_words(done.stderr)}")


def _last_words(stderr: str) -> str:
    """What follows the last `error:`; without one, the last lines."""
    _, marker, message = stderr.rpartition("error: ")
    return (message if marker else "\n".join(stderr.splitlines()[-_LAST_LINES:])).strip()


_MADE_FROM = "made_from.json"
_LOG = "training_log.json"  # written last: where it is, a student is whole


def find_student(folder: RunFolder, arm: str) -> Path:
    """The folder of a whole student. Raises DataError naming the students that there are."""
    whole = sorted(path.parent.name for path in folder.student.glob(f"*/{_LOG}"))
    if arm not in whole:
        there = f"trained are {', '.join(whole)}" if whole else "none is trained: `arf train` does it"
        raise DataError(f"{folder.student}: no student of arm {arm!r}; {there}.")
    return folder.student / arm


def merged_student(folder: RunFolder, arm: str) -> Path:
    """The folder `merged/student_<arm>`; it is made where it is missing, or was made from another student.

    Raises DataError for an arm without a student, StageError when merging fails.
    """
    digest = digest_file(find_student(folder, arm))
    output = folder.merged / student_name(arm)
    if _made_from(output) != digest:
        where = ("--run-dir", str(folder.path), "--arm", arm, "--output", str(output))
        run_training_module("training.export", *where, "--merged")
        write_text_atomic(output / _MADE_FROM, json.dumps({"student": digest}) + "\n")
    return output


def _made_from(output: Path) -> str | None:
    try:
        return str(json.loads((output / _MADE_FROM).read_bytes())["student"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""Runs a module of `training/` as a process of its own, for commands that wait for it without a progress bar."""

from __future__ import annotations

import subprocess
import sys

from signatures.exceptions import DataError, StageError

_LAST_LINES = 12
_WRONG_INPUT = 2  # the exit code of `training.command` for what the user can mend


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

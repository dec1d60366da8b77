"""Run a module of `training/` as a process of its own, so that this process needs no torch."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from arf_programs.config import environment_without_secrets
from signatures.exceptions import DataError, StageError

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

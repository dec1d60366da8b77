"""Guards a run's folder: one process at a time, and one configuration."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import yaml

from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from signatures.exceptions import ConfigError


@contextmanager
def run_lock(run: Run) -> Iterator[None]:
    """Hold the run's folder. Raises ConfigError when another process holds it or it belongs to another run."""
    refuse_foreign_folder(run)
    with _lock_file(run.folder) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{run.folder.path}: another arf is at work here: wait for it, or give another --run-dir."
            ) from None
        yield


def _lock_file(folder: RunFolder) -> TextIO:
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        return (folder / ".lock").open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder.path}: cannot be written to ({error.strerror}): give another --run-dir.") from None


def refuse_foreign_folder(run: Run) -> None:
    """Raise ConfigError when the folder holds a run of another name or another corpus, which would be overwritten."""
    if not run.folder.config.exists():
        return
    try:
        other = yaml.safe_load(run.folder.config.read_text(encoding="utf-8"))
        theirs = {"name": other["name"], "corpus.path": Path(other["corpus"]["path"]).name}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise ConfigError(f"{run.folder.config}: not a configuration that arf wrote: give another --run-dir.") from None
    ours = {"name": run.config.name, "corpus.path": Path(run.config.corpus.path).name}
    for key in ours:
        if ours[key] != theirs[key]:
            raise ConfigError(
                f"{run.folder.path} holds another run ({key} is {theirs[key]}, here {ours[key]}): "
                "give another --run-dir or name, or remove that folder."
            )

"""A run, which every stage is given, and the lock on its folder: one process at a time, and one configuration."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import yaml

from arf_programs.config import (
    ROLES,
    Config,
    as_it_is_there,
    cache_folder,
    dump_config,
    expand_home,
    find_path,
    load_yaml,
    refuse_wrong_kinds,
    remember_secrets,
)
from arf_programs.runs.fingerprint import digest, digest_file
from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import JsonlIndex, read_jsonl, write_text_atomic
from arf_programs.runs.progress import Progress
from arf_programs.runs.storage import make_private_folder, private_files, storing
from signatures.exceptions import ConfigError, StorageError
from signatures.records import Conversation, Record, Summary

_ANSWERS: Final = "cache.db"  # the file that diskcache writes

Side = Literal["train", "holdout", "dev"]
"""A side of the split. Students are trained on `train`, and systems compared on `holdout`.

The second round looks for errors of the student on `dev`.
"""


class SplitConversation(Record):
    """A row of `conversations.jsonl`: a conversation and its side of the split."""

    split: Side
    conversation: Conversation


@dataclass(frozen=True)
class Run:
    """One run. `base_dir` is the folder of arf.yaml; the paths in it are relative to this folder.

    With `again`, rows that failed are tried again, and stored answers that could not be used are asked for again.
    `kept` holds what one stage learns and later stages of the same command use, such as the rates of endpoints.
    """

    config: Config
    base_dir: Path
    folder: RunFolder
    progress: Progress
    again: bool = False
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        config = self.config
        asked = [*config.models.asked(ROLES).values(), *config.models.editors]
        remember_secrets([*asked, *config.evaluate.serve.values(), *config.evaluate.systems.values()])

    def conversations(self, *sides: Side) -> Mapping[str, Conversation]:
        """Return the conversations of the given sides of the split, or of all, by id and in the order of the corpus.

        Each is read when it is asked for.
        """
        return JsonlIndex(
            self.folder.conversations,
            SplitConversation,
            key=lambda row: row["conversation"]["id"] if not sides or row["split"] in sides else None,
            value=lambda row: row.conversation,
        )

    def drafts(self, side: Side) -> Iterator[Summary]:
        """Yield the teacher's drafts on one side of the split."""
        conversations = self.conversations(side)
        return (draft for draft in read_jsonl(self.folder.drafts, Summary) if draft.conversation_id in conversations)

    @property
    def calls(self) -> Path:
        """The folder of stored answers: in the run's folder, or `calls_dir`.

        If that is not there, but answers are in a folder of its name beside arf.yaml, the project was moved.
        """
        given = self.config.calls_dir
        if given is None:
            return self.folder.calls
        as_written = self.base_dir / given  # versions before took `~` for a folder's name: its answers are kept in use
        if as_written.is_dir():
            return as_written
        place = as_it_is_there(self.base_dir / expand_home(given))
        beside = self.base_dir / place.name
        return beside if not place.exists() and (beside / _ANSWERS).is_file() else place

    def content_digest(self, path: str) -> str:
        """Hash a configured file or folder, where `find_path` finds it. A hub id is hashed as text."""
        place = find_path(path, self.base_dir) if path else None
        return digest(path) if place is None else digest_file(place)


def refuse_wrong_places(run: Run) -> None:
    """Raise ConfigError, with all problems, if a configured path or `ARF_CACHE_DIR` can be no file, or no folder.

    A file that is missing is left to the stage that reads it, since a copied run can do without.
    """
    config = run.config
    folders = {
        "run_dir": run.folder.path,
        "calls_dir": run.calls,
        "compile.dir": run.base_dir / config.compile.dir,
        "checker.dir": run.base_dir / config.checker.dir,
        "embed.dir": run.base_dir / config.embed.dir,
    }
    if os.environ.get("ARF_CACHE_DIR"):
        folders["ARF_CACHE_DIR"] = cache_folder()
    files = {
        "labeled.path": config.labeled.path,
        "analyze.taxonomy": config.analyze.taxonomy,
        "analyze.calibration": config.analyze.calibration,
    }
    refuse_wrong_kinds(folders, {key: find_path(path, run.base_dir) for key, path in files.items() if path})


def save_config(run: Run) -> None:
    """Write the resolved configuration into the run's folder, and which folder its paths are relative to."""
    write_text_atomic(run.folder.config, dump_config(run.config))
    base_dir = run.base_dir.resolve()
    from_run = os.path.relpath(base_dir, run.folder.path.resolve())
    noted = f"{base_dir}\n{from_run}\n"
    if not run.folder.base_dir.is_file() or run.folder.base_dir.read_text(encoding="utf-8") != noted:
        write_text_atomic(run.folder.base_dir, noted)


def saved_base_dir(folder: RunFolder) -> Path:
    """Return the folder of a run's arf.yaml. If that folder is gone, as for a copied run, return the run's own folder.

    A run that was copied together with its corpus or its stored answers belongs to the copy, even if the original still
    exists.
    """
    if not folder.base_dir.is_file():
        return folder.path
    saved, *from_run = folder.base_dir.read_text(encoding="utf-8").rstrip("\n").split("\n")
    beside = Path(os.path.normpath(folder.path.resolve() / from_run[0])) if from_run else Path(saved)
    if beside != Path(saved) and _holds_files(beside, folder):
        return beside
    return Path(saved) if Path(saved).is_dir() else folder.path


def _holds_files(base_dir: Path, folder: RunFolder) -> bool:
    """Return whether a folder has the corpus of a run, or its stored answers: the corpus may be one of the hub."""
    try:
        config = load_yaml(folder.config.read_text(encoding="utf-8"))
        paths = [config["corpus"]["path"], config.get("calls_dir")]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return False
    return any(as_it_is_there(base_dir / expand_home(path)).exists() for path in paths if path)


@contextmanager
def lock_run(run: Run) -> Iterator[None]:
    """Lock the run's folder. What is written meanwhile is private.

    Raises ConfigError if another process holds it or it belongs to another run.
    """
    refuse_foreign_folder(run)
    with private_files(), _lock_file(run.folder) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{run.folder.path}: another arf is at work here: wait for it, or give another --run-dir."
            ) from None
        yield
        _refuse_other_folder(run.folder, handle)


def _refuse_other_folder(folder: RunFolder, handle: TextIO) -> None:
    """Raise StorageError if the locked folder is gone. Its files are gone with it."""
    try:
        is_same = os.path.samestat((folder / ".lock").stat(), os.fstat(handle.fileno()))
    except OSError:
        is_same = False
    if not is_same:
        raise StorageError(
            f"{folder.path}: it was removed or moved while it was in use, so files of this run are missing: put it "
            "back, or remove what is there, and run the same command again."
        )


def _lock_file(folder: RunFolder) -> TextIO:
    with storing(folder.path, instead="give another --run-dir"):
        make_private_folder(folder.path, holds=folder.config.name)
        return (folder / ".lock").open("w", encoding="utf-8")


def refuse_foreign_folder(run: Run) -> None:
    """Raise ConfigError if the folder holds a run of another name or corpus, which would be overwritten."""
    if not run.folder.config.exists():
        return
    try:
        other = load_yaml(run.folder.config.read_text(encoding="utf-8"))
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

"""Refuses folders on network file systems, where SQLite's locks do not hold and answers would be lost.

How diskcache lays down texts: as they are, and never as a pickle.

The files of the store: answers as texts by their key, and the ledger of all calls. One process owns them at a time
or, on one machine, several share them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_PICKLE, UNKNOWN

from arf_programs.runs import Call, JsonlAppender
from signatures.exceptions import ConfigError, DataError

_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "beegfs",
    "gpfs",
    "ncpfs",
}
_MOUNTS = Path("/proc/self/mountinfo")


def refuse_network_folder(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Raise ConfigError where `folder` lies on a network file system; says nothing where the system does not tell."""
    kind = file_system(folder, mounts)
    if kind in _NETWORK or kind.startswith("fuse."):
        raise ConfigError(
            f"{folder} is on a network file system ({kind}), where several processes cannot safely share the store of "
            "answers: set calls_dir to a folder on a local disk (the rest of the run may stay where it is)."
        )


def file_system(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `folder`, as Linux names it; empty where it is not told."""
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    wanted = folder.resolve()
    found = [(point, kind) for point, kind in map(_mount, lines) if wanted.is_relative_to(point)]
    return max(found, key=lambda item: len(item[0].parts), default=(Path("/"), ""))[1]


def _mount(line: str) -> tuple[Path, str]:
    """Mount point and type in a line of mountinfo, proc(5): `id parent dev root POINT options - TYPE source`."""
    before, _, after = line.partition(" - ")
    point = before.split(" ")[4] if before.count(" ") >= 4 else "/nowhere"
    return Path(os.fsdecode(point.encode().decode("unicode_escape"))), after.split(" ")[0]


class TextDisk(diskcache.Disk):  # type: ignore[misc, unused-ignore]
    """Keys and values are texts; a pickle that somebody has put into the folder is not opened."""

    def get(self, key: Any, raw: bool) -> Any:
        """The key. Raises DataError for a pickled one."""
        if not raw:
            raise DataError(
                f"{self._directory}: holds what ARF did not write: remove the folder, or name another calls_dir."
            )
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        """How a text is kept. Raises TypeError for anything else."""
        if not isinstance(value, str):
            raise TypeError(f"a text is wanted, not a {type(value).__name__}")
        return super().store(value, read, key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """The text. Raises DataError for a pickle."""
        if mode == MODE_PICKLE:
            raise DataError(
                f"{self._directory}: holds what ARF did not write: remove the folder, or name another calls_dir."
            )
        return super().fetch(mode, filename, value, read)


_PAGES = 1024  # of 4 KiB


class AnswerFiles:
    """Answers under `folder`, which only the owner may read, and calls in the file `ledger`.

    Raises ConfigError where `folder` is on a network file system.
    """

    def __init__(self, folder: Path, ledger: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_network_folder(folder)
        folder.chmod(0o700)
        self._answers = diskcache.Cache(
            str(folder),
            disk=TextDisk,
            eviction_policy="none",
            timeout=60,
            # Its defaults (32 MB of pages, 64 MB mapped) grow with the store, and an answer is read once.
            sqlite_cache_size=_PAGES,
            sqlite_mmap_size=0,
        )
        self._ledger = JsonlAppender(ledger)

    def find(self, key: str) -> str | None:
        """The answer under `key`, None if there is none."""
        found: str | None = self._answers.get(key)
        return found

    def keep(self, key: str, answer: str) -> None:
        """Store an answer, in the place of one that is there."""
        self._answers.set(key, answer)

    def book(self, call: Call) -> None:
        """Add a line to the ledger."""
        self._ledger.append(call)

    def close(self) -> None:
        """Close the files."""
        self._answers.close()
        self._ledger.close()

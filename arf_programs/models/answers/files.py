"""The files of the store: answers as texts by their key (diskcache), and the ledger of all calls.

Several processes of one machine may share them. Folders on network file systems are refused: SQLite's locks do not work
there, and answers would be lost.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_PICKLE, UNKNOWN

from arf_programs.config import mask
from arf_programs.runs import Call, JsonlAppender, make_private_folder, storing
from signatures.exceptions import ConfigError, DataError

# Kinds of file systems on a disk or in the memory of this machine. Any other may be on a network.
_LOCAL = re.compile(
    r"ext[234]|xfs|btrfs|bcachefs|zfs|f2fs|jfs|reiserfs|reiser4|nilfs2|ubifs|jffs2|minix|apfs|hfs|hfsplus|ufs|vfat|msdos|"
    r"exfat|ntfs3?|fuseblk|udf|iso9660|squashfs|erofs|tmpfs|ramfs|devtmpfs|rootfs|overlay|overlayfs|aufs|ecryptfs|"
    r"fuse\.(?:ext[234]|fuse-overlayfs|ntfs-3g|ntfs|exfat|mergerfs|gocryptfs|encfs|cryfs|zfs|bindfs)"
)
_OCTAL = re.compile(rb"\\([0-7]{3})")  # spaces and the like, as the kernel writes them
_MOUNTS = Path("/proc/self/mountinfo")
_PAGES = 1024  # of 4 KiB
_FOREIGN = "{}: holds files that ARF did not write: remove the folder, or name another calls_dir."


class AnswerFiles:
    """Answers under `folder`, and calls in the file `ledger`. Only its owner may read a folder that is made here.

    Raises ConfigError if `folder` is on a network file system.
    """

    def __init__(self, folder: Path, ledger: Path) -> None:
        self._folder = folder
        with self._storing():
            make_private_folder(folder)
            refuse_network_folder(folder)
            self._answers = diskcache.Cache(
                str(folder),
                disk=TextDisk,
                eviction_policy="none",
                timeout=60,
                # An answer is read once, so the default caches (32 MB of pages, 64 MB mapped) would only use memory.
                sqlite_cache_size=_PAGES,
                sqlite_mmap_size=0,
            )
        self._ledger = JsonlAppender(ledger)

    def find(self, key: str) -> str | None:
        """Return the answer under `key`; None if there is none."""
        with self._storing():
            answer: str | None = self._answers.get(key)
        return answer

    def keep(self, key: str, answer: str) -> None:
        """Store an answer, and replace an earlier one."""
        with self._storing():
            self._answers.set(key, mask(answer))

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield each stored answer with its key."""
        with self._storing():
            for key in list(self._answers.iterkeys()):
                if (answer := self._answers.get(key)) is not None:
                    yield key, answer

    def remove(self, keys: Iterable[str]) -> int:
        """Remove the answers under these keys, and return how many there were."""
        with self._storing():
            return sum(self._answers.delete(key) for key in keys)

    def book(self, call: Call) -> None:
        """Add a line to the ledger."""
        self._ledger.append(call)

    def close(self) -> None:
        """Close the files."""
        with suppress(sqlite3.Error, OSError):  # every answer was written before
            self._answers.close()
        self._ledger.close()

    def _storing(self) -> AbstractContextManager[None]:
        return storing(self._folder, instead="set calls_dir to another folder")


class TextDisk(diskcache.Disk):  # type: ignore[misc, unused-ignore]
    """Stores keys and values as texts. It never opens a pickle, which somebody may have put into the folder."""

    def get(self, key: Any, raw: bool) -> Any:
        """Return a key. Raises DataError for a pickled one."""
        if not raw:
            raise DataError(_FOREIGN.format(self._directory))
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        """Store a text. Raises TypeError for anything else."""
        if not isinstance(value, str):
            raise TypeError(f"a text is wanted, not a {type(value).__name__}")
        return super().store(value, read, key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Return a text. Raises DataError for a pickle."""
        if mode == MODE_PICKLE:
            raise DataError(_FOREIGN.format(self._directory))
        return super().fetch(mode, filename, value, read)


def refuse_network_folder(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Raise ConfigError if `folder` is not on a local file system. It passes where the kernel does not say."""
    kind = file_system(folder, mounts)
    if kind and not _LOCAL.fullmatch(kind):
        raise ConfigError(
            f"{folder} is on a network file system ({kind}), or on one that ARF does not know. Several processes "
            "cannot safely share the store of answers there: set calls_dir to a folder on a local disk (the rest of "
            "the run may stay where it is)."
        )


def file_system(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system that holds `folder`, as Linux names it; empty if it is unknown."""
    try:
        lines = mounts.read_bytes().split(b"\n")
    except OSError:
        return ""
    wanted = folder.resolve()
    holding = [(point, kind) for point, kind in map(_mount, lines) if wanted.is_relative_to(point)]
    # Of several mounts at one point the last is on top.
    return max(reversed(holding), key=lambda item: len(item[0].parts), default=(Path("/"), ""))[1]


def _mount(line: bytes) -> tuple[Path, str]:
    """Read mount point and type from a line of mountinfo, proc(5): `id parent dev root POINT options - TYPE source`."""
    before, _, after = line.partition(b" - ")
    point = before.split(b" ")[4] if before.count(b" ") >= 4 else b"/nowhere"
    plain = _OCTAL.sub(lambda escape: bytes([int(escape[1], 8)]), point)
    return Path(os.fsdecode(plain)), os.fsdecode(after.split(b" ")[0])

"""The files of the store: answers as texts by their key, and the ledger of all calls. One process owns them at a time
or, on one machine, several share them.
"""

from __future__ import annotations

from pathlib import Path

import diskcache
from arf_programs.jsonl import JsonlAppender
from arf_programs.models.spent import Call
from arf_programs.models.network_folder import refuse_network_folder
from arf_programs.models.text_disk import TextDisk

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

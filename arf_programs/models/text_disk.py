"""How diskcache lays down texts: as they are, and never as a pickle."""

from __future__ import annotations

from typing import Any

import diskcache
from diskcache.core import MODE_PICKLE, UNKNOWN

from signatures.exceptions import DataError


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

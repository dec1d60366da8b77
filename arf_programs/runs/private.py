"""Files that only their owner can read: a run holds conversations of customers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def private_files() -> Iterator[None]:
    """Give folders that this block and its processes make the mode 0700, and files 0600, whatever the umask."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_private_folder(folder: Path, *, holds: str = "") -> None:
    """Make a folder that only its owner can read.

    A folder that is there becomes private if it is empty or holds the file `holds`. Otherwise it keeps its mode.
    Raises FileExistsError if a file is in its place.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        is_ours = bool(holds) and ((folder / holds).exists() or not any(folder.iterdir()))
        if is_ours:
            with suppress(PermissionError):  # the folder belongs to another user, who has given us access
                folder.chmod(0o700)

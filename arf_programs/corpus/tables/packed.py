"""Text files that are packed: by gzip, bzip2 or xz, or as the only file of a ZIP archive, as pandas writes them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

_PACKED: Final[dict[bytes, Any]] = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ": lzma.LZMAFile}
_ZIP: Final = b"PK\x03\x04"
_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zip")
_LONGEST_MARK: Final = 6

UNPACKING_ERRORS: Final = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)
"""What reading a broken or encrypted file raises, besides OSError."""


def unpacked_name(path: Path) -> str:
    """Return the name of the text within a packed file: `a.csv` of `a.csv.gz`, or of the only file of `a.zip`."""
    if path.suffix.lower() not in _SUFFIXES:
        return path.name
    member = _only_member(path) if path.suffix.lower() == ".zip" and path.is_file() else None
    return member or path.stem


def open_text_file(path: Path) -> BinaryIO:
    """Open a file for reading its text, which may be packed. Raises OSError or one of UNPACKING_ERRORS."""
    with path.open("rb") as file:
        start = file.read(_LONGEST_MARK)
    for mark, opened in _PACKED.items():
        if start.startswith(mark):
            return cast("BinaryIO", opened(path))
    member = _only_member(path) if start.startswith(_ZIP) else None
    return cast("BinaryIO", zipfile.ZipFile(path).open(member)) if member else path.open("rb")


def _only_member(path: Path) -> str | None:
    names = members(path)
    return names[0] if len(names) == 1 else None


def members(path: Path) -> list[str]:
    """Return the names of the files in a ZIP archive; none if it is broken, or no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if not name.startswith("__MACOSX/") and not name.endswith("/")]
    except (OSError, *UNPACKING_ERRORS):
        return []

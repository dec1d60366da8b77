"""What all kinds of files give: rows with their numbers, and problems with their places.

A text file is in UTF-8, or in UTF-16 or UTF-32 as spreadsheets and databases write it. It may be packed by gzip, bzip2
or xz, or be the only file of a ZIP archive, as pandas writes them. Lines may end as on any system.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from signatures.exceptions import DataError

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


MOST_SHOWN = 20
_MOST_RUNS = 6
_UNDECODED = re.compile("[\udc80-\udcff]")
# The first bytes of files that are no text, and what to do with them.
_NO_TEXT = {
    b"PK\x03\x04": "is a ZIP archive that cannot be read: save the data as JSONL, CSV or Parquet",
    b"\xd0\xcf\x11\xe0": "is an Excel file, not a text: save it as CSV in UTF-8",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: unpack it",
    b"PAR1": "is a Parquet file: set corpus.format to parquet",
    b"ARROW1": "is an Arrow file: save it as Parquet",
    b"ORC": "is an ORC file: save it as Parquet",
    b"SQLite format 3": "is a database of SQLite: save its table as CSV or Parquet",
    b"%PDF": "is a PDF: save its text as JSONL or CSV",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself: run `git lfs pull`",
}
_BINARY = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c\x1d\x1f]|^[\x80\xff]")  # bytes with which no text in UTF-8 begins
_PAGES = (b"<!doctype html", b"<html")
_LONGEST_START = 64
_OF_OFFICE = "[Content_Types].xml"  # OOXML, part 2: each package has it
_MOST_NAMES = 5


@dataclass(frozen=True)
class Row:
    """One row. `number` is its first line in a text file, else the number of the row, from 1."""

    number: int
    values: dict[str, object]


@dataclass
class Problems:
    """Collects the problems of one file with their places. `unit` is what is counted: a line or a row."""

    file: str
    unit: str = "line"
    _problems: list[_Problem] = field(default_factory=list)

    def add(self, text: str, *, at: int | None = None, inside: str = "") -> None:
        """Note a problem of a line or row, counted from 1, or of the whole file; `inside` names a part of the row."""
        self._problems.append(_Problem(at or 0, inside, text))

    def __len__(self) -> int:
        return len(self._problems)

    def raise_any(self) -> None:
        """Raise DataError if there are problems, with what `lines` returns."""
        if self._problems:
            raise DataError("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return the first MOST_SHOWN different problems in the order of the file.

        A problem of several lines is listed once, with its count and the lines.
        """
        groups: dict[str, list[_Problem]] = {}
        for problem in sorted(self._problems, key=lambda problem: problem.at):
            groups.setdefault(problem.text, []).append(problem)
        lines = [self._line(text, found) for text, found in groups.items()]
        more = len(lines) - MOST_SHOWN
        return [*lines[:MOST_SHOWN], f"and {more} more"] if more > 0 else lines

    def _line(self, text: str, found: list[_Problem]) -> str:
        numbers = sorted({one.at for one in found})
        plural = "s" if len(numbers) > 1 else ""
        place = f"{self.file} {self.unit}{plural} {_numbers(numbers)}" if numbers[0] else self.file
        if len(found) > 1:
            return f"{place} ({len(found)} times): {text}"
        return ": ".join(filter(None, (place, found[0].inside, text)))


@dataclass(frozen=True)
class _Problem:
    at: int
    inside: str
    text: str


def _numbers(numbers: list[int]) -> str:
    """Write sorted numbers in short: `2, 5-8, 11 and 40 more`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:_MOST_RUNS])
    more = sum(map(len, runs[_MOST_RUNS:]))
    return f"{shown} and {more} more" if more else shown


def read_text_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their ends, and their numbers from 1. `undecoded` says which are not to be used.

    Raises DataError, which calls the file `name`, if it is no text or cannot be read.
    """
    number, encoding = 0, ""
    try:
        with open_text_file(path) as file:
            encoding = _encoding(file, name, path)
            # An empty `newline` keeps line ends as they are: within quotes of CSV they belong to the text.
            for number, line in enumerate(TextIOWrapper(file, encoding, "surrogateescape", newline=""), start=1):
                yield number, line
    except UnicodeError as error:
        raise DataError(f"{name} line {number + 1}: not {encoding} from here on: save the file as UTF-8") from error
    except (OSError, *UNPACKING_ERRORS) as error:
        raise DataError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def undecoded(line: str) -> str:
    """Say where a line has a byte that is not in the encoding of the file. Empty if there is none."""
    bad = None if line.isascii() else _UNDECODED.search(line)
    if bad is None:
        return ""
    byte, column = ord(bad.group()) - 0xDC00, len(line[: bad.start()].encode()) + 1
    return f"not UTF-8 (byte 0x{byte:02x} at column {column}): save the file as UTF-8 (in Excel: `CSV UTF-8`)"


def _encoding(file: BinaryIO, name: str, path: Path) -> str:
    """Find the encoding by the first bytes, as JSON's standard does. Raises DataError if they are of no text."""
    start = file.read(_LONGEST_START)
    file.seek(0)
    if reason := _why_no_text(start, path):
        raise DataError(f"{name}: {reason}")
    return json.detect_encoding(start)


def why_no_text(path: Path) -> str:
    """Say what a file is by its first bytes, if it is no text, and how to mend that. Empty if it is a text."""
    try:
        with open_text_file(path) as file:
            return _why_no_text(file.read(_LONGEST_START), path)
    except (OSError, *UNPACKING_ERRORS):
        return ""


def _why_no_text(start: bytes, path: Path) -> str:
    if start.startswith(b"PK\x03\x04") and (inside := members(path)):
        return _why_no_archive(inside)
    reason = next((reason for first, reason in _NO_TEXT.items() if start.startswith(first)), "")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "is a web page, as a download without a login gives: save the data itself"
    if not reason and json.detect_encoding(start).startswith("utf-8") and _BINARY.search(start):
        return "is no text: save it as JSONL, CSV or Parquet"
    return reason


def _why_no_archive(inside: list[str]) -> str:
    if _OF_OFFICE in inside:
        return "is a file of Excel or of another office program: save it as CSV in UTF-8"
    names = ", ".join(inside[:_MOST_NAMES]) + (", ..." if len(inside) > _MOST_NAMES else "")
    return (
        f"is a ZIP archive of several files ({names}): unpack it, and set corpus.path to one of them, or to a file of "
        "all their rows"
    )

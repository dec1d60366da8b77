"""Files of records, one JSON object a line: read, written whole, and appended to so that a crash costs one line.

A process that dies while it appends leaves a last line that has no newline and is not JSON. No proper prefix of a JSON
object is JSON, so such a line can be told from a whole one, and dropping it drops nothing that was finished.


A JSONL file as a mapping from key to record: 24 bytes a row are in memory, a record is read when asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from signatures.exceptions import DataError

Model = TypeVar("Model", bound=BaseModel)
_BLOCK = 1 << 16


def is_half_written(line: bytes) -> bool:
    """Whether the last line of a file is the remains of an interrupted write: no newline, and not JSON."""
    if not line or line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def read_jsonl(path: Path, model: type[Model], *, ignore_half_line: bool = False) -> Iterator[Model]:
    """Yield one record a line, lazily; blank lines are passed over.

    `ignore_half_line` passes over a half-written last line, which `JsonlAppender` will cut off. Raises DataError naming
    file and line when the file cannot be read or a line is no such record.
    """
    for _, number, line in read_lines(path):
        if not (ignore_half_line and is_half_written(line)):
            yield parse_line(line, model, f"{path} line {number}")


def read_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset in bytes, number from 1, line) of each line that is not blank. Raises DataError for an unreadable
    file.
    """
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield offset, number, line
                offset += len(line)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def parse_line(line: bytes, model: type[Model], place: str) -> Model:
    """The record of a line. Raises DataError that names `place`."""
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = f"{field}: {first['msg']}" if field else first["msg"]
        raise DataError(f"{place}: not a {model.__name__} record ({reason}): mend or remove the line") from error


def write_text_atomic(path: Path, text: str) -> None:
    """Write a UTF-8 file that is either whole or not there; missing folders are made."""
    _write_atomic(path, (text,))


def write_jsonl_atomic(path: Path, rows: Iterable[BaseModel]) -> None:
    """Write records one a line into a file that is either whole or not there; missing folders are made."""
    _write_atomic(path, (row.model_dump_json() + "\n" for row in rows))


def write_lines_atomic(path: Path, lines: Iterable[str]) -> None:
    """Write lines, given without their end, into a file that is either whole or not there."""
    _write_atomic(path, (line + "\n" for line in lines))


def _write_atomic(path: Path, pieces: Iterable[str]) -> None:
    # A plain open honours the umask, which tempfile does not: other people may read a run.
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class JsonlAppender:
    """Appends records to a JSONL file, each flushed when it is written; safe to call from several threads.

    Opening makes missing folders, cuts off a half-written last line and ends a whole one that lacks its newline.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = Lock()
        self._file: BinaryIO = path.open("a+b")
        _heal(self._file)

    def append(self, record: BaseModel) -> int:
        """Write one record as one line, and return its offset, which holds while nobody else appends to the file."""
        line = record.model_dump_json().encode() + b"\n"
        with self._lock:
            offset = self._file.seek(0, os.SEEK_END)
            self._file.write(line)
            self._file.flush()
        return offset

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(offset, line) of what is in the file."""
        return ((offset, line) for offset, _, line in read_lines(self._path))

    def line_at(self, offset: int) -> bytes:
        """The line that begins at an offset."""
        with self._lock:
            self._file.seek(offset)
            return self._file.readline()

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _heal(file: BinaryIO) -> None:
    start = _start_of_last_line(file)
    file.seek(start)
    last = file.read()
    if is_half_written(last):
        file.truncate(start)
    elif last and not last.endswith(b"\n"):
        file.write(b"\n")
        file.flush()


def _start_of_last_line(file: BinaryIO) -> int:
    """The offset behind the last newline (of a file that ends in one: its size), found from the end backwards."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


Value = TypeVar("Value")


class JsonlIndex(Mapping[str, Value], Generic[Model, Value]):
    """Rows of `path` by key, in the file's order; a row whose key is None is left out, and of equal keys the last
    counts.

    `key` reads the key off a row's JSON object, `value` turns the record into what the mapping gives. Raises DataError,
    naming file and line, when the file cannot be read or a row is no such record; the latter when the row is read.
    """

    def __init__(
        self,
        path: Path,
        model: type[Model],
        *,
        key: Callable[[dict[str, Any]], str | None],
        value: Callable[[Model], Value],
    ) -> None:
        self._path, self._model, self._key, self._value = path, model, key, value
        offsets, hashes = array("q"), array("Q")
        for offset, number, line in read_lines(path):
            name = self._key_of(line, number)
            if name is not None:
                offsets.append(offset)
                hashes.append(_hash(name))
        every, unsorted = np.array(offsets, dtype=np.int64), np.array(hashes, dtype=np.uint64)
        last = self._last_of_equal_keys(every, unsorted)
        self._offsets, unsorted = every[last], unsorted[last]
        self._order = np.argsort(unsorted, kind="stable")
        self._hashes = unsorted[self._order]

    def _last_of_equal_keys(self, offsets: NDArray[np.int64], hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which rows have a key that no later row has. Keys are read only where their hashes are equal."""
        _, groups, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        last: NDArray[np.bool_] = counts[groups] == 1
        repeated = np.flatnonzero(~last)
        rows = {self._key(json.loads(self._line(int(offsets[place])))): place for place in repeated}
        last[list(rows.values())] = True
        return last

    def __getitem__(self, name: str) -> Value:
        wanted = np.uint64(_hash(name))
        first, end = (int(np.searchsorted(self._hashes, wanted, side=side)) for side in ("left", "right"))
        for place in range(end - 1, first - 1, -1):
            line = self._line(int(self._offsets[self._order[place]]))
            if self._key(json.loads(line)) == name:
                return self._parse(line)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[str]:
        return (self._key(json.loads(line)) or "" for line in self._lines())

    def values(self) -> Collection[Value]:  # type: ignore[override]
        """The values in the file's order, read one at a time, each time anew."""
        return _Values(self)

    def items(self) -> Iterator[tuple[str, Value]]:  # type: ignore[override]
        """Keys and values in the file's order, one at a time."""
        return ((self._key(json.loads(line)) or "", self._parse(line)) for line in self._lines())

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for offset in self._offsets:
                file.seek(int(offset))
                yield file.readline()

    def _line(self, offset: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.readline()

    def _key_of(self, line: bytes, number: int) -> str | None:
        try:
            return self._key(json.loads(line))
        except (ValueError, KeyError, TypeError):
            parse_line(line, self._model, f"{self._path} line {number}")
            raise DataError(
                f"{self._path} line {number}: not a {self._model.__name__} record: mend or remove the line"
            ) from None

    def _parse(self, line: bytes) -> Value:
        return self._value(parse_line(line, self._model, str(self._path)))


class _Values(Collection[Value], Generic[Model, Value]):
    """What `JsonlIndex.values` gives."""

    def __init__(self, index: JsonlIndex[Model, Value]) -> None:
        self._index = index

    def __iter__(self) -> Iterator[Value]:
        return (self._index._parse(line) for line in self._index._lines())

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, value: object) -> bool:
        return any(value == other for other in self)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")

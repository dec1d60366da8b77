"""Files of records, one JSON object a line: how they are read, written, appended to, and indexed by key.

Secrets are masked here in all that is written.

A process that dies while it appends leaves a last line without a newline. This line is not JSON, because no proper
prefix of a JSON object is JSON. So it is never taken for a complete line, and cutting it off loses no complete record.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from arf_programs.config import mask
from arf_programs.runs.storage import storing
from signatures.exceptions import DataError

Model = TypeVar("Model", bound=BaseModel)
_BLOCK = 1 << 16


def is_half_written(line: bytes) -> bool:
    """Say whether the last line of a file comes from an interrupted write: it has no newline and is not JSON."""
    if not line or line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    except RecursionError:  # it may be whole, so nothing is cut off
        return False
    return False


def read_jsonl(path: Path, model: type[Model], *, ignore_half_line: bool = False) -> Iterator[Model]:
    """Yield the records of a file. Blank lines are skipped.

    With `ignore_half_line`, a half-written last line is skipped; `JsonlAppender` will cut it off. Raises DataError,
    which names file and line, if the file cannot be read or a line is not such a record.
    """
    for _, number, line in read_lines(path):
        if not (ignore_half_line and is_half_written(line)):
            yield parse_line(line, model, f"{path} line {number}")


def read_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset in bytes, number from 1, line) of each line that is not blank.

    Raises DataError if the file cannot be read.
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
    """Parse the record of a line. Raises DataError, which names `place`."""
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = f"{field}: {first['msg']}" if field else first["msg"]
        raise DataError(f"{place}: not a {model.__name__} record ({reason}): mend or remove the line") from error


def write_text_atomic(path: Path, text: str) -> None:
    """Write a UTF-8 file completely or not at all. Missing folders are made."""
    _write_atomic(path, (text,))


def write_jsonl_atomic(path: Path, rows: Iterable[BaseModel]) -> None:
    """Write records, one a line, completely or not at all. Missing folders are made."""
    _write_atomic(path, (row.model_dump_json() + "\n" for row in rows))


def write_lines_atomic(path: Path, lines: Iterable[str]) -> None:
    """Write lines, which are given without newline, completely or not at all. Missing folders are made."""
    _write_atomic(path, (line + "\n" for line in lines))


def read_record(path: Path, model: type[Model]) -> Model | None:
    """Read a file that holds one record. Return None if there is none, or if it has another form."""
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_record(path: Path, record: BaseModel) -> None:
    """Write one record as indented JSON, completely or not at all."""
    write_text_atomic(path, record.model_dump_json(indent=2) + "\n")


def _write_atomic(path: Path, pieces: Iterable[str]) -> None:
    # `open` respects the umask, and tempfile does not: not all that is written here is private.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(map(mask, pieces))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            with suppress(OSError):  # the error that brought us here says more
                part.unlink(missing_ok=True)


class JsonlAppender:
    """Appends records to a JSONL file and flushes each. Several threads may use it.

    Opening makes missing folders, cuts off a half-written last line, and adds a newline that a complete one lacks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b")
            _heal(self._file)

    def append(self, record: BaseModel) -> int:
        """Write one record as one line and return its offset, which is right if nobody else appends to the file."""
        line = mask(record.model_dump_json()).encode() + b"\n"
        with self._lock, storing(self._path):
            offset = self._file.seek(0, os.SEEK_END)
            self._file.write(line)
            self._file.flush()
        return offset

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, line) of the lines in the file."""
        return ((offset, line) for offset, _, line in read_lines(self._path))

    def line_at(self, offset: int) -> bytes:
        """Read the line that begins at an offset."""
        with self._lock:
            self._file.seek(offset)
            return self._file.readline()

    def close(self) -> None:
        """Close the file. It may be closed twice."""
        with suppress(OSError):  # only what `append` has raised for is not on disk yet
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
    """Find the offset after the last newline, reading backwards. It is the size of a file that ends in a newline."""
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
    """The records of a file by key, in the order of the file. 24 bytes a row are kept in memory.

    `key` takes the key from a row's JSON object. A row whose key is None is left out; of equal keys the last counts.
    `value` turns the record into the mapping's value. A record is read when it is asked for. Raises DataError, which
    names file and line, if the file cannot be read, or later if a row is not such a record.
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
        return (self._name(line) for line in self._lines())

    def values(self) -> ValuesView[Value]:
        """Return the values in the order of the file. They are read one at a time, at each pass again."""
        return _Values(self)

    def items(self) -> ItemsView[str, Value]:
        """Return keys and values in the order of the file. They are read one at a time, at each pass again."""
        return _Items(self)

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
        except (ValueError, KeyError, TypeError, RecursionError):
            parse_line(line, self._model, f"{self._path} line {number}")
            raise DataError(
                f"{self._path} line {number}: not a {self._model.__name__} record: mend or remove the line"
            ) from None

    def _name(self, line: bytes) -> str:
        return self._key(json.loads(line)) or ""

    def _parse(self, line: bytes) -> Value:
        return self._value(parse_line(line, self._model, str(self._path)))


class _Values(ValuesView[Value], Generic[Model, Value]):
    def __init__(self, index: JsonlIndex[Model, Value]) -> None:
        super().__init__(index)
        self._index = index

    def __iter__(self) -> Iterator[Value]:
        return (self._index._parse(line) for line in self._index._lines())


class _Items(ItemsView[str, Value], Generic[Model, Value]):
    def __init__(self, index: JsonlIndex[Model, Value]) -> None:
        super().__init__(index)
        self._index = index

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return ((self._index._name(line), self._index._parse(line)) for line in self._index._lines())


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")

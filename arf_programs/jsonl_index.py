"""A JSONL file as a mapping from key to record: 24 bytes a row are in memory, a record is read when asked for."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import BaseModel

from arf_programs.jsonl import parse_line, read_lines
from signatures.exceptions import DataError

Model = TypeVar("Model", bound=BaseModel)
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
        self._offsets = np.array(offsets, dtype=np.int64)
        unsorted = np.array(hashes, dtype=np.uint64)
        self._order = np.argsort(unsorted, kind="stable")
        self._hashes = unsorted[self._order]

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

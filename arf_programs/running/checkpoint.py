"""The rows of a step that are done, kept one by one while the step is at work, and put in order when it is whole."""

from __future__ import annotations

from array import array
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from arf_programs.fingerprint import digest
from arf_programs.jsonl import JsonlAppender, write_lines_atomic

_MISSING = -1


class _Done(BaseModel):
    """A line of the file: a row's digest, and its result as JSON text."""

    model_config = ConfigDict(extra="forbid")

    row: str
    result: str


class Checkpoint:
    """Results of one step by the digest of their row and, once told, by the row's number.

    The file's name carries the hash of what the results depend on, so what was done under other settings is not taken
    up again. In memory: 8 bytes a row, and about 150 for each that an earlier run has left.
    """

    def __init__(self, folder: Path, stage: str, depends: dict[str, str]) -> None:
        self._path = folder / f"{stage}.{digest(depends)}.jsonl"
        for stale in folder.glob(f"{stage}.*.jsonl"):
            if stale != self._path:
                stale.unlink()
        self._left: dict[str, int] = {}
        self._offsets = array("q")
        self._file = JsonlAppender(self._path)
        for offset, line in self._file.lines():
            self._left[_Done.model_validate_json(line).row] = offset

    def known(self, number: int, row: str) -> bool:
        """Whether the row of that digest was done by an earlier run; from then on it goes by its number."""
        offset = self._left.get(row)
        if offset is not None:
            self._place(number, offset)
        return offset is not None

    def add(self, number: int, row: str, result: str) -> None:
        """Keep a row's result."""
        self._place(number, self._file.append(_Done(row=row, result=result)))

    def seed(self, row: str, result: str) -> None:
        """Keep the result of a row that has no number yet."""
        self._left[row] = self._file.append(_Done(row=row, result=result))

    def result(self, number: int) -> str:
        """The result of a row that is done, as JSON."""
        return self._read(self._offsets[number])

    def finish(self, output: Path) -> int:
        """Write the results to `output` in the order of the rows, and return how many there are. The file of the
        checkpoint goes.
        """
        done = [offset for offset in self._offsets if offset != _MISSING]
        write_lines_atomic(output, (self._read(offset) for offset in done))
        self.close()
        self._path.unlink()
        return len(done)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _place(self, number: int, offset: int) -> None:
        while len(self._offsets) <= number:
            self._offsets.append(_MISSING)
        self._offsets[number] = offset

    def _read(self, offset: int) -> str:
        return _Done.model_validate_json(self._file.line_at(offset)).result

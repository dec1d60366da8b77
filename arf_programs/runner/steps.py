"""What a stage does to one row, in a form that another process can take up.

The rows of a step that are done or failed, kept one by one while the stage is at work.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from arf_programs.config import ModelConfig
from arf_programs.runner.rows import RowKey
from arf_programs.runs import JsonlAppender, Run, RunFolder, digest, write_lines_atomic
from signatures.records import Failure

_WAVE = 10_000  # rows in memory at once
_ROWS_A_CALL = 2  # rows that wait for their next try, or are read or written, leave no place empty

Row = TypeVar("Row", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)


@dataclass(frozen=True)
class Step(Generic[Row, Result]):
    """One question, or several, about each row; functions are those of a module, so that workers can import them.

    `open` builds the program and gives what is done to a row. `then` makes the next step's row of a row and its result,
    where steps follow one another. `content` is what is asked about, where rows of different names may have the same.
    `depends` is the hashes of all that the results depend on beside the row itself. `models` are those that are asked.
    `name` tells the steps of a stage apart that have outputs of their own. One that is done `here` never goes to a
    cluster.
    """

    stage: str
    row: type[Row]
    result: type[Result]
    open: Callable[[Run], Callable[[Row], Awaitable[Result]]]
    key: Callable[[Row], RowKey]
    output: Callable[[RunFolder], Path]
    depends: Callable[[Run], dict[str, str]]
    models: Callable[[Run], Sequence[ModelConfig]]
    then: Callable[[Row, Result], Any] | None = None
    content: Callable[[Row], str] | None = None
    name: str = ""
    here: bool = False

    @property
    def label(self) -> str:
        """Stage and name, as the progress shows them."""
        return f"{self.stage}: {self.name}" if self.name else self.stage

    @property
    def file_label(self) -> str:
        """Stage and name in the name of a file."""
        return f"{self.stage}-{self.name.replace(' ', '-')}" if self.name else self.stage

    def slots(self, run: Run) -> int:
        """Rows in flight: as many as keep the models busy."""
        return max((rows_at_once(model) for model in self.models(run)), default=1)

    def share(self, row: Row, workers: int) -> int:
        """Which of so many workers does a row: rows of the same content go to one, which asks once for both."""
        text = str(self.key(row)) if self.content is None else self.content(row)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") % workers


def rows_at_once(model: ModelConfig) -> int:
    """Rows in flight that keep a model busy: twice as many as calls; in batch mode as many as make a large batch."""
    if model.mode == "live":
        return _ROWS_A_CALL * model.concurrency
    return max(model.concurrency, min(_WAVE, model.batch.max_requests))


def row_digest(row: BaseModel) -> str:
    """BLAKE2b, 32 hexadecimal digits, of a row's JSON."""
    return hashlib.blake2b(row.model_dump_json().encode(), digest_size=16).hexdigest()


_MISSING = -1


class _Through(BaseModel):
    """A line of the file: a row's digest, and its result as JSON text, or its failure."""

    model_config = ConfigDict(extra="forbid")

    row: str
    result: str = ""
    failure: Failure | None = None


class Checkpoint:
    """Results and failures of one step by the digest of their row and, once told, by the row's number.

    The file's name carries the hash of what the results depend on, so what was done under other settings is not taken
    up again. It stays until the stage is whole. With `again`, failures that an earlier run has left are forgotten. In
    memory: 8 bytes a row, and about 150 for each that an earlier run has left.
    """

    def __init__(self, folder: Path, step: str, depends: dict[str, str], *, again: bool = False) -> None:
        self._path = folder / f"{step}.{digest(depends)}.jsonl"
        for stale in folder.glob(f"{step}.*.jsonl"):
            if stale != self._path:
                stale.unlink()
        self._left: dict[str, int] = {}
        self._failed: dict[str, Failure] = {}
        self._offsets = array("q")
        self._file = JsonlAppender(self._path)
        for offset, line in self._file.lines():
            self._recall(offset, _Through.model_validate_json(line), again=again)

    def known(self, number: int, row: str) -> bool:
        """Whether the row of that digest was done by an earlier run; from then on it goes by its number."""
        offset = self._left.get(row)
        if offset is not None:
            self._place(number, offset)
        return offset is not None

    def failure(self, row: str) -> Failure | None:
        """How the row of that digest failed in an earlier run; None if it did not."""
        return self._failed.get(row)

    def add(self, number: int, row: str, result: str) -> None:
        """Keep a row's result."""
        self._place(number, self._file.append(_Through(row=row, result=result)))

    def add_failure(self, row: str, failure: Failure) -> None:
        """Keep a row's failure."""
        self._file.append(_Through(row=row, failure=failure))

    def seed(self, row: str, result: str) -> None:
        """Keep the result of a row that has no number yet."""
        self._left[row] = self._file.append(_Through(row=row, result=result))

    def result(self, number: int) -> str:
        """The result of a row that is done, as JSON."""
        return self._read(self._offsets[number])

    def finish(self, output: Path) -> int:
        """Write the results to `output` in the order of the rows, and return how many there are."""
        done = [offset for offset in self._offsets if offset != _MISSING]
        write_lines_atomic(output, (self._read(offset) for offset in done))
        self.close()
        return len(done)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _recall(self, offset: int, line: _Through, *, again: bool) -> None:
        if line.failure is None:
            self._left[line.row] = offset
            self._failed.pop(line.row, None)
        elif not again:
            self._failed[line.row] = line.failure

    def _place(self, number: int, offset: int) -> None:
        while len(self._offsets) <= number:
            self._offsets.append(_MISSING)
        self._offsets[number] = offset

    def _read(self, offset: int) -> str:
        return _Through.model_validate_json(self._file.line_at(offset)).result


def remove_checkpoints(folder: Path, stage: str) -> None:
    """Remove what the steps of a stage have kept, as the stage is whole, and what a killed process has half written."""
    for pattern in (f"{stage}.*.jsonl", f"{stage}-*.jsonl", f".{stage}-*.part"):
        for path in folder.glob(pattern):
            path.unlink()

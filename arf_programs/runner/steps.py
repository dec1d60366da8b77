"""Define the steps of a stage, and keep the results and failures of a step while the stage runs."""

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

_MOST_IN_BATCH = 10_000  # rows in memory at once
_ROWS_A_CALL = 2  # some rows wait for a next try, or are being read or written: the others keep the model busy
_MISSING = -1  # the offset of a row without a result

Row = TypeVar("Row", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)


@dataclass(frozen=True)
class Step(Generic[Row, Result]):
    """The questions that a stage asks about each row.

    Its functions are functions of a module, so that workers can import them.

    prepare: builds the program, and returns the function that does a row.
    depends: returns the hashes of everything that the results depend on beside the row.
    models: returns the models that are asked.
    then: makes the row of the next step from a row and its result.
    content: returns what is asked about, where rows with different names may have the same content.
    name: separates the steps of a stage that have outputs of their own.
    here: keeps the step on this machine, never on a cluster.
    """

    stage: str
    row: type[Row]
    result: type[Result]
    prepare: Callable[[Run], Callable[[Row], Awaitable[Result]]]
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
        """The stage and the name, as the progress shows them."""
        return f"{self.stage}: {self.name}" if self.name else self.stage

    @property
    def file_label(self) -> str:
        """The stage and the name, as part of a file name."""
        return f"{self.stage}-{self.name.replace(' ', '-')}" if self.name else self.stage

    def slots(self, run: Run) -> int:
        """Count the rows in flight that keep the models busy."""
        return max((_rows_at_once(model) for model in self.models(run)), default=1)

    def worker_of(self, row: Row, workers: int) -> int:
        """Return the index of the worker that does a row. Rows with the same content share one, which asks once."""
        text = str(self.key(row)) if self.content is None else self.content(row)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") % workers


def _rows_at_once(model: ModelConfig) -> int:
    """Count the rows in flight that keep a model busy. In batch mode they fill a large batch."""
    if model.mode == "live":
        return _ROWS_A_CALL * model.concurrency
    return max(model.concurrency, min(_MOST_IN_BATCH, model.batch.max_requests))


def row_digest(row: BaseModel) -> str:
    """Return the BLAKE2b digest of a row's JSON as 32 hexadecimal digits."""
    return hashlib.blake2b(row.model_dump_json().encode(), digest_size=16).hexdigest()


class _Line(BaseModel):
    """A line of the file: the digest of a row, and its result as JSON text or its failure."""

    model_config = ConfigDict(extra="forbid")

    row: str
    result: str = ""
    failure: Failure | None = None


class Checkpoint:
    """A file with the results and failures of one step. Rows are identified by their digest, later by their number.

    The file name contains the hash of what the results depend on, so results made under other settings are not used.
    The file stays until the stage is whole. With `again`, failures of earlier runs are forgotten. It takes 8 bytes of
    memory for a row, and about 150 for a row of an earlier run.
    """

    def __init__(self, folder: Path, step: str, depends: dict[str, str], *, again: bool = False) -> None:
        self._path = folder / f"{step}.{digest(depends)}.jsonl"
        for stale in folder.glob(f"{step}.*.jsonl"):
            if stale != self._path:
                stale.unlink()
        self._earlier: dict[str, int] = {}
        self._failed: dict[str, Failure] = {}
        self._offsets = array("q")
        self._file = JsonlAppender(self._path)
        for offset, line in self._file.lines():
            self._read_earlier(offset, _Line.model_validate_json(line), again=again)

    def recall(self, number: int, row: str) -> bool:
        """Give a row of an earlier run its number. Return False if that run has no result with this digest."""
        offset = self._earlier.get(row)
        if offset is not None:
            self._set_offset(number, offset)
        return offset is not None

    def failure(self, row: str) -> Failure | None:
        """Return the failure of an earlier run with this digest."""
        return self._failed.get(row)

    def add(self, number: int, row: str, result: str) -> None:
        self._set_offset(number, self._file.append(_Line(row=row, result=result)))

    def add_failure(self, row: str, failure: Failure) -> None:
        self._file.append(_Line(row=row, failure=failure))

    def seed(self, row: str, result: str) -> None:
        """Keep the result of a row that has no number yet."""
        self._earlier[row] = self._file.append(_Line(row=row, result=result))

    def result(self, number: int) -> str:
        """Return the result of a row as JSON."""
        return self._read(self._offsets[number])

    def finish(self, output: Path) -> int:
        """Write the results to `output` in the order of the rows, and return their number."""
        done = [offset for offset in self._offsets if offset != _MISSING]
        write_lines_atomic(output, (self._read(offset) for offset in done))
        self.close()
        return len(done)

    def close(self) -> None:
        self._file.close()

    def _read_earlier(self, offset: int, line: _Line, *, again: bool) -> None:
        if line.failure is None:
            self._earlier[line.row] = offset
            self._failed.pop(line.row, None)
        elif not again:
            self._failed[line.row] = line.failure

    def _set_offset(self, number: int, offset: int) -> None:
        while len(self._offsets) <= number:
            self._offsets.append(_MISSING)
        self._offsets[number] = offset

    def _read(self, offset: int) -> str:
        return _Line.model_validate_json(self._file.line_at(offset)).result


def remove_checkpoints(folder: Path, stage: str) -> None:
    """Remove the checkpoints of a whole stage, and half-written files of a process that was killed."""
    for pattern in (f"{stage}.*.jsonl", f"{stage}-*.jsonl", f".{stage}-*.part"):
        for path in folder.glob(pattern):
            path.unlink()

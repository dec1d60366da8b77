"""What a stage does to one row, in a form that another process can take up."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from arf_programs.config.models import ModelConfig
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.running.rows import RowKey

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

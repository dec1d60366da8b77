"""Rows as they travel over the cluster: a table of texts and numbers, no pickle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from arf_programs.running.cluster.stop import Stop
from arf_programs.running.collect import Done, Task
from arf_programs.running.step import Step

Format = Literal["parquet", "jsonl"]

_SCHEMA = pa.schema([
    ("number", pa.int64()),
    ("step", pa.int64()),
    ("digest", pa.string()),
    ("row", pa.string()),
    ("done", pa.string()),
    ("stop", pa.string()),
])  # fmt: skip
_DONE: TypeAdapter[list[Done]] = TypeAdapter(list[Done])


@dataclass(frozen=True)
class Passing:
    """A row on its way: it waits for step `step`, and `done` is what the steps before it made of it.

    `step` is ENDED for a row that no step has to see; `stop` is an error that concerns all rows.
    """

    number: int
    step: int
    digest: str
    row: str
    done: tuple[Done, ...] = ()
    stop: Stop | None = None

    @classmethod
    def of(cls, task: Task) -> Passing:
        """The task, before its first step."""
        return cls(task.number, task.step, task.digest, task.row.model_dump_json())

    def task(self, steps: Sequence[Step[Any, Any]]) -> Task:
        """The task of the step that it waits for."""
        return Task(self.number, self.step, self.digest, steps[self.step].row.model_validate_json(self.row))

    def after(self, done: Done, left: Task | None) -> Passing:
        """The row after a step, with the task that follows."""
        passed = (*self.done, done)
        if left is None:
            return replace(self, step=ENDED, row="", done=passed)
        return replace(Passing.of(left), done=passed)

    def stopped(self, stop: Stop) -> Passing:
        """The row that no step will do, for an error that concerns all."""
        return replace(self, step=ENDED, row="", stop=stop)


ENDED = -1


def to_table(rows: Iterable[Passing]) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_pylist([_record(row) for row in rows], schema=_SCHEMA)


def from_table(table: pa.Table) -> list[Passing]:
    """The rows of a table."""
    return [
        Passing(
            number=record["number"],
            step=record["step"],
            digest=record["digest"],
            row=record["row"],
            done=tuple(_DONE.validate_json(record["done"])),
            stop=Stop.model_validate_json(record["stop"]) if record["stop"] else None,
        )
        for record in table.select(_SCHEMA.names).to_pylist()
    ]


def write_files(tasks: Iterator[Task], folder: Path, form: Format, rows: int) -> list[Path]:
    """Write tasks to files of so many rows each; one file at a time is in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    while some := list(islice(tasks, rows)):
        path = folder / f"{len(paths):06d}.{form}"
        _write(to_table(map(Passing.of, some)), path, form)
        paths.append(path)
    return paths


def _write(table: pa.Table, path: Path, form: Format) -> None:
    if form == "parquet":
        pq.write_table(table, path)
        return
    import json

    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in table.to_pylist())


def _record(row: Passing) -> dict[str, Any]:
    return {
        "number": row.number,
        "step": row.step,
        "digest": row.digest,
        "row": row.row,
        "done": _DONE.dump_json(list(row.done)).decode(),
        "stop": row.stop.model_dump_json() if row.stop else "",
    }

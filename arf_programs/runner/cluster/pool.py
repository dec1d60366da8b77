"""Do a step of many rows in an actor of Ray Data. Rows travel as tables of texts and numbers, without pickle."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from arf_programs.runner.cluster.connect import PortableError
from arf_programs.runner.cluster.owner import Job, OwnerConnection, RemoteStore
from arf_programs.runner.collect import Task, TaskResult, do_step
from arf_programs.runner.context import asking_from
from arf_programs.runner.rows import each_row, less_garbage_collection, reason_of
from arf_programs.runner.steps import Step
from arf_programs.runs import Run
from signatures.exceptions import ArfError, StageError

Format = Literal["parquet", "jsonl"]

_SCHEMA = pa.schema([
    ("number", pa.int64()),
    ("step", pa.int64()),
    ("digest", pa.string()),
    ("row", pa.string()),
    ("results", pa.string()),
    ("error", pa.string()),
])  # fmt: skip
_RESULTS: TypeAdapter[list[TaskResult]] = TypeAdapter(list[TaskResult])
_ENDED = -1  # the step of a row that has no step left


@dataclass(frozen=True)
class TravellingRow:
    """A row that waits for step number `step`, with the results of the steps before it.

    `error` is an error that concerns all rows and has stopped this one.
    """

    number: int
    step: int
    digest: str
    row: str
    results: tuple[TaskResult, ...] = ()
    error: PortableError | None = None

    @classmethod
    def of(cls, task: Task) -> TravellingRow:
        """Return the row of a task, without results."""
        return cls(task.number, task.step, task.digest, task.row.model_dump_json())

    def task(self, steps: Sequence[Step[Any, Any]]) -> Task:
        """Return the task that the row waits for."""
        return Task(self.number, self.step, self.digest, steps[self.step].row.model_validate_json(self.row))

    def after(self, result: TaskResult, left: Task | None) -> TravellingRow:
        """Return the row after a step, on its way to the next task if one is left."""
        results = (*self.results, result)
        if left is None:
            return replace(self, step=_ENDED, row="", results=results)
        return replace(TravellingRow.of(left), results=results)

    def stopped(self, error: PortableError) -> TravellingRow:
        return replace(self, step=_ENDED, row="", error=error)


def to_table(rows: Iterable[TravellingRow]) -> pa.Table:
    """Make a table of rows."""
    records = [
        {
            "number": row.number,
            "step": row.step,
            "digest": row.digest,
            "row": row.row,
            "results": _RESULTS.dump_json(list(row.results)).decode(),
            "error": row.error.model_dump_json() if row.error else "",
        }
        for row in rows
    ]
    return pa.Table.from_pylist(records, schema=_SCHEMA)


def from_table(table: pa.Table) -> list[TravellingRow]:
    """Return the rows of a table."""
    return [
        TravellingRow(
            number=record["number"],
            step=record["step"],
            digest=record["digest"],
            row=record["row"],
            results=tuple(_RESULTS.validate_json(record["results"])),
            error=PortableError.model_validate_json(record["error"]) if record["error"] else None,
        )
        for record in table.select(_SCHEMA.names).to_pylist()
    ]


def write_files(tasks: Iterator[Task], folder: Path, form: Format, rows: int) -> list[Path]:
    """Write tasks to files with `rows` rows each. Only one file at a time is in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    while chunk := list(islice(tasks, rows)):
        path = folder / f"{len(paths):06d}.{form}"
        table = to_table(map(TravellingRow.of, chunk))
        if form == "parquet":
            pq.write_table(table, path)
        else:
            path.write_text("".join(json.dumps(record) + "\n" for record in table.to_pylist()), encoding="utf-8")
        paths.append(path)
    return paths


class StepActor:
    """Does one step of a job. Ray Data calls it from several threads, each with a block of rows.

    The rows of all blocks are in flight in one event loop. Rows that wait for another step pass through. An error that
    concerns all rows is put into the row and not raised, since Ray would then lose the other rows of the block.
    """

    def __init__(self, job: Job, step: int, owner: Any) -> None:
        self._job, self._step, self._owner = job, step, owner
        self._loop = asyncio.new_event_loop()
        self._inbox: asyncio.Queue[tuple[TravellingRow, Future[TravellingRow]]] = asyncio.Queue()
        self._error: PortableError | None = None
        self._unfinished: dict[Future[TravellingRow], TravellingRow] = {}
        threading.Thread(target=self._run_loop, daemon=True).start()

    def __call__(self, table: pa.Table) -> pa.Table:
        return to_table([future.result() for future in [self._begin(row) for row in from_table(table)]])

    def _begin(self, row: TravellingRow) -> Future[TravellingRow]:
        future: Future[TravellingRow] = Future()
        if row.step != self._step:
            future.set_result(row)
            return future
        self._unfinished[future] = row
        future.add_done_callback(lambda done: self._unfinished.pop(done, None))
        if self._loop.is_closed():
            self._stop_unfinished()
            return future
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, (row, future))
        return future

    def _run_loop(self) -> None:
        """Run the event loop until the owner has ended. No row is done after that."""
        try:
            self._loop.run_until_complete(self._do_rows())
        except Exception as error:
            self._error = PortableError.of(StageError(f"a worker has lost the run: {reason_of(error)}"))
        finally:
            self._loop.close()
            self._stop_unfinished()

    def _stop_unfinished(self) -> None:
        """Stop the rows that would otherwise wait for ever, because the event loop is closed."""
        error = self._error or PortableError.of(StageError("a worker has ended"))
        for future, row in list(self._unfinished.items()):
            if not future.done():
                future.set_result(row.stopped(error))

    async def _do_rows(self) -> None:
        run = self._job.run.open(self._owner.say.remote)
        connection = OwnerConnection(self._owner, uuid.uuid4().hex)
        store = RemoteStore(connection, caps_usd=run.config.budget.usd is not None)
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.run())
            with asking_from(run, store, workers=self._job.actors), less_garbage_collection():
                await each_row(self._inbox.get, self._prepare(run), slots=self._job.slots(self._step))

    def _prepare(self, run: Run) -> Callable[[tuple[TravellingRow, Future[TravellingRow]]], Awaitable[None]]:
        """Return the function that does a row. After an error that concerns all rows it begins no further row."""
        step = self._job.steps[self._step]
        try:
            work = step.prepare(run)
        except ArfError as error:
            self._error = PortableError.of(error)

        async def handle(item: tuple[TravellingRow, Future[TravellingRow]]) -> None:
            row, future = item
            if self._error is not None:
                future.set_result(row.stopped(self._error))
                return
            try:
                future.set_result(row.after(*await do_step(step, work, row.task(self._job.steps))))
            except ArfError as error:
                self._error = PortableError.of(error)
                future.set_result(row.stopped(self._error))
            except Exception as error:  # a defect: Ray shows it with its traceback
                future.set_exception(error)

        return handle

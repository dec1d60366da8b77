"""Rows as they travel over the cluster: a table of texts and numbers, no pickle.

What an actor of a step does: it keeps the rows of several blocks in flight in one event loop.
"""

from __future__ import annotations

import asyncio
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

from arf_programs.runner.cluster.connect import Stop
from arf_programs.runner.cluster.owner import Job, Line, RemoteStore
from arf_programs.runner.collect import Done, Task, take_step
from arf_programs.runner.context import asking_from
from arf_programs.runner.rows import each_row, less_garbage_collection, reason_of
from arf_programs.runner.steps import Step
from signatures.exceptions import ArfError, StageError

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


Handle = Callable[[Passing], Awaitable[Passing]]


class StepActor:
    """Step number `place` of a job, as Ray Data calls it: from several threads, each with a block.

    Rows that wait for another step pass through. What concerns all rows is not raised, for Ray would lose the rows
    beside it, but noted in its row.
    """

    def __init__(self, job: Job, place: int, owner: Any) -> None:
        self._job, self._place, self._owner = job, place, owner
        self._loop = asyncio.new_event_loop()
        self._inbox: asyncio.Queue[tuple[Passing, Future[Passing]]] = asyncio.Queue()
        self._stop: Stop | None = None
        self._open: dict[Future[Passing], Passing] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def __call__(self, table: pa.Table) -> pa.Table:
        """The rows after this step."""
        return to_table([future.result() for future in [self._begin(row) for row in from_table(table)]])

    def _begin(self, row: Passing) -> Future[Passing]:
        future: Future[Passing] = Future()
        if row.step != self._place:
            future.set_result(row)
            return future
        self._open[future] = row
        future.add_done_callback(lambda done: self._open.pop(done, None))
        if self._loop.is_closed():
            self._end_open()
            return future
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, (row, future))
        return future

    def _run(self) -> None:
        """The life of the event loop, which ends with the owner: then no row is done any more."""
        try:
            self._loop.run_until_complete(self._live())
        except Exception as error:
            self._stop = Stop.of(StageError(f"a worker has lost the run: {reason_of(error)}"))
        finally:
            self._loop.close()
            self._end_open()

    def _end_open(self) -> None:
        """Let nobody wait for a loop that has ended."""
        stop = self._stop or Stop.of(StageError("a worker has ended"))
        for future, row in list(self._open.items()):
            if not future.done():
                future.set_result(row.stopped(stop))

    async def _live(self) -> None:
        """Do rows until the process ends."""
        run = self._job.run.open(self._owner.say.remote)
        line = Line(self._owner, uuid.uuid4().hex)
        store = RemoteStore(line, caps_usd=run.config.budget.usd is not None)
        async with asyncio.TaskGroup() as group:
            group.create_task(line.keep_open())
            with asking_from(run, store, workers=self._job.actors), less_garbage_collection():
                await each_row(self._inbox.get, self._handler(run), slots=self._job.slots(self._place))

    def _handler(self, run: Any) -> Callable[[tuple[Passing, Future[Passing]]], Awaitable[None]]:
        """What does a row and tells its future; once an error concerns all rows, no further one is begun."""
        step = self._job.steps[self._place]
        try:
            work = step.open(run)
        except ArfError as error:
            self._stop = Stop.of(error)

        async def handle(given: tuple[Passing, Future[Passing]]) -> None:
            row, future = given
            if self._stop is not None:
                future.set_result(row.stopped(self._stop))
                return
            try:
                future.set_result(row.after(*await take_step(step, work, row.task(self._job.steps))))
            except ArfError as error:
                self._stop = Stop.of(error)
                future.set_result(row.stopped(self._stop))
            except Exception as error:  # a defect: Ray shows it with its traceback
                future.set_exception(error)

        return handle

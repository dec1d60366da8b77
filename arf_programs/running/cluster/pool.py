"""What an actor of a step does: it keeps the rows of several blocks in flight in one event loop."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pyarrow as pa

from arf_programs.asking import asking_by
from arf_programs.running.cluster.desk import Line, RemoteStore
from arf_programs.running.cluster.job import Job
from arf_programs.running.cluster.rows import Passing, from_table, to_table
from arf_programs.running.cluster.stop import Stop
from arf_programs.running.collect import take_step
from arf_programs.running.garbage import spare_the_collector
from arf_programs.running.rows import each_row, reason_of
from signatures.exceptions import ArfError, StageError

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
            with asking_by(run, store, workers=self._job.actors):
                spare_the_collector()
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

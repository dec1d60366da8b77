"""A run as it goes to another process or machine.

A worker process: what it is started with, what it tells its parent, and its life.

Worker processes, fed with rows until there are no more, and replaced when they die.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from rich.console import Console

from arf_programs.config import Config
from arf_programs.models import CallBudget
from arf_programs.runner.collect import Done, Task, chain
from arf_programs.runner.rows import each_row, less_garbage_collection
from arf_programs.runner.steps import Step
from arf_programs.runs import Progress, Run, RunFolder
from signatures.exceptions import ArfError, StageError


@dataclass(frozen=True)
class PortableRun:
    """What makes a Run anywhere: paths are absolute, keys stay in the environment."""

    config: Config
    base_dir: Path
    folder: Path
    again: bool = False

    @classmethod
    def of(cls, run: Run) -> PortableRun:
        """The run without its progress display, which stays where it is."""
        return cls(run.config, run.base_dir.resolve(), run.folder.path.resolve(), run.again)

    def open(self, say: Callable[[str], None]) -> Run:
        """The run, where the caller is; what it has to say goes to `say`."""
        return Run(self.config, self.base_dir, RunFolder(self.folder), _Telling(say), self.again)


class _Telling(Progress):
    """Passes on what there is to say."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(Console(stderr=True), quiet=True)
        self._pass_on = say

    def say(self, text: str) -> None:
        self._pass_on(text)


@dataclass(frozen=True)
class Job:
    """What a worker is started with."""

    run: PortableRun
    steps: Sequence[Step[Any, Any]]
    workers: int
    slots: int
    budget: CallBudget


@dataclass(frozen=True)
class Ended:
    """A worker's last message: it has finished its rows, or stopped for an error that concerns all."""

    error: ArfError | None


@dataclass(frozen=True)
class Said:
    """Something for the user."""

    text: str


def serve(job: Job, place: int, pipe: Connection) -> None:
    """The life of the worker at this place."""
    # Ctrl-C reaches every process of a terminal; the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = job.run.open(lambda text: pipe.send(Said(text)))
    error: ArfError | None = None
    try:
        asyncio.run(_work(run, job, job.budget.at(place), pipe))
    except ArfError as problem:
        error = problem
    pipe.send(Ended(error))


async def _work(run: Run, job: Job, budget: CallBudget, pipe: Connection) -> None:
    from arf_programs.runner.context import asking

    loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Task | None]()
    threading.Thread(target=_read, args=(pipe, loop, inbox), daemon=True).start()

    async def take() -> Task | None:
        task = await inbox.get()
        if task is None:
            inbox.put_nowait(None)  # for the others
        return task

    with asking(run, budget, workers=job.workers), less_garbage_collection():
        walk = chain(job.steps, [step.open(run) for step in job.steps])

        async def handle(task: Task) -> None:
            try:
                await walk(task, pipe.send)
            except ArfError:
                inbox.put_nowait(None)  # who waits for a row would wait for ever: there is none after an error
                raise

        await each_row(take, handle, slots=job.slots)


def _read(pipe: Connection, loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Task | None]) -> None:
    """Take in tasks until there are no more. Without its parent a worker has nothing to do."""
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        loop.call_soon_threadsafe(inbox.put_nowait, task)
        if task is None:
            return


_AHEAD = 2  # rows sent to a worker for each that it can have in flight
_REPLACEMENTS = 3  # workers that die are replaced so often


@dataclass
class _Worker:
    """A worker as its parent sees it."""

    process: Any
    pipe: Connection
    given: dict[int, Task] = field(default_factory=dict)


def run_in_workers(
    run: Run,
    steps: Sequence[Step[Any, Any]],
    tasks: Iterator[Task],
    take_in: Callable[..., None],
    budget: CallBudget,
    workers: int,
) -> None:
    """Have `workers` processes do the tasks; each result is handed to `take_in` as it comes. `budget` is in shared
    memory.

    Rows with the same content go to the same worker, which asks once for both. A worker that dies is replaced, and its
    rows are given to the new one, whose store has what was answered. Raises the first error that a worker stops for.
    """
    context = multiprocessing.get_context("spawn")
    slots = max(1, sum(step.slots(run) for step in steps) // workers)
    job = Job(PortableRun.of(run), steps, workers, slots, budget)
    pool = _Pool(context, job, run.progress.say)
    try:
        pool.work(tasks, take_in)
    finally:
        pool.stop()


class _Pool:
    """The workers, what each was given, and the loop that feeds them."""

    def __init__(self, context: SpawnContext, job: Job, say: Callable[[str], None]) -> None:
        self._context, self._job, self._say = context, job, say
        self._workers = [self._start(place) for place in range(job.workers)]
        self._replaced = 0
        self._error: ArfError | None = None

    def work(self, tasks: Iterator[Task], take_in: Callable[..., None]) -> None:
        """Feed the workers until every task is done or one has stopped for an error."""
        while self._error is None and (self._feed(tasks) or any(worker.given for worker in self._workers)):
            self._listen(take_in)
        for worker in self._open():
            self._send(worker, None)
        while any(worker.process.is_alive() for worker in self._workers) and self._open():
            self._listen(take_in)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the processes that are still there."""
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()
            worker.process.join()

    def _start(self, place: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(self._job, place, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _open(self) -> list[_Worker]:
        return [worker for worker in self._workers if not worker.pipe.closed]

    def _feed(self, tasks: Iterator[Task]) -> bool:
        """Give out tasks while every worker has room for those that are its own; whether there may be more."""
        ahead = _AHEAD * self._job.slots
        while self._error is None and all(len(worker.given) < ahead for worker in self._workers):
            task = next(tasks, None)
            if task is None:
                return False
            step = self._job.steps[task.step]
            self._give(self._workers[step.share(task.row, len(self._workers))], task)
        return self._error is None

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.given[task.number] = task
        self._send(worker, task)

    def _send(self, worker: _Worker, message: Task | None) -> None:
        with suppress(OSError):  # it has just ended, or died: its pipe says so when it is listened to
            worker.pipe.send(message)

    def _listen(self, take_in: Callable[..., None]) -> None:
        for ready in wait([worker.pipe for worker in self._open()], timeout=1.0):
            worker = next(item for item in self._workers if item.pipe is ready)
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._replace(worker)
            else:
                self._hear(worker, message, take_in)

    def _hear(self, worker: _Worker, message: object, take_in: Callable[..., None]) -> None:
        match message:
            case Done():
                if message.step == len(self._job.steps) - 1 or not isinstance(message.outcome, str):
                    worker.given.pop(message.number, None)
                take_in(message, in_flight=sum(min(len(item.given), self._job.slots) for item in self._workers))
            case Said():
                self._say(message.text)
            case Ended():
                self._error = self._error or message.error
                worker.given.clear()
                worker.pipe.close()

    def _replace(self, dead: _Worker) -> None:
        dead.pipe.close()
        if self._error is not None:
            dead.given.clear()
            return
        self._replaced += 1
        if self._replaced > _REPLACEMENTS:
            raise StageError(f"{self._replaced} worker processes died: set `workers: 1` to see why (out of memory?)")
        dead.process.join()
        self._say(f"A worker process died (exit code {dead.process.exitcode}): another takes over its rows.")
        place = self._workers.index(dead)
        self._job.budget.release(place)
        self._workers[place] = new = self._start(place)
        for task in dead.given.values():
            self._give(new, task)

"""Run steps in worker processes. The parent sends rows to the workers and replaces a worker that dies."""

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
from pathlib import Path
from typing import Any

from rich.console import Console

from arf_programs.config import Config, masked_streams
from arf_programs.models import CallBudget
from arf_programs.runner.collect import Task, TaskResult, chain_steps
from arf_programs.runner.context import asking
from arf_programs.runner.rows import each_row, less_garbage_collection
from arf_programs.runner.steps import Step
from arf_programs.runs import Progress, Run, RunFolder, storage_error
from signatures.exceptions import ArfError, StageError

_AHEAD = 2  # rows that a worker has in its queue for each row that it can have in flight
_REPLACEMENTS = 3  # dead workers that are replaced before the stage stops


def run_in_workers(
    run: Run,
    steps: Sequence[Step[Any, Any]],
    tasks: Iterator[Task],
    collect: Callable[..., None],
    budget: CallBudget,
    workers: int,
) -> None:
    """Do the tasks in `workers` processes, and call `collect` with each result. `budget` is in shared memory.

    Rows with the same content go to the same worker, which asks once for both. If a worker dies, a new one gets its
    rows, and the store has the answers that came before. Raises the first error that stopped a worker.
    """
    slots = max(1, sum(step.slots(run) for step in steps) // workers)
    pool = _Pool(_Job(PortableRun.of(run), steps, workers, slots, budget), run.progress.say)
    try:
        pool.execute(tasks, collect)
    finally:
        pool.stop()


@dataclass(frozen=True)
class PortableRun:
    """A run that can be sent to another process or machine. Paths are absolute, and keys stay in the environment."""

    config: Config
    base_dir: Path
    folder: Path
    again: bool = False

    @classmethod
    def of(cls, run: Run) -> PortableRun:
        """Make a run portable. Its progress display stays behind."""
        return cls(run.config, run.base_dir.resolve(), run.folder.path.resolve(), run.again)

    def open(self, say: Callable[[str], None]) -> Run:
        """Return the run for this process. Its messages for the user go to `say`."""
        return Run(self.config, self.base_dir, RunFolder(self.folder), _ForwardingProgress(say), self.again)


class _ForwardingProgress(Progress):
    """Forwards messages for the user, and shows nothing."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(Console(stderr=True), quiet=True)
        self._forward = say

    def say(self, text: str) -> None:
        self._forward(text)


@dataclass(frozen=True)
class _Job:
    """Everything that a worker gets when it starts."""

    run: PortableRun
    steps: Sequence[Step[Any, Any]]
    workers: int
    slots: int
    budget: CallBudget


@dataclass(frozen=True)
class _UserMessage:
    """A message of a worker for the user."""

    text: str


@dataclass(frozen=True)
class _Ended:
    """The last message of a worker, with the error that stopped it if there is one."""

    error: ArfError | None


@dataclass
class _Worker:
    """A worker as the parent sees it. `given` are the tasks that it has not finished."""

    process: Any
    pipe: Connection
    given: dict[int, Task] = field(default_factory=dict)


class _Pool:
    """Sends tasks to the workers and receives their messages."""

    def __init__(self, job: _Job, say: Callable[[str], None]) -> None:
        self._context, self._job, self._say = multiprocessing.get_context("spawn"), job, say
        self._workers = [self._start(index) for index in range(job.workers)]
        self._replaced = 0
        self._error: ArfError | None = None

    def execute(self, tasks: Iterator[Task], collect: Callable[..., None]) -> None:
        """Send tasks until all are done or an error stops a worker."""
        while self._error is None and (self._send_tasks(tasks) or any(worker.given for worker in self._workers)):
            self._receive(collect)
        for worker in self._connected():
            self._send(worker, None)
        while any(worker.process.is_alive() for worker in self._workers) and self._connected():
            self._receive(collect)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the processes that still run."""
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()
            worker.process.join()

    def _start(self, index: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_run_worker, args=(self._job, index, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _connected(self) -> list[_Worker]:
        return [worker for worker in self._workers if not worker.pipe.closed]

    def _send_tasks(self, tasks: Iterator[Task]) -> bool:
        """Send tasks until the queue of one worker is full. Return False if there are no more tasks."""
        most = _AHEAD * self._job.slots
        while self._error is None and all(len(worker.given) < most for worker in self._workers):
            task = next(tasks, None)
            if task is None:
                return False
            step = self._job.steps[task.step]
            self._give(self._workers[step.worker_of(task.row, len(self._workers))], task)
        return self._error is None

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.given[task.number] = task
        self._send(worker, task)

    def _send(self, worker: _Worker, message: Task | None) -> None:
        with suppress(OSError):  # the worker has just ended or died, and `_receive` will see it
            worker.pipe.send(message)

    def _receive(self, collect: Callable[..., None]) -> None:
        for ready in wait([worker.pipe for worker in self._connected()], timeout=1.0):
            worker = next(item for item in self._workers if item.pipe is ready)
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._replace(worker)
            else:
                self._handle_message(worker, message, collect)

    def _handle_message(self, worker: _Worker, message: object, collect: Callable[..., None]) -> None:
        match message:
            case TaskResult():
                if message.step == len(self._job.steps) - 1 or not isinstance(message.outcome, str):
                    worker.given.pop(message.number, None)
                collect(message, in_flight=sum(min(len(item.given), self._job.slots) for item in self._workers))
            case _UserMessage():
                self._say(message.text)
            case _Ended():
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
        index = self._workers.index(dead)
        self._job.budget.release(index)
        self._workers[index] = new = self._start(index)
        for task in dead.given.values():
            self._give(new, task)


def _run_worker(job: _Job, index: int, pipe: Connection) -> None:
    """Run the worker process number `index` until the parent has no more tasks."""
    # Ctrl-C reaches every process of a terminal, and only the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = job.run.open(lambda text: pipe.send(_UserMessage(text)))
    error: ArfError | None = None
    try:
        with masked_streams():
            asyncio.run(_do_tasks(run, job, job.budget.for_process(index), pipe))
    except ArfError as problem:
        error = problem
    except OSError as problem:
        error = storage_error(problem)
    pipe.send(_Ended(error))


async def _do_tasks(run: Run, job: _Job, budget: CallBudget, pipe: Connection) -> None:
    loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Task | None]()
    threading.Thread(target=_read_tasks, args=(pipe, loop, inbox), daemon=True).start()

    async def take() -> Task | None:
        task = await inbox.get()
        if task is None:
            inbox.put_nowait(None)  # ends the other slots too
        return task

    with asking(run, budget, workers=job.workers), less_garbage_collection():
        do_steps = chain_steps(job.steps, [step.prepare(run) for step in job.steps])

        async def handle(task: Task) -> None:
            try:
                await do_steps(task, pipe.send)
            except BaseException:
                inbox.put_nowait(None)  # after an error no task comes, and the other slots would wait for ever
                raise

        await each_row(take, handle, slots=job.slots)


def _read_tasks(pipe: Connection, loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Task | None]) -> None:
    """Move tasks from the pipe to the inbox until None comes. The worker exits if the parent has died."""
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        loop.call_soon_threadsafe(inbox.put_nowait, task)
        if task is None:
            return

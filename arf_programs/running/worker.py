"""A worker process: what it is started with, what it tells its parent, and its life."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from arf_programs.models.call_budget import CallBudget
from arf_programs.run import Run
from arf_programs.running.collect import Task, chain
from arf_programs.running.garbage import spare_the_collector
from arf_programs.running.portable import PortableRun
from arf_programs.running.rows import each_row
from arf_programs.running.step import Step
from signatures.exceptions import ArfError


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
    from arf_programs.asking import asking

    loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Task | None]()
    threading.Thread(target=_read, args=(pipe, loop, inbox), daemon=True).start()

    async def take() -> Task | None:
        task = await inbox.get()
        if task is None:
            inbox.put_nowait(None)  # for the others
        return task

    with asking(run, budget, workers=job.workers):
        spare_the_collector()
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

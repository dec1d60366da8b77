"""Streams a corpus through steps: rows are read, asked about and written one by one, here or in worker processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from pydantic import BaseModel

from arf_programs.models import CallBudget, is_local
from arf_programs.runner.collect import Collector, Done, StepOutcome, Task, chain
from arf_programs.runner.context import asking, budget_of
from arf_programs.runner.rows import each_row, less_garbage_collection
from arf_programs.runner.steps import Step
from arf_programs.runner.workers import run_in_workers
from arf_programs.runs import Run

_LARGE = 2000  # rows from which starting further processes pays


def run_steps(run: Run, steps: Sequence[Step[Any, Any]], rows: Iterable[BaseModel], *, total: int) -> list[StepOutcome]:
    """Take every row through the steps, and write their outputs; what became of the rows in each step.

    What was done is kept as it is done: after a stop, whatever stopped it, the same call goes on. Raises what
    `arf_programs.runner.rows.attempt` raises, and StageError when rows only fail.
    """
    with way_for(run, steps, total) as way, less_garbage_collection():
        collector = Collector(run, steps, total=total, usd=way.usd)
        try:
            with run.progress.task(", ".join(step.label for step in steps), total=total):
                way.work(collector.tasks(rows), collector.take_in)
            return collector.finish()
        finally:
            collector.close()


class Way(Protocol):
    """Where and how rows are done."""

    def usd(self) -> float:
        """US dollars spent so far."""
        ...

    def work(self, tasks: Iterator[Task], take_in: Callable[..., None]) -> None:
        """Do the tasks, and hand each result to `take_in` as it comes."""
        ...


def way_for(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> AbstractContextManager[Way]:
    """The way that the configuration asks for."""
    if run.config.engine == "ray" and not any(step.here for step in steps):
        from arf_programs.runner.cluster.run import on_cluster

        return on_cluster(run, steps, total)
    return nullcontext(_OnThisMachine(run, steps, total))


class _OnThisMachine:
    """In this process, or in workers that it starts."""

    def __init__(self, run: Run, steps: Sequence[Step[Any, Any]], total: int) -> None:
        self._run, self._steps, self._total = run, steps, total
        self._workers = workers_for(run, steps, total)
        budget = budget_of(run)
        self._budget = (
            budget if self._workers == 1 else budget.shared(multiprocessing.get_context("spawn"), self._workers)
        )
        self._before = self._budget.usd

    def usd(self) -> float:
        return self._budget.usd - self._before

    def work(self, tasks: Iterator[Task], take_in: Callable[..., None]) -> None:
        if self._workers == 1:
            slots = slots_of(self._run, self._steps, self._total)
            _run_here(self._run, self._steps, tasks, take_in, self._budget, slots)
        else:
            run_in_workers(self._run, self._steps, tasks, take_in, self._budget, self._workers)


def workers_for(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> int:
    """How many processes: as configured, else by cores for large corpora; no more than an endpoint may have calls in
    flight. Models in this process are served by it alone.
    """
    models = [model for step in steps for model in step.models(run)]
    if any(is_local(model.model) or model.mode == "batch" for model in models):
        return 1
    wanted = run.config.workers or (os.cpu_count() or 1 if total >= _LARGE else 1)
    return min([wanted, *(model.concurrency for model in models)])


def slots_of(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> int:
    """Rows in flight: as many as there can be calls of all steps, and no more than there are."""
    return max(1, min(total, sum(step.slots(run) for step in steps)))


def _run_here(
    run: Run,
    steps: Sequence[Step[Any, Any]],
    tasks: Iterator[Task],
    take_in: Callable[..., None],
    budget: CallBudget,
    slots: int,
) -> None:
    async def take() -> Task | None:
        return next(tasks, None)

    with asking(run, budget) as context:
        walk = chain(steps, [step.open(run) for step in steps])

        def tell(done: Done) -> None:
            take_in(done, in_flight=context.session.in_flight)

        async def handle(task: Task) -> None:
            await walk(task, tell)

        asyncio.run(each_row(take, handle, slots=slots))

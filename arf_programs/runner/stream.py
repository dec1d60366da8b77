"""Run the steps of a stage over a corpus of any size, in this process, in worker processes or on a Ray cluster."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from pydantic import BaseModel

from arf_programs.models import is_local
from arf_programs.runner.collect import Collector, StepOutcome, Task, TaskResult, chain_steps
from arf_programs.runner.context import asking, budget_of
from arf_programs.runner.rows import each_row, less_garbage_collection
from arf_programs.runner.steps import Step
from arf_programs.runner.workers import run_in_workers
from arf_programs.runs import Run

_LARGE = 2000  # from this many rows on, further processes save time


def run_steps(run: Run, steps: Sequence[Step[Any, Any]], rows: Iterable[BaseModel], *, total: int) -> list[StepOutcome]:
    """Do all steps for every row, write their outputs, and return the outcome of each step.

    Each result is kept at once, so the same call goes on after any stop. Raises what `arf_programs.runner.rows.attempt`
    raises, and StageError if only failures come.
    """
    with _open_executor(run, steps, total) as executor, less_garbage_collection():
        collector = Collector(run, steps, total=total, usd=executor.usd)
        try:
            with run.progress.task(", ".join(step.label for step in steps), total=total):
                executor.execute(collector.tasks(rows), collector.collect)
            return collector.finish()
        finally:
            collector.close()


class Executor(Protocol):
    """Does tasks on one machine or on a cluster."""

    def usd(self) -> float:
        """Return the US dollars spent so far."""
        ...

    def execute(self, tasks: Iterator[Task], collect: Callable[..., None]) -> None:
        """Do the tasks, and call `collect` with each result when it comes."""
        ...


def _open_executor(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> AbstractContextManager[Executor]:
    if run.config.engine == "ray" and not any(step.here for step in steps):
        from arf_programs.runner.cluster.run import on_cluster

        return on_cluster(run, steps, total)
    return nullcontext(_LocalExecutor(run, steps, total))


class _LocalExecutor:
    """Does tasks in this process, or in worker processes that it starts."""

    def __init__(self, run: Run, steps: Sequence[Step[Any, Any]], total: int) -> None:
        self._run, self._steps, self._total = run, steps, total
        self._workers = _count_workers(run, steps, total)
        self._budget = budget_of(run)
        if self._workers > 1:
            self._budget = self._budget.shared(multiprocessing.get_context("spawn"), self._workers)
        self._before = self._budget.usd

    def usd(self) -> float:
        return self._budget.usd - self._before

    def execute(self, tasks: Iterator[Task], collect: Callable[..., None]) -> None:
        if self._workers == 1:
            self._execute_here(tasks, collect)
        else:
            run_in_workers(self._run, self._steps, tasks, collect, self._budget, self._workers)

    def _execute_here(self, tasks: Iterator[Task], collect: Callable[..., None]) -> None:
        # As many rows as all steps can have calls, and no more than there are.
        slots = max(1, min(self._total, sum(step.slots(self._run) for step in self._steps)))

        async def take() -> Task | None:
            return next(tasks, None)

        with asking(self._run, self._budget) as context:
            do_steps = chain_steps(self._steps, [step.prepare(self._run) for step in self._steps])

            def report(result: TaskResult) -> None:
                collect(result, in_flight=context.session.endpoints.in_flight)

            async def handle(task: Task) -> None:
                await do_steps(task, report)

            asyncio.run(each_row(take, handle, slots=slots))


def _count_workers(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> int:
    """Count the processes: the configured number, or one for each core if the corpus is large.

    There are never more than the calls that an endpoint may have in flight. Local models and batches need one process,
    and so does a server that this process starts.
    """
    models = [model for step in steps for model in step.models(run)]
    if any(step.here for step in steps) or any(is_local(model.model) or model.mode == "batch" for model in models):
        return 1
    wanted = run.config.workers or (os.cpu_count() or 1 if total >= _LARGE else 1)
    return min([wanted, *(model.concurrency for model in models)])

"""Give out the rows that are not done yet, and collect their results and failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from arf_programs.models import within
from arf_programs.runner.rows import Tally, attempt
from arf_programs.runner.steps import Checkpoint, Step, row_digest
from arf_programs.runs import JsonlIndex, Run, StatusFile
from signatures.records import Failure


@dataclass(frozen=True)
class Task:
    """A row to do, from step number `step` on. `row` is the row of that step."""

    number: int
    step: int
    digest: str
    row: BaseModel


@dataclass(frozen=True)
class TaskResult:
    """The result of one step for a row: JSON text, or a failure."""

    number: int
    step: int
    digest: str
    outcome: str | Failure


class StepOutcome(NamedTuple):
    """The number of rows with a result, and the failures of the others in the order of the rows."""

    done: int
    failures: list[Failure]

    @property
    def failed(self) -> int:
        return len(self.failures)


class Collector:
    """Gives out the rows that are not done, and collects the results of each step.

    A row that an earlier run has done under the same settings, or has failed on, is not given out again. Failures are
    written to the file only after a row has succeeded. So if a step only fails, the user can repair the cause, and all
    its rows are tried again.
    """

    def __init__(self, run: Run, steps: Sequence[Step[Any, Any]], *, total: int, usd: Callable[[], float]) -> None:
        self._run, self._steps = run, steps
        self._checkpoints = [_open_checkpoint(run, step) for step in steps]
        self._tallies = [Tally(step.label) for step in steps]
        self._whole = False
        self._failures: list[dict[int, Failure]] = [{} for _ in steps]
        self._unwritten: list[list[tuple[str, Failure]]] = [[] for _ in steps]
        self._status = StatusFile(run.folder.status, steps[-1].label, total, usd, run.progress)

    def tasks(self, rows: Iterable[BaseModel]) -> Iterator[Task]:
        """Yield the tasks that are left, in the order of the rows."""
        for number, row in enumerate(rows):
            task = self._task_left(number, row)
            if task is None:
                self._advance(fresh=False)
            else:
                yield task

    def collect(self, result: TaskResult, *, in_flight: int = 0) -> None:
        """Keep a result or a failure. Raises StageError when the first rows all fail."""
        step = result.step
        if isinstance(result.outcome, Failure):
            self._failures[step][result.number] = result.outcome
            self._unwritten[step].append((result.digest, result.outcome))
            self._tallies[step].fail(result.outcome)
        else:
            self._checkpoints[step].add(result.number, result.digest, result.outcome)
            self._tallies[step].succeed()
        self._write_failures(step)
        if isinstance(result.outcome, Failure) or step == len(self._steps) - 1:
            self._advance(in_flight, fresh=True)

    def finish(self) -> list[StepOutcome]:
        """Write the output of every step. Raises StageError for a step in which all rows failed."""
        for tally in self._tallies:
            tally.check_any()
        outcomes = [
            StepOutcome(
                checkpoint.finish(step.output(self._run.folder)), [failures[number] for number in sorted(failures)]
            )
            for step, checkpoint, failures in zip(self._steps, self._checkpoints, self._failures, strict=True)
        ]
        self._whole = True
        return outcomes

    def close(self) -> None:
        """Close the files, also those of a stage that has stopped."""
        for checkpoint in self._checkpoints:
            checkpoint.close()
        self._status.end(whole=self._whole)

    def _task_left(self, number: int, row: BaseModel) -> Task | None:
        for place, step in enumerate(self._steps):
            digest, checkpoint = row_digest(row), self._checkpoints[place]
            if (failure := checkpoint.failure(digest)) is not None:
                self._failures[place][number] = failure
                self._tallies[place].fail(failure, earlier=True)
                return None
            if not checkpoint.recall(number, digest):
                return Task(number, place, digest, row)
            self._tallies[place].succeed()
            if step.then is not None and place + 1 < len(self._steps):
                row = step.then(row, step.result.model_validate_json(checkpoint.result(number)))
        return None

    def _write_failures(self, step: int) -> None:
        if self._tallies[step].done:
            for digest, failure in self._unwritten[step]:
                self._checkpoints[step].add_failure(digest, failure)
            self._unwritten[step].clear()

    def _advance(self, in_flight: int = 0, *, fresh: bool) -> None:
        failed = sum(len(failures) for failures in self._failures)
        self._status.advance(failed=failed, in_flight=in_flight, fresh=fresh)


def reopen_step(run: Run, step: Step[Any, Any], rows: Iterable[BaseModel]) -> None:
    """Make a checkpoint of a step's output again, so that only rows without a result are done."""
    output = JsonlIndex(
        step.output(run.folder), step.result, key=lambda row: row["conversation_id"], value=lambda row: row
    )
    checkpoint = _open_checkpoint(run, step)
    for row in rows:
        if (result := output.get(step.key(row).conversation_id)) is not None:
            checkpoint.seed(row_digest(row), result.model_dump_json())
    checkpoint.close()


def _open_checkpoint(run: Run, step: Step[Any, Any]) -> Checkpoint:
    return Checkpoint(run.folder.parts, step.file_label, step.depends(run), again=run.again)


async def do_step(step: Step[Any, Any], work: Callable[[Any], Any], task: Task) -> tuple[TaskResult, Task | None]:
    """Do one step of a task. Return its result, and the task of the next step if there is one.

    Raises what `arf_programs.runner.rows.attempt` raises.
    """
    with within(stage=step.stage):
        result = await attempt(work, task.row, name=step.key(task.row), stage=step.stage)
    if isinstance(result, Failure):
        return TaskResult(task.number, task.step, task.digest, result), None
    done = TaskResult(task.number, task.step, task.digest, result.model_dump_json())
    if step.then is None:
        return done, None
    row = step.then(task.row, result)
    return done, Task(task.number, task.step + 1, row_digest(row), row)


def chain_steps(steps: Sequence[Step[Any, Any]], works: Sequence[Callable[[Any], Any]]) -> Callable[..., Any]:
    """Return a coroutine function that does all steps that a task has left, and reports each result at once."""

    async def do_steps(task: Task, report: Callable[[TaskResult], None]) -> None:
        left: Task | None = task
        while left is not None and left.step < len(steps):
            result, left = await do_step(steps[left.step], works[left.step], left)
            report(result)

    return do_steps

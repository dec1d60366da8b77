"""Takes in what steps have done to rows, wherever it was done: results, failures, progress."""

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
    """A row to be done, from step number `step` on; `row` is that step's."""

    number: int
    step: int
    digest: str
    row: BaseModel


@dataclass(frozen=True)
class Done:
    """What a step made of a row: its result as JSON, or a failure."""

    number: int
    step: int
    digest: str
    outcome: str | Failure


class StepOutcome(NamedTuple):
    """How many rows a step has done, and the failures of the others, in the order of the rows."""

    done: int
    failures: list[Failure]

    @property
    def failed(self) -> int:
        """How many rows have failed."""
        return len(self.failures)


class Collector:
    """Gives out the rows that are not done, and takes in what was made of them, step by step.

    What an earlier run that stopped has done under the same settings, or has failed on, is not given out again.
    Failures are kept once a row has succeeded: a step in which none does is mended and tried as a whole.
    """

    def __init__(self, run: Run, steps: Sequence[Step[Any, Any]], *, total: int, usd: Callable[[], float]) -> None:
        self._run, self._steps = run, steps
        self._parts = [open_checkpoint(run, step) for step in steps]
        self._tallies = [Tally(step.label) for step in steps]
        self._whole = False
        self._failures: list[dict[int, Failure]] = [{} for _ in steps]
        self._unsure: list[list[tuple[str, Failure]]] = [[] for _ in steps]
        self._status = StatusFile(run.folder.status, steps[-1].label, total, usd, run.progress)

    def tasks(self, rows: Iterable[BaseModel]) -> Iterator[Task]:
        """What is left to do, in the order of the rows."""
        for number, row in enumerate(rows):
            task = self._left(number, row)
            if task is None:
                self._advance(fresh=False)
            else:
                yield task

    def take_in(self, done: Done, *, in_flight: int = 0) -> None:
        """Keep a result or a failure. Raises StageError when the first rows all fail."""
        if isinstance(done.outcome, Failure):
            self._failures[done.step][done.number] = done.outcome
            self._unsure[done.step].append((done.digest, done.outcome))
            self._tallies[done.step].fail(done.outcome)
        else:
            self._parts[done.step].add(done.number, done.digest, done.outcome)
            self._tallies[done.step].succeed()
        self._keep_failures(done.step)
        if isinstance(done.outcome, Failure) or done.step == len(self._steps) - 1:
            self._advance(in_flight, fresh=True)

    def finish(self) -> list[StepOutcome]:
        """Write every step's output. Raises StageError for a step in which all failed."""
        for tally in self._tallies:
            tally.check_any()
        outcomes = [
            StepOutcome(part.finish(step.output(self._run.folder)), [failures[number] for number in sorted(failures)])
            for step, part, failures in zip(self._steps, self._parts, self._failures, strict=True)
        ]
        self._whole = True
        return outcomes

    def close(self) -> None:
        """Close the files, whole or not."""
        for part in self._parts:
            part.close()
        self._status.end(whole=self._whole)

    def _left(self, number: int, row: BaseModel) -> Task | None:
        for place, step in enumerate(self._steps):
            name = row_digest(row)
            if (failure := self._parts[place].failure(name)) is not None:
                self._failures[place][number] = failure
                self._tallies[place].recall(failure)
                return None
            if not self._parts[place].known(number, name):
                return Task(number, place, name, row)
            self._tallies[place].succeed()
            if step.then is not None and place + 1 < len(self._steps):
                row = step.then(row, step.result.model_validate_json(self._parts[place].result(number)))
        return None

    def _keep_failures(self, place: int) -> None:
        if self._tallies[place].done:
            for row, failure in self._unsure[place]:
                self._parts[place].add_failure(row, failure)
            self._unsure[place].clear()

    def _advance(self, in_flight: int = 0, *, fresh: bool) -> None:
        failed = sum(len(failures) for failures in self._failures)
        self._status.advance(failed=failed, in_flight=in_flight, fresh=fresh)


def open_checkpoint(run: Run, step: Step[Any, Any]) -> Checkpoint:
    """The checkpoint of a step under the run's settings."""
    return Checkpoint(run.folder.parts, step.file_label, step.depends(run), again=run.again)


def reopen_step(run: Run, step: Step[Any, Any], rows: Iterable[BaseModel]) -> None:
    """Make the output of a whole step its checkpoint again, so that only rows without a result are done anew."""
    output = JsonlIndex(
        step.output(run.folder), step.result, key=lambda row: row["conversation_id"], value=lambda row: row
    )
    part = open_checkpoint(run, step)
    for row in rows:
        if (result := output.get(step.key(row).conversation_id)) is not None:
            part.seed(row_digest(row), result.model_dump_json())
    part.close()


async def take_step(step: Step[Any, Any], work: Callable[[Any], Any], task: Task) -> tuple[Done, Task | None]:
    """What a step makes of its task, and the next step's task if one follows.

    Raises what `arf_programs.runner.rows.attempt` raises.
    """
    with within(stage=step.stage):
        result = await attempt(work, task.row, name=step.key(task.row), stage=step.stage)
    if isinstance(result, Failure):
        return Done(task.number, task.step, task.digest, result), None
    done = Done(task.number, task.step, task.digest, result.model_dump_json())
    if step.then is None:
        return done, None
    row = step.then(task.row, result)
    return done, Task(task.number, task.step + 1, row_digest(row), row)


def chain(steps: Sequence[Step[Any, Any]], works: Sequence[Callable[[Any], Any]]) -> Callable[..., Any]:
    """A coroutine function that takes a Task through the steps from its own on, and tells each result at once."""

    async def walk(task: Task, tell: Callable[[Done], None]) -> None:
        left: Task | None = task
        while left is not None and left.step < len(steps):
            done, left = await take_step(steps[left.step], works[left.step], left)
            tell(done)

    return walk

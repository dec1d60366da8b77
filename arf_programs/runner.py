"""Pushes a program over rows: many in flight, each failure a counted record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dspy.utils.exceptions import LMAuthError, LMBillingError, LMConfigurationError, LMError

from arf_programs.progress import Progress
from signatures.exceptions import ArfError, ModelError, StageError
from signatures.records import Failure

Row = TypeVar("Row")
Result = TypeVar("Result")

# A stage in which this many rows fail before one succeeds is not going to work: better to stop than to try them all.
_HOPELESS_AFTER = 20
# These concern the account or the set-up, not the row: every further call would fail, or cost, in the same way.
_FATAL = (LMAuthError, LMBillingError, LMConfigurationError)


@dataclass
class Outcome(Generic[Result]):
    """Results by row key, in the rows' order, and the failures."""

    results: dict[str, Result] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class RowKey:
    """What names a row: its conversation, and the system where a stage handles several."""

    conversation_id: str
    system: str = ""

    def __str__(self) -> str:
        return f"{self.system}/{self.conversation_id}" if self.system else self.conversation_id


async def run_rows(
    rows: Sequence[Row],
    work: Callable[[Row], Awaitable[Result]],
    *,
    key: Callable[[Row], RowKey],
    stage: str,
    concurrency: int,
    progress: Progress,
) -> Outcome[Result]:
    """Apply `work` to each row, at most `concurrency` at once.

    A row whose model fails, after its retries, becomes a Failure. Raises ModelError for what concerns every row
    (a refused key, an unpaid bill), StageError when rows only fail.
    """
    done: dict[str, Result] = {}
    failures: dict[str, Failure] = {}
    queue = iter(rows)

    async def worker(source: Iterator[Row]) -> None:
        for row in source:
            name = key(row)
            try:
                done[str(name)] = await work(row)
            except _FATAL as error:
                raise ModelError(f"{stage}: {_reason(error)}") from error
            except (LMError, ArfError) as error:
                failures[str(name)] = Failure(
                    conversation_id=name.conversation_id, stage=stage, system=name.system, reason=_reason(error)
                )
                _stop_if_hopeless(stage, done, failures)
            progress.advance(failed=len(failures))

    with progress.task(stage, total=len(rows)):
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(concurrency, len(rows))):
                    group.create_task(worker(queue))
        except* (ModelError, StageError) as problems:
            # One reason is enough: the other workers met the same.
            raise problems.exceptions[0] from None
    if failures and not done:
        raise StageError(f"{stage}: all {len(failures)} rows failed: {_first_reason(failures)}")
    names = [str(key(row)) for row in rows]
    return Outcome(
        results={name: done[name] for name in names if name in done},
        failures=[failures[name] for name in names if name in failures],
    )


def _stop_if_hopeless(stage: str, done: dict[str, Result], failures: dict[str, Failure]) -> None:
    if not done and len(failures) >= _HOPELESS_AFTER:
        raise StageError(
            f"{stage}: the first {len(failures)} rows all failed, so the rest was not tried: {_first_reason(failures)}"
        )


def _first_reason(failures: dict[str, Failure]) -> str:
    return next(iter(failures.values())).reason


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 500 else text[:497] + "..."

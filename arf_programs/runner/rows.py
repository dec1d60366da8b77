"""Run a function on many rows at once in one event loop. A row that fails becomes a record."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dspy.utils.exceptions import LMAuthError, LMBillingError, LMConfigurationError, LMError

from arf_programs.config import mask_message
from arf_programs.corpus import clean_text
from arf_programs.models import BudgetSpent, Meter, within
from arf_programs.runs import Progress
from signatures.exceptions import ArfError, BudgetError, EndpointError, ModelError, StageError, StorageError
from signatures.records import Failure

Row = TypeVar("Row")
Result = TypeVar("Result")

# If this many rows fail before one succeeds, the stage stops: the other rows would fail as well.
_HOPELESS_AFTER = 20
# These errors concern the account or the configuration, not the row, so every further call would fail too.
_FATAL = (LMAuthError, LMBillingError, LMConfigurationError)
# New objects between two garbage collections. Python's default of 700 collects several times in each call of LiteLLM.
_COLLECT_AFTER = 20_000


@dataclass
class Outcome(Generic[Result]):
    """The results by row key and the failures, both in the order of the rows."""

    results: dict[str, Result] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class RowKey:
    """Names a row by its conversation, and by its system where a stage handles several."""

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
    label: str = "",
    advance: Callable[[int], None] | None = None,
) -> Outcome[Result]:
    """Apply `work` to each row, at most `concurrency` at once, and return all results in memory.

    Failures are booked to `stage`. The progress shows `label`, or the stage. `advance` is called after each row with
    the number of failures so far, and moves the progress on. Raises what `attempt` raises, and StageError if only
    failures come.
    """
    advance = advance or (lambda failed: progress.advance(failed=failed))
    done: dict[str, Result] = {}
    failures: dict[str, Failure] = {}
    tally = Tally(stage)
    queue = iter(rows)

    async def take() -> Row | None:
        return next(queue, None)

    async def handle(row: Row) -> None:
        name = key(row)
        result = await attempt(work, row, name=name, stage=stage)
        if isinstance(result, Failure):
            failures[str(name)] = result
            tally.fail(result)
        else:
            done[str(name)] = result
            tally.succeed()
        advance(len(failures))

    with progress.task(label or stage, total=len(rows)):
        await each_row(take, handle, slots=max(1, min(concurrency, len(rows))))
    tally.check_any()
    names = [str(key(row)) for row in rows]
    return Outcome(
        results={name: done[name] for name in names if name in done},
        failures=[failures[name] for name in names if name in failures],
    )


async def each_row(
    take: Callable[[], Awaitable[Row | None]], handle: Callable[[Row], Awaitable[None]], *, slots: int
) -> None:
    """Call `handle` with each row of `take`, at most `slots` at once, until `take` returns None.

    When a handler or `take` raises an error, no further row begins. Rows under way are finished, since their calls
    are paid for. Then the first error is raised.
    """
    errors: list[BaseException] = []

    async def worker() -> None:
        try:
            while not errors and (row := await take()) is not None:
                await handle(row)
        except (ArfError, BudgetSpent, OSError) as error:
            errors.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(slots):
            group.create_task(worker())
    if errors:
        raise errors[0]


async def attempt(work: Callable[[Row], Awaitable[Result]], row: Row, *, name: RowKey, stage: str) -> Result | Failure:
    """Return the result of `work` on a row, or a Failure with its tries and cost.

    Raises ModelError for an error that concerns every row: a refused key, an unpaid bill, an endpoint that only fails.
    Raises BudgetError at a cap of the budget.
    """
    meter = Meter()
    with within(meter=meter):
        try:
            return await work(row)
        except _FATAL as error:
            raise ModelError(f"{stage}: {reason_of(error)}") from error
        except BudgetSpent as error:
            raise BudgetError(f"{stage}: {error}: raise the cap in `budget` and run the same command again.") from None
        except (EndpointError, StorageError):
            raise
        except (LMError, ArfError) as error:
            return Failure(
                conversation_id=name.conversation_id,
                stage=stage,
                system=name.system,
                reason=reason_of(error),
                attempts=meter.tries,
                usd=meter.usd,
            )


class Tally:
    """Counts the rows of a stage, and stops a stage in which only failures come."""

    def __init__(self, stage: str) -> None:
        self.stage, self.done, self.failed = stage, 0, 0
        self._first_reason = ""

    def succeed(self) -> None:
        self.done += 1

    def fail(self, failure: Failure, *, earlier: bool = False) -> None:
        """Count a failure. Raises StageError if the first rows all fail, unless this one failed in an `earlier` run."""
        self.failed += 1
        self._first_reason = self._first_reason or failure.reason
        if not earlier and not self.done and self.failed >= _HOPELESS_AFTER:
            raise StageError(
                f"{self.stage}: the first {self.failed} rows all failed, so the rest was not tried: "
                f"{self._first_reason}"
            )

    def check_any(self) -> None:
        """Raise StageError if every row has failed."""
        if self.failed and not self.done:
            raise StageError(f"{self.stage}: all {self.failed} rows failed: {self._first_reason}")


def reason_of(error: Exception) -> str:
    """Return the message of an error, without secrets, as one line of at most 500 characters."""
    # An answer that the message quotes may have half a surrogate pair, which cannot be stored.
    text = " ".join(mask_message(clean_text(str(error))).split()) or type(error).__name__
    return text if len(text) <= 500 else text[:497] + "..."


@contextmanager
def less_garbage_collection() -> Iterator[None]:
    """Collect garbage less often inside this block, and skip the objects that exist already.

    Libraries make some hundred thousand objects at import. Python would walk through all of them again and again.
    What the host of this process has frozen stays frozen: Python can unfreeze all objects or none.
    """
    before, frozen_by_host = gc.get_threshold(), gc.get_freeze_count() > 0
    if not frozen_by_host:
        gc.collect()
        gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)
    try:
        yield
    finally:
        if not frozen_by_host:
            gc.unfreeze()
        gc.set_threshold(*before)

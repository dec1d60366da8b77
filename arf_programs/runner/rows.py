"""Keeps Python's garbage collector from walking, again and again, through all that was imported.

Many rows in flight in one event loop; each failure is a counted record.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dspy.utils.exceptions import LMAuthError, LMBillingError, LMConfigurationError, LMError

from arf_programs.models import BudgetSpent, Meter, within
from arf_programs.runs import Progress
from signatures.exceptions import ArfError, BudgetError, EndpointError, ModelError, StageError
from signatures.records import Failure

_YOUNG = 20_000  # objects made before a collection; Python's 700 means several for each call of LiteLLM


@contextmanager
def less_garbage_collection() -> Iterator[None]:
    """Collect less often inside this block, and never the objects of libraries, some hundred thousand of them."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


Row = TypeVar("Row")
Result = TypeVar("Result")
Take = Callable[[], Awaitable[Row | None]]

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


class Tally:
    """Counts rows, and says when there is no hope for the rest."""

    def __init__(self, stage: str) -> None:
        self.stage, self.done, self.failed = stage, 0, 0
        self._first_reason = ""

    def succeed(self) -> None:
        """A row is done."""
        self.done += 1

    def fail(self, failure: Failure) -> None:
        """A row failed. Raises StageError when the first rows all fail."""
        self.failed += 1
        self._first_reason = self._first_reason or failure.reason
        if not self.done and self.failed >= _HOPELESS_AFTER:
            raise StageError(
                f"{self.stage}: the first {self.failed} rows all failed, so the rest was not tried: "
                f"{self._first_reason}"
            )

    def recall(self, failure: Failure) -> None:
        """A row failed in an earlier run, in which others succeeded."""
        self.failed += 1
        self._first_reason = self._first_reason or failure.reason

    def check_any(self) -> None:
        """Raise StageError when every row has failed."""
        if self.failed and not self.done:
            raise StageError(f"{self.stage}: all {self.failed} rows failed: {self._first_reason}")


async def each_row(take: Take[Row], handle: Callable[[Row], Awaitable[None]], *, slots: int) -> None:
    """Hand every row that `take` gives, until it gives None, to `handle`, at most `slots` at once.

    When one handler raises, no further row is begun; those under way, whose calls are paid for, are finished, and then
    the first error is raised.
    """
    errors: list[BaseException] = []

    async def worker() -> None:
        while not errors and (row := await take()) is not None:
            try:
                await handle(row)
            except (ArfError, BudgetSpent) as error:
                errors.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(slots):
            group.create_task(worker())
    if errors:
        raise errors[0]


async def attempt(work: Callable[[Row], Awaitable[Result]], row: Row, *, name: RowKey, stage: str) -> Result | Failure:
    """The result of `work` on a row, or its Failure with tries and cost.

    Raises ModelError for what concerns every row: a refused key, an unpaid bill, an endpoint that only fails;
    BudgetError at a cap of the budget.
    """
    meter = Meter()
    with within(meter=meter):
        try:
            return await work(row)
        except _FATAL as error:
            raise ModelError(f"{stage}: {reason_of(error)}") from error
        except BudgetSpent as error:
            raise BudgetError(f"{stage}: {error}: raise the cap in `budget` and run the same command again.") from None
        except EndpointError:
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
    """Apply `work` to each row, at most `concurrency` at once, with all results in memory.

    Failures are those of `stage`; `label` is what the progress says instead of it; `advance` is told after each row how
    many have failed, and moves the progress on. Raises what `attempt` raises, and StageError when rows only fail.
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


def reason_of(error: Exception) -> str:
    """The error in one line of at most 500 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 500 else text[:497] + "..."

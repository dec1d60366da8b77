"""The budget of a run, with what it has used so far.

How models are asked: calls are stored, booked and paced, answers are typed, failures are records.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import dspy

from arf_programs.config import PIPELINE_ROLES, Config, ModelConfig
from arf_programs.models import (
    CallBudget,
    KeyedCache,
    Sender,
    Session,
    as_cache,
    batch_senders,
    call_store,
    calls_of,
    use_session,
)
from arf_programs.runner.rows import Outcome, RowKey, run_rows
from arf_programs.runs import Run, StatusFile, iter_ledger


def budget_of(run: Run) -> CallBudget:
    """The caps of the configuration, less what the run's ledger says was sent before, tries that failed included."""
    caps = run.config.budget
    budget = CallBudget(caps.calls, caps.tokens, caps.usd)
    if (caps.calls, caps.tokens, caps.usd) != (None, None, None):
        for call in iter_ledger(run.folder.ledger):
            if not call.cached:
                budget.book_before(calls=1, tokens=call.prompt_tokens + call.completion_tokens, usd=call.usd)
    return budget


Row = TypeVar("Row")
Result = TypeVar("Result")


@contextmanager
def asking(run: Run, budget: CallBudget, *, workers: int = 1) -> Iterator[Session]:
    """Within this context programs ask by the run's store, under DSPy's JSON adapter; `workers` processes share the
    endpoints.
    """
    with (
        call_store(run.calls, run.folder.ledger, budget) as store,
        batch_senders(models_of(run.config), run.folder) as senders,
        asking_by(run, store, workers=workers, senders=senders) as session,
    ):
        yield session


@contextmanager
def asking_by(
    run: Run, store: KeyedCache, *, workers: int = 1, senders: dict[str, Sender] | None = None
) -> Iterator[Session]:
    """Within this context programs ask by `store`, whoever owns it."""
    with (
        warnings.catch_warnings(),
        as_cache(store),
        use_session(Session(say=run.progress.say, workers=workers, again=run.again, senders=senders or {})) as session,
        dspy.context(adapter=dspy.JSONAdapter(), disable_history=True, trace=None),
    ):
        # LiteLLM's pydantic models warn about their own unions with each answer.
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        yield session


def models_of(config: Config) -> list[ModelConfig]:
    """Every model that a run may ask."""
    evaluate = config.evaluate
    return [*(config.models.of(role) for role in PIPELINE_ROLES), *evaluate.serve.values(), *evaluate.systems.values()]


def ask_rows(
    run: Run,
    stage: str,
    rows: Sequence[Row],
    work: Callable[[Row], Awaitable[Result]],
    *,
    key: Callable[[Row], RowKey],
    concurrency: int,
    label: str = "",
) -> Outcome[Result]:
    """Run `work` over `rows`, with all results in memory.

    `stage` is what calls and failures are booked to, `label` what the progress says. Raises what
    `arf_programs.runner.rows.run_rows` raises.
    """
    budget = budget_of(run)
    before = budget.usd
    status = StatusFile(run.folder.status, label or stage, len(rows), lambda: budget.usd - before, run.progress)
    whole = False
    try:
        with asking(run, budget) as session, calls_of(stage):

            def advance(failed: int) -> None:
                status.advance(failed=failed, in_flight=session.in_flight, fresh=True)

            several = run_rows(
                rows,
                work,
                key=key,
                stage=stage,
                concurrency=concurrency,
                progress=run.progress,
                label=label,
                advance=advance,
            )
            outcome = asyncio.run(several)
        whole = True
        return outcome
    finally:
        status.end(whole=whole)

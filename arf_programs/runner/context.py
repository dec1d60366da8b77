"""Let the commands ask models, with the run's store, ledger, budget and pacing."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import dspy

from arf_programs.config import PIPELINE_ROLES, Config, ModelConfig
from arf_programs.models import (
    CallBudget,
    CallContext,
    Endpoints,
    Sender,
    Session,
    Store,
    batch_senders,
    calling,
    finder_of_people,
    open_store,
    quiet_about_cut_offs,
    within,
)
from arf_programs.privacy import open_guard
from arf_programs.programs import TypedAnswers
from arf_programs.runner.rows import Outcome, RowKey, run_rows
from arf_programs.runs import Run, StatusFile, iter_ledger


def budget_of(run: Run) -> CallBudget:
    """Return the budget of the configuration, less what the run has already used according to its ledger."""
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
def asking(run: Run, budget: CallBudget, *, workers: int = 1, background: bool = False) -> Iterator[CallContext]:
    """Make programs ask models from the run's store inside this block. Every command asks this way.

    `workers` processes share the endpoints. With `background` the calls come from several threads, as in `arf compile`.
    The caller says which stage the calls belong to.
    """
    with (
        open_store(run.calls, run.folder.ledger, budget) as store,
        batch_senders(models_of(run.config), run.folder) as senders,
        asking_from(run, store, workers=workers, background=background, senders=senders) as context,
    ):
        yield context


@contextmanager
def asking_from(
    run: Run,
    store: Store,
    *,
    workers: int = 1,
    background: bool = False,
    senders: Mapping[str, Sender] | None = None,
    falls_back: bool = True,
) -> Iterator[CallContext]:
    """Make programs ask models from `store`, whoever owns it, inside this block.

    The rates of endpoints, and what they refuse, are kept for later stages of the same command.
    """
    endpoints = run.kept.setdefault(f"endpoints of {workers}", Endpoints(say=run.progress.say, workers=workers))
    people = finder_of_people(run.config.privacy.ner) if run.config.privacy.pseudonyms else None
    with open_guard(run, people) as guard:
        session = Session(
            store,
            endpoints=endpoints,
            again=run.again,
            background=background,
            senders=senders,
            falls_back=falls_back,
            guard=guard,
        )
        with (
            warnings.catch_warnings(),
            quiet_about_cut_offs(),
            calling(CallContext(session)) as context,
            dspy.context(adapter=TypedAnswers(), disable_history=True, trace=None),
        ):
            # LiteLLM's pydantic models warn about their own unions with each answer.
            warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
            yield context


def models_of(config: Config) -> list[ModelConfig]:
    """Return every model that a run may ask."""
    models, evaluate = config.models, config.evaluate
    asked = models.asked(PIPELINE_ROLES).values()
    return [*asked, *models.editors, *evaluate.serve.values(), *evaluate.systems.values()]


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
    """Apply `work` to each row, and return all results in memory.

    Calls and failures are booked to `stage`; the progress shows `label`. Raises what `run_rows` raises.
    """
    budget = budget_of(run)
    before = budget.usd
    status = StatusFile(run.folder.status, label or stage, len(rows), lambda: budget.usd - before, run.progress)
    whole = False
    try:
        with asking(run, budget) as context, within(stage=stage):

            def advance(failed: int) -> None:
                status.advance(failed=failed, in_flight=context.session.endpoints.in_flight, fresh=True)

            outcome_of_rows = run_rows(
                rows,
                work,
                key=key,
                stage=stage,
                concurrency=concurrency,
                progress=run.progress,
                label=label,
                advance=advance,
            )
            outcome = asyncio.run(outcome_of_rows)
        whole = True
        return outcome
    finally:
        status.end(whole=whole)

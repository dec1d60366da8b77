"""How a stage asks models: calls are stored and booked, answers are typed, failures are records."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import dspy

from arf_programs.models.call_store import call_store, calls_of
from arf_programs.run import Run
from arf_programs.runner import Outcome, RowKey, run_rows

Row = TypeVar("Row")
Result = TypeVar("Result")


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
    """Run `work` over `rows` with the run's call store, under DSPy's JSON adapter.

    `stage` is what calls and failures are booked to, `label` what the progress says. Raises what
    `arf_programs.runner.run_rows` raises.
    """
    with (
        warnings.catch_warnings(),
        call_store(run.folder.calls, run.folder.ledger),
        calls_of(stage),
        dspy.context(adapter=dspy.JSONAdapter(), disable_history=True),
    ):
        # LiteLLM's pydantic models warn about their own unions with each answer.
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        return asyncio.run(
            run_rows(rows, work, key=key, stage=label or stage, concurrency=concurrency, progress=run.progress)
        )

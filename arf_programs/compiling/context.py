"""How `arf compile` asks models: the context of its calls, and one event loop for the calls from all threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import dspy

from arf_programs.config import ModelConfig
from arf_programs.models import CallBudget, Session, build_lm, call_store, calls_of, use_session
from arf_programs.runner import asking_by
from arf_programs.runs import Run

Result = TypeVar("Result")
# DSPy gives up after so many failed examples. A failed example scores 0 here, and is no reason to give up.
_NO_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class SharedLoop:
    """An event loop that answers the calls of all threads, under one session: its rates hold for all of them."""

    loop: asyncio.AbstractEventLoop
    session: Session
    stage: str

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for `work` in this thread. DSPy's settings of this thread apply to it."""
        with use_session(self.session), calls_of(self.stage):
            return asyncio.run_coroutine_threadsafe(work, self.loop).result()


@contextmanager
def asking_context(run: Run, model: ModelConfig, budget: CallBudget, stage: str) -> Iterator[SharedLoop]:
    """Let programs without a model of their own ask `model`, from the run's store and within the budget."""
    with (
        call_store(run.calls, run.folder.ledger, budget) as store,
        asking_by(run, store) as session,
        calls_of(stage),
        dspy.context(lm=build_lm(model, seed=run.config.seed), max_errors=_NO_LIMIT),
        _loop_in_thread() as loop,
    ):
        yield SharedLoop(loop, session, stage)


@contextmanager
def _loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_forever, name="arf-compile", daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()  # the runner then cancels what is under way, and closes the loop

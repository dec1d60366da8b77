"""How `arf compile` asks models: calls from all threads of an optimizer share one session and one event loop."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import dspy

from arf_programs.config import ModelConfig
from arf_programs.models import CallBudget, CallContext, build_lm, calling, run_sync
from arf_programs.runner import asking
from arf_programs.runs import Run

Result = TypeVar("Result")
# DSPy gives up after so many failed examples. A failed example scores 0 here, and is no reason to give up.
_NO_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class SharedCalls:
    """Answers the calls of all threads under one context, so its rates and its budget hold for all of them."""

    context: CallContext

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for `work` in this thread. DSPy's settings of this thread apply to it."""
        with calling(self.context):
            return run_sync(work)


@contextmanager
def asking_context(run: Run, model: ModelConfig, budget: CallBudget, stage: str) -> Iterator[SharedCalls]:
    """Let programs without a model of their own ask `model`, from the run's store and within the budget."""
    with asking(run, budget, background=True) as opened, calling(replace(opened, stage=stage)) as context:
        lm = build_lm(model, seed=run.config.seed, context=context)
        with dspy.context(lm=lm, max_errors=_NO_LIMIT):
            yield SharedCalls(context)

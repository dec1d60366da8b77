"""The base of the programs: a DSPy module that is called with or without `await`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import dspy

from arf_programs.models import run_sync, within
from signatures.records import Conversation


class Program(dspy.Module):
    """A DSPy module whose work is `aforward`; a synchronous call runs it on an event loop in the background.

    So `program(...)` works in a script, in Jupyter and in the threads of DSPy's optimizers, and `await
    program.acall(...)` wherever an event loop is at hand.
    """

    def forward(self, *args: Any, **inputs: Any) -> dspy.Prediction:
        """Run `aforward` with the same arguments. Raises what it raises."""
        with _about(inputs):
            prediction: dspy.Prediction = run_sync(self.aforward(*args, **inputs))
        return prediction

    async def acall(self, *args: Any, **inputs: Any) -> dspy.Prediction:
        """Answer on the event loop at hand. Raises what `aforward` raises."""
        with _about(inputs):
            prediction: dspy.Prediction = await super().acall(*args, **inputs)
        return prediction

    async def aforward(self, *args: Any, **inputs: Any) -> dspy.Prediction:
        """Answer. Each program says which inputs it takes, and what its prediction holds."""
        raise NotImplementedError


def _about(inputs: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Say, for the calls of a block, which conversation they are about: its private values are known then."""
    conversation = inputs.get("conversation")
    return within(conversation=conversation) if isinstance(conversation, Conversation) else nullcontext()

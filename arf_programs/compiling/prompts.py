"""The prompt that a model would really see, as text. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dspy

from arf_programs.programs.nearest import demos_for
from arf_programs.programs.plain_adapter import PlainAdapter
from arf_programs.programs.summarize import SummarizeConversation


def rendered_prompts(program: dspy.Module, values: Mapping[str, Any]) -> dict[str, str]:
    """For each predictor that can be compiled the messages of one call, by the adapter that sends them.

    `values` holds inputs by field name; a field that it lacks is shown as `<name>`.
    """
    adapter = PlainAdapter() if isinstance(program, SummarizeConversation) else dspy.JSONAdapter()
    return {name: _rendered(adapter, predictor, values) for name, predictor in program.named_predictors()}


def _rendered(adapter: Any, predictor: dspy.Predict, values: Mapping[str, Any]) -> str:
    inputs = {name: values.get(name, f"<{name}>") for name in predictor.signature.input_fields}
    messages = adapter.format(predictor.signature, demos_for(predictor, inputs), inputs)
    return "\n\n".join(f"--- {message['role']} ---\n{message['content']}" for message in messages)

"""The prompt that a model would really see, as text. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dspy

from arf_programs.programs.nearest import demos_for
from arf_programs.programs.plain_adapter import PlainAdapter
from arf_programs.programs.support_adapter import SupportAdapter


def rendered_prompts(program: dspy.Module, values: Mapping[str, Any]) -> dict[str, str]:
    """For each predictor that can be compiled the messages of one call, by the adapter that sends them.

    `values` holds inputs by field name; a field that it lacks is shown as `<name>`.
    """
    return {name: _rendered(_adapter(name), predictor, values) for name, predictor in program.named_predictors()}


def _adapter(name: str) -> Any:
    """The adapter of a predictor: two programs bring one of their own."""
    own = {"summarize": PlainAdapter, "ask_support": SupportAdapter}
    return own.get(name.rpartition(".")[2], dspy.JSONAdapter)()


def _rendered(adapter: Any, predictor: dspy.Predict, values: Mapping[str, Any]) -> str:
    inputs = {name: values.get(name, f"<{name}>") for name in predictor.signature.input_fields}
    messages = adapter.format(predictor.signature, demos_for(predictor, inputs), inputs)
    return "\n\n".join(f"--- {message['role']} ---\n{message['content']}" for message in messages)

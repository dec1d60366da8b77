"""What LiteLLM's table, and what was declared to it, say of a model: above all its price."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from arf_programs.models._litellm import import_litellm

NAME_ALONE = {"litellm_provider", "mode"}
"""What `providers.declare_name` says of a model."""


def listed_price(model: str) -> tuple[float, float] | None:
    """US dollars a token of prompt and of answer, by LiteLLM's table and what `providers.declare_model` told it.

    None where it has no price.
    """
    known = known_model(model) or {}
    # LiteLLM says 0 of a model without a price: the entry itself tells whether it is one.
    entry = import_litellm().model_cost.get(known.get("key"), {})
    if "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
        return None
    return float(entry["input_cost_per_token"]), float(entry["output_cost_per_token"])


@lru_cache(maxsize=64)
def known_model(model: str) -> dict[str, Any] | None:
    """What LiteLLM's table says of a model; None for one that it does not have, or knows by its name alone.

    Kept, since LiteLLM asks an Ollama server anew each time; `providers.declare_model` forgets it.
    """
    litellm: Any = import_litellm()
    try:
        told = dict(litellm.get_model_info(model))
    except Exception:  # ModelNotMappedError, or a bare one where LiteLLM could not read its own entry
        return None
    return told if litellm.model_cost.get(told.get("key"), {}).keys() - NAME_ALONE else None

"""The one door to LiteLLM, which has to be told a few things before it is imported.

What LiteLLM's table, and what was declared to it, say of a model: above all its price.

Marks for Claude's prompt caching: where the part of a prompt ends that other calls have in common.

LiteLLM sets them (`cache_control: {"type": "ephemeral"}`), by a parameter of the call, and no stored answer depends on
them. Other providers cache common prefixes by themselves or not at all, and some refuse a request that has a mark.


The providers that ARF adds to LiteLLM, and what LiteLLM has to know of a model before DSPy uses it.
"""

from __future__ import annotations

import importlib
import logging
import os
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, Final

from arf_programs.config import ModelConfig
from signatures.exceptions import ConfigError


def skip_litellms_logging() -> None:
    """Mark the calls of this context as LiteLLM marks its own: it prepares no log of them, a seventh of its time."""
    context: Any = importlib.import_module("litellm._internal_context")
    context.is_internal_call.set(True)


@cache
def import_litellm() -> ModuleType:
    """LiteLLM with the price map that it carries (no request at import), and with its chatter silenced."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    module: ModuleType = litellm
    return module


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


CACHE_MARKS: Final = "cache_control_injection_points"
"""LiteLLM's parameter."""

CACHE_WRITE: Final = 1.25
"""What a token that is written to the cache costs, as a share of one that is not; Anthropic's price for 5 minutes."""

_PROVIDERS: Final = ("anthropic", "azure_ai", "bedrock", "databricks", "openrouter", "vertex_ai")
_FAMILY: Final = "claude"


def marks_before_the_question() -> list[dict[str, Any]]:
    """One mark at the end of the last message but one: that is the last demonstration, or the system message."""
    return [{"location": "message", "index": -2}]


def check_cache_marks(config: ModelConfig) -> None:
    """Raise ConfigError for a model that does not take the marks: they are for Claude, of a provider that has it."""
    provider, _, name = config.model.partition("/")
    if provider in _PROVIDERS and _FAMILY in name.lower():
        return
    raise ConfigError(
        f"{config.model}: cache_marks are for Claude models ({', '.join(f'{one}/...' for one in _PROVIDERS)}): leave "
        "them out; OpenAI, DeepSeek, Gemini and vLLM cache what prompts have in common without being told."
    )


def register_providers() -> None:
    """Make `embedded/...` and `scripted/...` known to LiteLLM, beside providers that others have added."""
    litellm = import_litellm()
    from arf_programs.models.embedded.provider import EmbeddedLLM
    from arf_programs.models.scripted_llm import ScriptedLLM

    known = {entry["provider"] for entry in litellm.custom_provider_map}
    for provider, handler in (("embedded", EmbeddedLLM), ("scripted", ScriptedLLM)):
        if provider not in known:
            litellm.custom_provider_map.append({"provider": provider, "custom_handler": handler()})
    litellm.utils.custom_llm_setup()


def declare_name(model: str) -> None:
    """Tell LiteLLM that there is such a model, and nothing of it, where its table does not have it.

    It looks for each answer's price, and remembers what it finds, but not that there is nothing: that search costs a
    twentieth of a call's time.
    """
    if known_model(model) is None:
        litellm = import_litellm()
        litellm.register_model({model: {"litellm_provider": litellm.get_llm_provider(model)[1], "mode": "chat"}})


def declare_model(
    model: str, *, json_schema: bool, input_price: float | None = 0.0, output_price: float | None = 0.0
) -> None:
    """Tell LiteLLM whether `model` takes a JSON schema (DSPy sends one only then), and its prices in USD a token.

    A price of `None` leaves LiteLLM's own. Tokens that a provider has cached are counted at the full price.
    """
    litellm = import_litellm()
    provider = litellm.get_llm_provider(model)[1]
    entry: dict[str, object] = {
        "litellm_provider": provider,
        "mode": "chat",
        "supports_response_schema": json_schema,
    }
    if input_price is not None:
        for key in ("input_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost"):
            entry[key] = input_price
    if output_price is not None:
        entry["output_cost_per_token"] = output_price
    litellm.register_model({model: entry})
    known_model.cache_clear()

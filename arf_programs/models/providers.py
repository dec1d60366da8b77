"""The providers that ARF adds to LiteLLM, and what LiteLLM has to know of a model before DSPy uses it."""

from __future__ import annotations

from arf_programs.models._litellm import import_litellm
from arf_programs.models.prices import known_model


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

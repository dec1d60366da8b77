"""LiteLLM: its import, the providers that ARF adds to it, what its table knows of a model, and Claude's cache marks.

A cache mark says where the part of a prompt ends that other calls share. LiteLLM sets it
(`cache_control: {"type": "ephemeral"}`) by a parameter of the call. No stored answer depends on it. Other providers
cache common prefixes by themselves or not at all, and some refuse a request with a mark.
"""

from __future__ import annotations

import importlib
import logging
import os
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, Final

import httpx

from arf_programs.config import ModelConfig
from signatures.exceptions import ConfigError

CACHE_MARKS: Final = "cache_control_injection_points"
"""LiteLLM's parameter for cache marks."""

CACHE_WRITE: Final = 1.25
"""The price of a token that is written to the cache, as a multiple of the plain price; Anthropic's, for 5 minutes."""

EMBEDDED: Final = "embedded/"
SCRIPTED: Final = "scripted/"
"""Prefixes of the models that run in this process."""

_PROVIDERS_WITH_MARKS: Final = ("anthropic", "azure_ai", "bedrock", "databricks", "openrouter", "vertex_ai")
_OWN_PRICES: Final = "LITELLM_LOCAL_MODEL_COST_MAP"
_OLLAMA: Final = ("ollama", "ollama_chat")
_HUB: Final = "huggingface"
_NAME_ALONE: Final = {"litellm_provider", "mode"}  # what `declare_name` writes into LiteLLM's table


@cache
def import_litellm() -> ModuleType:
    """Import LiteLLM without its log messages, and with the price table of its package: no request at import.

    Its clients do not follow a server to another host.
    """
    before = os.environ.get(_OWN_PRICES)
    os.environ.setdefault(_OWN_PRICES, "True")  # LiteLLM reads it once, when it is imported
    litellm: Any = importlib.import_module("litellm")
    if before is None:
        del os.environ[_OWN_PRICES]
    litellm.suppress_debug_info = True
    # It would fetch a tokenizer from the hub to count the tokens of an answer without a usage.
    litellm.disable_hf_tokenizer_download = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

    for transport in (LiteLLMAiohttpTransport, httpx.AsyncHTTPTransport):
        refuse_redirects(transport)
    module: ModuleType = litellm
    return module


def register_providers() -> None:
    """Add `embedded/...` and `scripted/...` to LiteLLM's providers, and keep those that others have added."""
    litellm = import_litellm()
    from arf_programs.models.embedded.provider import EmbeddedLLM
    from arf_programs.models.providers.scripted_llm import ScriptedLLM

    present = {entry["provider"] for entry in litellm.custom_provider_map}
    for provider, handler in (("embedded", EmbeddedLLM), ("scripted", ScriptedLLM)):
        if provider not in present:
            litellm.custom_provider_map.append({"provider": provider, "custom_handler": handler()})
    litellm.utils.custom_llm_setup()


def provider_of(model: str) -> str:
    """Return the provider that a model's name begins with; openai if it names none."""
    return model.split("/", 1)[0] if "/" in model else "openai"


def is_local(model: str) -> bool:
    """Return whether a model runs in this process, without key or network."""
    return model.startswith((EMBEDDED, SCRIPTED))


def declare_name(model: str) -> None:
    """Add the name of a model to LiteLLM's table, and nothing else, if the table lacks it.

    LiteLLM looks up the price of each answer. It remembers a hit but not a miss, and each miss costs a twentieth of a
    call's time.
    """
    if listed_model(model) is None:
        _write_entry(model, {"litellm_provider": import_litellm().get_llm_provider(model)[1], "mode": "chat"})


def declare_model(
    model: str, *, json_schema: bool, input_price: float | None = 0.0, output_price: float | None = 0.0
) -> None:
    """Write into LiteLLM's table whether a model takes a JSON schema, and its prices in USD a token.

    DSPy sends a schema only to a model that takes one. A price of None leaves LiteLLM's own. Tokens that a provider
    has cached count at the full price.
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
    _write_entry(model, entry)
    listed_model.cache_clear()


def _write_entry(model: str, entry: dict[str, object]) -> None:
    litellm: Any = import_litellm()
    if provider_of(model) in _OLLAMA:
        litellm.model_cost.setdefault(model, dict(entry))  # LiteLLM asks Ollama about a model that is not there
    litellm.register_model({model: entry})


@lru_cache(maxsize=64)
def listed_model(model: str) -> dict[str, Any] | None:
    """Return the entry of a model in LiteLLM's table; None if there is none, or if it holds only the name.

    The entry is remembered, and `declare_model` forgets it. LiteLLM would ask the Ollama of this machine about a model
    that its table lacks, wherever the model is, and the Hugging Face hub about any of its models.
    """
    litellm: Any = import_litellm()
    provider = provider_of(model)
    if provider == _HUB or (provider in _OLLAMA and model not in litellm.model_cost):
        return None
    try:
        info = dict(litellm.get_model_info(model))
    except Exception:  # ModelNotMappedError, or a bare one where LiteLLM could not read its own entry
        return None
    return info if litellm.model_cost.get(info.get("key"), {}).keys() - _NAME_ALONE else None


def listed_price(model: str) -> tuple[float, float] | None:
    """Return the price of a prompt token and of an answer token in USD, by LiteLLM's table; None if it has no price."""
    info = listed_model(model) or {}
    # `info` has a price of 0 for a model without a price, so the entry itself is read.
    entry = import_litellm().model_cost.get(info.get("key"), {})
    if "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
        return None
    return float(entry["input_cost_per_token"]), float(entry["output_cost_per_token"])


def marks_before_the_question() -> list[dict[str, Any]]:
    """Return one mark, at the end of the last message but one: the last demonstration, or the system message."""
    return [{"location": "message", "index": -2}]


def check_cache_marks(config: ModelConfig) -> None:
    """Raise ConfigError for a model that takes no marks. Only Claude models take them, at some providers."""
    provider, _, name = config.model.partition("/")
    if provider in _PROVIDERS_WITH_MARKS and "claude" in name.lower():
        return
    raise ConfigError(
        f"{config.model}: cache_marks are for Claude models "
        f"({', '.join(f'{one}/...' for one in _PROVIDERS_WITH_MARKS)}): leave them out; OpenAI, DeepSeek, Gemini and "
        "vLLM cache what prompts have in common without marks."
    )


def refuse_redirects(transport: type[httpx.AsyncBaseTransport]) -> None:
    """Let a transport of httpx refuse to redirect a request with a body to another host. A second call does nothing.

    The caller gets status 400 with a message that names the other host. LiteLLM's clients follow redirects otherwise.
    A redirect within a host is followed.
    """
    send: Any = transport.handle_async_request
    if getattr(send, "refuses_redirects", False):
        return

    async def guarded(self: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await send(self, request)
        if request.method not in ("POST", "PUT", "PATCH") or not response.has_redirect_location:
            return response
        there = _target(request, response)
        if there is not None and _is_same_host(request.url, there):
            return response
        await response.aclose()
        host = "another address" if there is None else f"{there.host}{f':{there.port}' if there.port else ''}"
        message = (
            f"{request.url.host} redirects requests to {host}. Nothing was sent there: set api_base to the address "
            "that you want to ask."
        )
        return httpx.Response(400, json={"error": {"message": message, "type": "redirected"}}, request=request)

    guarded.refuses_redirects = True  # type: ignore[attr-defined]
    transport.handle_async_request = guarded  # type: ignore[method-assign]


def _target(request: httpx.Request, response: httpx.Response) -> httpx.URL | None:
    try:
        return request.url.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError):
        return None


def _is_same_host(here: httpx.URL, there: httpx.URL) -> bool:
    """Whether two addresses have one host and one port. The change from http to https, at their own ports, is none."""
    upgraded = (here.scheme, there.scheme) == ("http", "https") and here.port is None and there.port is None
    return here.host == there.host and here.port == there.port and (here.scheme == there.scheme or upgraded)

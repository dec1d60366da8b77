"""The address that the requests of a model go to, and its host.

LiteLLM sends a request without an address to OpenAI, whoever its provider is. So the address has to be clear before
anything is sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from arf_programs.config import ModelConfig
from arf_programs.models.providers.litellm import import_litellm, is_local
from signatures.exceptions import ConfigError

_NO_URL: Final = re.compile(r"[\s\\\x00-\x1f]")
_NO_HOST: Final = re.compile(r"[<>{}$\"'`|^%*]|^\.*$")
_OPENAI: Final = "https://api.openai.com/v1"
_OPENAI_VARIABLES: Final = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
# Where LiteLLM finds an address only when it sends a request: the variables that it reads, and the address that it uses
# without them. None is a server of one's own.
_FOUND_LATE: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    "openai": (_OPENAI_VARIABLES, _OPENAI),
    "text-completion-openai": (_OPENAI_VARIABLES, _OPENAI),
    "custom_openai": (_OPENAI_VARIABLES, None),
    "azure": (("AZURE_API_BASE",), None),
    "azure_text": (("AZURE_API_BASE",), None),
    "azure_ai": (("AZURE_AI_API_BASE",), None),
    "a2a": (("A2A_API_BASE",), None),
    "heroku": (("HEROKU_API_BASE",), None),
    "triton": ((), None),
    "anthropic": (("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"), "https://api.anthropic.com"),
    "anthropic_text": (("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"), "https://api.anthropic.com"),
    "cohere": (("COHERE_API_BASE",), "https://api.cohere.com"),
    "cohere_chat": (("COHERE_API_BASE",), "https://api.cohere.com"),
    "gemini": (("GEMINI_API_BASE",), "https://generativelanguage.googleapis.com"),
    "openrouter": (("OPENROUTER_API_BASE",), "https://openrouter.ai/api/v1"),
    "amazon_nova": (("AMAZON_NOVA_API_BASE",), "https://api.nova.amazon.com/v1"),
    "compactifai": ((), "https://api.compactif.ai/v1"),
    "maritalk": (("MARITALK_API_BASE",), "https://chat.maritaca.ai/api"),
    "nlp_cloud": (("NLP_CLOUD_API_BASE",), "https://api.nlpcloud.io/v1/gpu/"),
    "langflow": (("LANGFLOW_API_BASE",), "http://localhost:7860"),
    "ollama_chat": (("OLLAMA_API_BASE",), "http://localhost:11434"),
    "vertex_ai": (("VERTEXAI_API_BASE",), "https://aiplatform.googleapis.com"),
    "vertex_ai_beta": (("VERTEXAI_API_BASE",), "https://aiplatform.googleapis.com"),
}
# By these names LiteLLM asks no server (it runs vLLM in this process, or has no chat completions), or other hosts too:
# this machine about a model of Lemonade, and the Hugging Face hub for the chat template of a model.
_OTHER_NAMES: Final = {
    **dict.fromkeys(("vllm", "openai_like", "lemonade", "petals"), "hosted_vllm/{}, and its address as api_base"),
    "sagemaker": "sagemaker_chat/{}",
}
_OWN_SERVERS_LIKE_OPENAI: Final = ("custom_openai", "aiohttp_openai")
_OWN_KEYS: Final = ("azure_ai", "github_copilot", "chatgpt")  # by other means than OpenAI's client
NO_KEY: Final = "no-key"
"""What OpenAI's client gets where there is no key: without any it does not start."""


@dataclass(frozen=True)
class Address:
    """Where the requests of a model go.

    `url` is None if only LiteLLM knows it, as for clouds with regions and accounts. `given` is whether LiteLLM has to
    be given it, since it would not look there by itself. `key` is the key that LiteLLM finds for the provider.
    """

    provider: str
    url: str | None
    given: bool = False
    key: str | None = None

    @property
    def host(self) -> str:
        """The host, with its port if there is one; without user and password."""
        if self.url is None:
            return f"LiteLLM's address for {self.provider}"
        parts = urlsplit(self.url)
        # As the name is looked up, so that no foreign letter passes for a Latin one.
        host = str(parts.hostname) if str(parts.hostname).isascii() else httpx.URL(self.url).raw_host.decode()
        return f"{host}:{parts.port}" if parts.port else host


def address_of(config: ModelConfig) -> Address:
    """Return the address that LiteLLM will ask for a model that does not run in this process.

    Raises ConfigError for a model that LiteLLM does not know, for a server of one's own without an address, and for an
    address without a host.
    """
    litellm: Any = import_litellm()
    address = config.api_base or config.parameters.get("base_url")
    try:
        name, provider, key, url = litellm.get_llm_provider(
            config.model, api_base=address, custom_llm_provider=config.parameters.get("custom_llm_provider")
        )
    except litellm.BadRequestError:
        raise ConfigError(
            f"{config.model}: LiteLLM knows no such model: write provider/model, e.g. openai/gpt-4o-mini."
        ) from None
    if provider in _OTHER_NAMES:
        raise ConfigError(
            f"{config.model}: by this name LiteLLM asks no server, or others as well: write "
            f"{_OTHER_NAMES[provider].format(name)}."
        )
    if address or url:
        return Address(provider, _checked(config, str(address or url)), key=key)
    if provider in {entry["provider"] for entry in litellm.custom_provider_map}:
        return Address(provider, None)  # code that somebody has registered
    prefix = config.model.partition("/")[0] if "/" in config.model else provider
    if prefix == provider and provider in _FOUND_LATE:  # LiteLLM takes some models of Azure for OpenAI's
        variables, default = _FOUND_LATE[provider]
        return Address(provider, _checked(config, _first_set(variables) or default, variables))
    default = _address_in_class(name, provider, config.parameters)
    if default is not None and not _is_openais(default):
        return Address(provider, default or None)
    variable = f"{prefix.upper().replace('-', '_')}_API_BASE"
    return Address(provider, _checked(config, _first_set((variable,)), (variable,)), given=True)


def api_base_for_litellm(config: ModelConfig) -> str | None:
    """Return the address that LiteLLM has to be given; None if there is none, or if LiteLLM finds it by itself."""
    if config.api_base or is_local(config.model):
        return config.api_base
    address = address_of(config)
    return address.url if address.given else None


def key_instead_of_openais(config: ModelConfig) -> str | None:
    """Return the key to send to a provider without a key of its own; None where LiteLLM finds the right one.

    LiteLLM would send OPENAI_API_KEY to whatever it reaches by OpenAI's client, and a server of one's own needs no key.
    """
    address = address_of(config)
    by_openais_client = address.given or address.provider in (
        *import_litellm().openai_compatible_providers,
        *_OWN_SERVERS_LIKE_OPENAI,
    )
    if address.key or not by_openais_client or address.provider in _OWN_KEYS:
        return None
    return os.environ.get(f"{address.provider.upper().replace('-', '_')}_API_KEY") or NO_KEY


def api_base_for_batches(config: ModelConfig) -> str | None:
    """Return the address for LiteLLM's calls of the batch API, which read the variables of OpenAI and Azure only."""
    address = address_of(config)
    return config.api_base if address.provider in ("openai", "azure") and not address.given else address.url


def hosts_of(models: Iterable[ModelConfig]) -> dict[str, list[str]]:
    """Return the hosts that will be asked, each with the models that it is asked for.

    A model in this process has none. Raises what `address_of` raises.
    """
    hosts: dict[str, list[str]] = {}
    for config in models:
        if not is_local(config.model):
            names = hosts.setdefault(address_of(config).host, [])
            names += [] if config.model in names else [config.model]
    return hosts


def describe_hosts(hosts: dict[str, list[str]]) -> str:
    """Return a line that lists the hosts."""
    if not hosts:
        return "Hosts that are asked: none"
    return "Hosts that are asked: " + "; ".join(f"{host} ({', '.join(names)})" for host, names in hosts.items())


def _checked(config: ModelConfig, address: str | None, variables: tuple[str, ...] = ()) -> str:
    """Return the address. Raises ConfigError if there is none, or if it is no URL."""
    if address is None:
        other = f", or the environment variable {variables[0]}" if variables else ""
        raise ConfigError(
            f"{config.model}: the address of your server is missing: set api_base, e.g. http://127.0.0.1:8000/v1{other}."
        )
    try:
        parts = urlsplit(address)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        # Both have to read the same host, since one is listed and the other is asked.
        whole = whole and not _NO_URL.search(address) and not _NO_HOST.search(str(parts.hostname))
        whole = whole and httpx.URL(address).host == parts.hostname
    except (ValueError, httpx.InvalidURL):
        whole = False
    if not whole:
        raise ConfigError(
            f"{config.model}: the address of its server is no URL: write it as http://host:port/v1, in api_base or in "
            "the provider's environment variable."
        )
    return address


def _first_set(variables: tuple[str, ...]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name))), None)


def _address_in_class(name: str, provider: str, parameters: dict[str, Any]) -> str | None:
    """Return the address that LiteLLM's class for a provider has.

    It is empty if the class does not say it without an account, and None if there is no class: such providers are
    reached by OpenAI's client.
    """
    litellm: Any = import_litellm()
    try:
        listed = litellm.types.utils.LlmProviders(provider)
        config = litellm.utils.ProviderConfigManager.get_provider_chat_config(model=name, provider=listed)
    except ValueError:
        return None
    if config is None:
        return None
    try:
        return str(
            config.get_complete_url(
                api_base=None, api_key=None, model=name, optional_params=dict(parameters), litellm_params={}
            )
        )
    except Exception:  # no account or region yet: LiteLLM says so itself before it sends anything
        return ""


def _is_openais(address: str) -> bool:
    return urlsplit(address).hostname == urlsplit(_OPENAI).hostname

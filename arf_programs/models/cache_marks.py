"""Marks for Claude's prompt caching: where the part of a prompt ends that other calls have in common.

LiteLLM sets them (`cache_control: {"type": "ephemeral"}`), by a parameter of the call, and no stored answer depends on
them. Other providers cache common prefixes by themselves or not at all, and some refuse a request that has a mark.
"""

from __future__ import annotations

from typing import Any, Final

from arf_programs.config.models import ModelConfig
from signatures.exceptions import ConfigError

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

"""The one place that builds a language model: always dspy.LM over LiteLLM."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import dspy

from arf_programs.config.models import ModelConfig, ModelsConfig, Role
from arf_programs.models.providers import declare_model, register_providers
from signatures.exceptions import ConfigError

EMBEDDED = "embedded/"
SCRIPTED = "scripted/"
_PER_MILLION = 1e-6


def build_lm(config: ModelConfig, *, seed: int) -> dspy.LM:
    """The model of a role. `seed` goes to embedded models, which respect it; others get theirs by `parameters`.

    Raises ConfigError when the environment lacks the key that the configuration names.
    """
    register_providers()
    _declare(config)
    parameters: dict[str, Any] = dict(config.parameters)
    if config.model.startswith(EMBEDDED):
        parameters.setdefault("seed", seed)
    if config.api_base:
        parameters["api_base"] = config.api_base
    if config.api_key_env:
        parameters["api_key"] = key_of(config)
    return dspy.LM(
        config.model,
        engine="litellm",
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        num_retries=config.retries,
        timeout=config.timeout,
        **parameters,
    )


def key_of(config: ModelConfig) -> str:
    """The key from the environment. Raises ConfigError when it is not set."""
    name = config.api_key_env or ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"{config.model}: the environment variable {name} is not set: `export {name}=...`")
    return key


def check_keys(models: ModelsConfig, roles: Iterable[Role]) -> None:
    """Raise ConfigError naming every key that one of the roles needs and the environment lacks."""
    problems: list[str] = []
    for role in roles:
        try:
            if models.of(role).api_key_env:
                key_of(models.of(role))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def is_local(model: str) -> bool:
    """Whether a model string is served in this process, without key or network."""
    return model.startswith((EMBEDDED, SCRIPTED))


def _declare(config: ModelConfig) -> None:
    priced = config.input_price is not None and config.output_price is not None
    if not (priced or config.json_schema is not None or is_local(config.model)):
        return  # LiteLLM's own table knows best
    declare_model(
        config.model,
        json_schema=is_local(config.model) if config.json_schema is None else config.json_schema,
        input_price=_per_token(config.input_price, config.model),
        output_price=_per_token(config.output_price, config.model),
    )


def _per_token(per_million: float | None, model: str) -> float | None:
    """USD a token; None leaves LiteLLM's own price in place, and what runs in this process costs nothing."""
    if per_million is None:
        return 0.0 if is_local(model) else None
    return per_million * _PER_MILLION

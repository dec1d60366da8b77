"""Build the `dspy.LM` of a configuration, with ARF's engine, and check that its provider can be reached."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dspy
from pydantic import ValidationError

from arf_programs.config import ModelConfig, login_header, remember_secrets, resolve_references, without_user
from arf_programs.models.answers.store import CallStore
from arf_programs.models.calls.engine import ArfEngine
from arf_programs.models.calls.pacing import Pace
from arf_programs.models.calls.sender import Address
from arf_programs.models.calls.session import CallContext, Session
from arf_programs.models.local.placement import AUTO, describe_placement, find_placement
from arf_programs.models.providers.addresses import (
    NO_KEY,
    address_of,
    api_base_for_litellm,
    hosts_of,
    key_instead_of_openais,
)
from arf_programs.models.providers.litellm import (
    CACHE_MARKS,
    EMBEDDED,
    check_cache_marks,
    declare_model,
    declare_name,
    import_litellm,
    is_local,
    marks_before_the_question,
    register_providers,
)
from signatures.exceptions import ConfigError

_LOGPROBS = {"logprobs", "top_logprobs"}


def build_lm(
    config: ModelConfig, *, seed: int, context: CallContext | None = None, address: Address | None = None
) -> dspy.LM:
    """Build the model of a role, for calls within a run or within `context`.

    `seed` is for embedded models; others take theirs from `parameters`. `address` gives the address of a server that we
    start ourselves, which gets no key. Raises ConfigError if the environment lacks
    the key that the configuration names, or if LiteLLM does not know the model's provider.
    """
    register_providers()
    check_provider(config)
    _declare(config)
    remember_secrets([config])
    parameters: dict[str, Any] = {**resolve_references(config.parameters), "timeout": config.timeout}
    if config.model.startswith(EMBEDDED):
        parameters.setdefault("seed", seed)
        parameters |= {name: value for name, value in place_of(config).items() if value != AUTO}
    if api_base := api_base_for_litellm(config):
        parameters["api_base"] = without_user(api_base)
        if login := login_header(api_base):  # the clients below LiteLLM refuse a login in the address beside a header
            parameters["extra_headers"] = {"Authorization": login, **parameters.get("extra_headers", {})}
    if config.api_key_env:
        parameters["api_key"] = read_key(config)
    elif address is not None or login_header(config.api_base or ""):
        parameters["api_key"] = NO_KEY
    elif "api_key" not in parameters and (key := key_instead_of_openais(config)):
        parameters["api_key"] = key
    if config.cache_marks:
        parameters[CACHE_MARKS] = marks_before_the_question()
    if config.reasoning_effort:
        parameters["reasoning_effort"] = config.reasoning_effort
    engine = ArfEngine(config.model, pace=_pace(config), parameters=parameters, context=context, address=address)
    return engine.lm(temperature=config.temperature, max_tokens=config.max_tokens)


def stored_lm(model: str, folder: str | Path, *, seed: int = 17, **settings: Any) -> dspy.LM:
    """Build a `dspy.LM` for a notebook whose answers are stored in `folder`, so none is paid for twice.

    `settings` are those of a model in arf.yaml: `api_base`, `api_key_env`, `max_tokens`, `concurrency`, and so on.
    Calls are paced, tried again and booked in `folder/calls.jsonl`, as in a run. Raises ConfigError for wrong settings.
    """
    try:
        config = ModelConfig(model=model, **settings)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(problems) from None
    place = Path(folder)
    store = CallStore(place / "calls", place / "calls.jsonl")
    return build_lm(config, seed=seed, context=CallContext(Session(store, background=True), stage="notebook"))


def place_of(config: ModelConfig) -> dict[str, str]:
    """Return the settings that say where an embedded model is held, as `find_placement` takes them."""
    return {"device": config.device, "dtype": config.dtype}


def where_it_answers(config: ModelConfig) -> str:
    """Say on which device of this machine an embedded model answers; empty for any other model."""
    return describe_placement(find_placement(**place_of(config))) if config.model.startswith(EMBEDDED) else ""


def close_models(keep: Iterable[ModelConfig] = ()) -> None:
    """Give back the memory of the embedded models of this process, except those of `keep`."""
    engines: Any = sys.modules.get("arf_programs.models.embedded.engine")
    if engines is not None:  # else none was asked
        engines.close_engines([config.model.removeprefix(EMBEDDED) for config in keep])


def check_provider(config: ModelConfig) -> None:
    """Raise ConfigError for an unknown provider, a missing address, key or device, or cache marks that it refuses."""
    if config.cache_marks:
        check_cache_marks(config)
    if is_local(config.model):
        if config.device not in (AUTO, "cpu"):
            find_placement(**place_of(config))
        return
    address_of(config)
    if login_header(config.api_base or "") and config.mode == "live":
        _check_login(config)
    if config.reasoning_effort and not _supported_parameters(config) >= {"reasoning_effort"}:
        raise ConfigError(f"{config.model} has no reasoning_effort, by LiteLLM's table: leave it out.")
    if config.api_key_env:
        read_key(config)
        return
    if login_header(config.api_base or ""):
        return
    if "api_key" in config.parameters:  # from code: a configuration must not hold a key
        return
    missing = import_litellm().validate_environment(config.model)["missing_keys"]
    # A cloud has several variables for its credentials. Not all are needed, and some have other sources.
    if len(missing) == 1 and missing[0].endswith("_API_KEY"):
        raise ConfigError(
            f"{config.model}: the environment variable {missing[0]} is not set: export it, or name another in "
            "api_key_env."
        )


def _check_login(config: ModelConfig) -> None:
    """Raise ConfigError where user and password of an address cannot be sent.

    They go into the header `Authorization`, as a key does, and LiteLLM writes that header itself for most providers.
    """
    if config.api_key_env:
        raise ConfigError(
            f"{config.model}: api_base has a user and a password, and api_key_env names a key, but a request carries "
            "only one of them: take user and password out of api_base, or leave api_key_env out."
        )
    if (provider := address_of(config).provider) != "openai":
        raise ConfigError(
            f"{config.model}: LiteLLM cannot send the user and password of api_base to {provider}: write the model as "
            "openai/NAME if its server speaks OpenAI's API, or take them out."
        )


def check_providers(models: Iterable[ModelConfig]) -> dict[str, list[str]]:
    """Return the hosts that these models are asked at, each with their names.

    Raises ConfigError with the problems of all these models, as `check_provider` finds them.
    """
    problems: list[str] = []
    listed = list(models)
    for config in listed:
        try:
            check_provider(config)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return hosts_of(listed)


def gives_logprobs(config: ModelConfig) -> bool:
    """Return whether to ask a model for log-probabilities: as configured, else as LiteLLM's table says.

    Embedded models give them. Scripted ones give them with some answers. So both are asked.
    """
    if config.logprobs is not None:
        return config.logprobs
    if is_local(config.model):
        return True
    return _supported_parameters(config) >= _LOGPROBS


def _supported_parameters(config: ModelConfig) -> set[str]:
    litellm = import_litellm()
    try:
        name, provider, _, _ = litellm.get_llm_provider(config.model, api_base=config.api_base)
    except litellm.BadRequestError:
        return set()
    return set(litellm.get_supported_openai_params(model=name, custom_llm_provider=provider) or ())


def _pace(config: ModelConfig) -> Pace:
    return Pace(
        concurrency=config.concurrency,
        retries=config.retries,
        requests_per_minute=config.requests_per_minute,
        tokens_per_minute=config.tokens_per_minute,
        local=is_local(config.model),
    )


def read_key(config: ModelConfig) -> str:
    """Return the key from the environment variable that `api_key_env` names. Raises ConfigError if it is not set."""
    name = config.api_key_env or ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"{config.model}: the environment variable {name} is not set: `export {name}=...`")
    return key


def _declare(config: ModelConfig) -> None:
    priced = config.input_price is not None and config.output_price is not None
    if not (priced or config.json_schema is not None or is_local(config.model)):
        declare_name(config.model)  # the rest is in LiteLLM's own table
        return
    declare_model(
        config.model,
        json_schema=is_local(config.model) if config.json_schema is None else config.json_schema,
        input_price=_per_token(config.input_price, config.model),
        output_price=_per_token(config.output_price, config.model),
    )


def _per_token(per_million: float | None, model: str) -> float | None:
    """Return the price in USD a token. None keeps LiteLLM's own price. A local model costs nothing."""
    if per_million is None:
        return 0.0 if is_local(model) else None
    return per_million * 1e-6

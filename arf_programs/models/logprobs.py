"""Which models give log-probabilities of their answers."""

from __future__ import annotations

from arf_programs.config.models import ModelConfig
from arf_programs.models._litellm import import_litellm
from arf_programs.models.lm import is_local

_PARAMETERS = {"logprobs", "top_logprobs"}


def gives_logprobs(config: ModelConfig) -> bool:
    """Whether to ask a model for log-probabilities: as configured, else as LiteLLM's table says of its provider.

    Embedded models give them; scripted ones give them with the answers that carry some, so both are asked.
    """
    if config.logprobs is not None:
        return config.logprobs
    if is_local(config.model):
        return True
    litellm = import_litellm()
    try:
        name, provider, _, _ = litellm.get_llm_provider(config.model, api_base=config.api_base)
    except litellm.BadRequestError:
        return False
    return set(litellm.get_supported_openai_params(model=name, custom_llm_provider=provider) or ()) >= _PARAMETERS

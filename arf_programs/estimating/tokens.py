"""Tokens and prices of a model, by LiteLLM's tables, without a request to anyone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from arf_programs.config.models import ModelConfig
from arf_programs.estimating.figures import Range
from arf_programs.models._litellm import import_litellm
from arf_programs.models.lm import SCRIPTED, is_local
from arf_programs.models.prices import known_model, listed_price

_PER_MILLION: Final = 1e-6
# Characters a token: 4 is OpenAI's rule of thumb for English; numbers and JSON have fewer, plain prose has more.
_CHARACTERS: Final = (5, 4, 3)


def count_tokens(model: str, texts: Sequence[str]) -> Range:
    """Tokens of a message list's texts: by LiteLLM's tokenizer for a model in its table, else by their characters.

    Scripted models count words. By characters it is a range, of 5, 4 and 3 characters a token.
    """
    if model.startswith(SCRIPTED):
        return _exactly(sum(len(text.split()) for text in texts))
    if not is_local(model) and known_model(model) is not None:
        litellm: Any = import_litellm()
        litellm.disable_hf_tokenizer_download = True  # no request, whatever the model
        messages = [{"role": "user", "content": text} for text in texts]
        return _exactly(litellm.token_counter(model=model, messages=messages))
    characters = sum(map(len, texts))
    low, mid, high = (math.ceil(characters / size) for size in _CHARACTERS)
    return Range(low=low, mid=mid, high=high)


def price_of(config: ModelConfig) -> tuple[float, float] | None:
    """US dollars a token of prompt and of answer: as configured, else of LiteLLM's table; None where nobody knows.

    What runs in this process is free. What a provider takes less for a prompt that it has cached is left out.
    """
    if config.input_price is not None and config.output_price is not None:
        return config.input_price * _PER_MILLION, config.output_price * _PER_MILLION
    return (0.0, 0.0) if is_local(config.model) else listed_price(config.model)


def reasons(model: str) -> bool:
    """Whether LiteLLM's table says that a model thinks before it answers: up to its max_tokens, all of it paid."""
    return not is_local(model) and bool((known_model(model) or {}).get("supports_reasoning"))


def _exactly(count: int) -> Range:
    return Range(low=count, mid=count, high=count)

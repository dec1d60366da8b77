"""What the engine is asked for and what it answers, in tokens and text: nothing of LiteLLM here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Request:
    """One generation. `schema` is a JSON schema (`{}`: any JSON object), `None` for plain text.

    `temperature` 0 is greedy. A sample follows from `seed` alone, whatever else is in the batch.
    `top_logprobs` is the number of alternatives wanted beside each token; `None` for no log-probabilities at all.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    top_logprobs: int | None = None


@dataclass(frozen=True)
class TokenLogprob:
    """A token with its natural log-probability, and the most probable tokens in its place.

    The probabilities are those at temperature 1 among the tokens that the schema allows there (all, without a
    schema), so that a token which the schema forces has 0.0.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Completion:
    """A finished generation; `completion_tokens` counts a closing end-of-turn token that `text` does not show."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    logprobs: tuple[TokenLogprob, ...] | None = field(default=None)

"""Count the tokens of a call: as the provider reports them, else by what was sent and received."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

_BYTES_A_TOKEN: Final = 3  # few tokens are shorter: an upper bound of what a call may use
_MOST: Final = 1e12  # no call has more tokens, so a larger number is none


def tokens_sent(request: Mapping[str, Any], schema: Any = None) -> float:
    """Return how many tokens a request has at most: one for three bytes of its messages and its JSON schema."""
    sent = sum(len(str(message.get("content") or "").encode(errors="replace")) for message in request["messages"])
    return (sent + (0 if schema is None else len(json.dumps(schema).encode()))) / _BYTES_A_TOKEN


def longest_answer(request: Mapping[str, Any]) -> float:
    """Return how many tokens the answer to a request may have; 0 if the request does not say."""
    longest: Any = request.get("max_tokens") or request.get("max_completion_tokens")
    return float(longest or 0)


def tokens_received(text: str) -> float:
    """Return how many tokens an answer has at most."""
    return len(text.encode(errors="replace")) / _BYTES_A_TOKEN


def reported(count: Any) -> int | None:
    """Return a number of tokens that a provider reports. None if it is no number above 0, so it tells nothing."""
    if isinstance(count, bool) or not isinstance(count, int | float) or not math.isfinite(count):
        return None
    return int(count) if 1 <= count < _MOST else None


def usage_of(answer: Mapping[str, Any]) -> dict[str, int]:
    """Return what a provider reports of an answer: the numbers of tokens that are numbers."""
    usage = answer.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: count for name in names if (count := reported(usage.get(name))) is not None}


def cost_of(response: Any) -> float:
    """Return the US dollars of LiteLLM's response; 0 if LiteLLM does not know them."""
    cost: Any = getattr(response, "_hidden_params", {}).get("response_cost")
    if isinstance(cost, int | float) and math.isfinite(cost) and cost > 0:
        return float(cost)
    return 0.0

"""From a call to a line of a batch's file, and from a line of its results to an outcome. Pure functions.

The lines are OpenAI's (platform.openai.com/docs/api-reference/batch).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arf_programs.models._litellm import import_litellm

Body = dict[str, Any]
ENDPOINT = "/v1/chat/completions"
# Said to the client that sends, beside what LiteLLM knows as its own, and not to the model that answers.
_OF_CLIENT = {"model", "messages", "base_url", "timeout", "stream", "extra_headers", "rollout_id"}


@dataclass(frozen=True)
class Outcome:
    """What became of one call: the `answer` (a chat completion), or an error with its HTTP status and `message`."""

    answer: Body | None = None
    status: int = 200
    message: str = ""


def body_of(request: Mapping[str, Any], name: str, provider: str) -> Body:
    """The body that LiteLLM would send for a call of `acompletion`: the provider's parameters and a JSON schema."""
    litellm = import_litellm()
    owned = litellm.types.utils.is_litellm_owned_kwarg
    asked = {
        key: value for key, value in request.items() if value is not None and key not in _OF_CLIENT and not owned(key)
    }
    parameters = litellm.utils.get_optional_params(
        model=name, custom_llm_provider=provider, messages=request["messages"], **asked
    )
    further = parameters.pop("extra_body", None) or {}
    known = {key: value for key, value in parameters.items() if key not in _OF_CLIENT and not owned(key)}
    return {"model": name, "messages": request["messages"], **known, **further}


def key_of(api_base: str | None, body: Body) -> str:
    """SHA-256 of a call's endpoint and body."""
    return hashlib.sha256(json.dumps([api_base, body], sort_keys=True).encode()).hexdigest()


def line_of(key: str, body: Body) -> bytes:
    """One line of a batch's input file."""
    line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def key_in(line: bytes) -> str:
    """The key of a line of results."""
    return str(json.loads(line)["custom_id"])


def outcome_of(line: bytes) -> Outcome:
    """What a line of results says. An expired or cancelled call has status 408."""
    entry = json.loads(line)
    response = entry.get("response") or {}
    body = response.get("body") or {}
    status = int(response.get("status_code") or 0)
    if status == 200 and body.get("choices"):
        return Outcome(answer=body)
    error = entry.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    message = error.get("message") if isinstance(error, dict) else str(error)
    return Outcome(status=status if status not in (0, 200) else 408, message=message or "no answer and no reason")


def response_of(answer: Body, model: str, discount: float) -> Any:
    """The answer as LiteLLM's ModelResponse, with its price: `discount` times the live one, None where unknown."""
    litellm = import_litellm()
    response = litellm.ModelResponse(**answer)
    try:
        price = litellm.completion_cost(completion_response=response, model=model)
    except Exception:  # LiteLLM raises a plain Exception for a model without a price
        return response
    response._hidden_params["response_cost"] = price * discount
    return response


def error_of(outcome: Outcome, model: str, provider: str) -> Exception:
    """The error that LiteLLM raises for such a status in a live call."""
    litellm = import_litellm()
    kinds = {
        400: litellm.BadRequestError,
        401: litellm.AuthenticationError,
        404: litellm.NotFoundError,
        408: litellm.Timeout,
        429: litellm.RateLimitError,
        500: litellm.InternalServerError,
        503: litellm.ServiceUnavailableError,
    }
    message = f"in a batch: {outcome.message}"
    kind = kinds.get(outcome.status)
    if kind is None:
        status = outcome.status
        unknown: Exception = litellm.APIError(status_code=status, message=message, llm_provider=provider, model=model)
        return unknown
    known: Exception = kind(message=message, model=model, llm_provider=provider)
    return known


def as_litellm(error: Exception, model: str, provider: str) -> Exception:
    """A failure of the batch's own requests, as LiteLLM names it: its files calls let OpenAI's errors through."""
    litellm = import_litellm()
    status = getattr(error, "status_code", None)
    if status:
        return error_of(Outcome(status=status, message=str(error)), model, provider)
    if isinstance(error, litellm.exceptions.openai.APIConnectionError):
        lost: Exception = litellm.APIConnectionError(message=str(error), llm_provider=provider, model=model)
        return lost
    return error


def chunk(sizes: Iterable[tuple[str, int]], max_requests: int, max_bytes: int) -> Iterator[str]:
    """The first keys whose lines (their sizes in bytes) fit one file; at least one."""
    total = 0
    for count, (key, size) in enumerate(sizes):
        total += size
        if count and (count >= max_requests or total > max_bytes):
            return
        yield key

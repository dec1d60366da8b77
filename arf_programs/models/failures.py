"""Tell how a call failed: refused by the provider, or answered with something that is no chat completion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
from dspy.lm15 import AuthError, BillingError, ConfigurationError, RateLimitError, ServerError
from pydantic import ValidationError

from signatures.exceptions import ArfError

_PASSING: Final = frozenset({409, 425})  # a conflict with another request, and a request that came too early
_NO_ANSWER: Final = (httpx.HTTPError, OSError, ImportError, MemoryError, ArfError)
_OF_JSON: Final = (json.JSONDecodeError, RecursionError, ValidationError)
_OF_READING: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_OF_ACCOUNT: Final = (AuthError, BillingError, ConfigurationError)
_LITELLM_COULD_NOT: Final = "Invalid response object"


class UnreadableAnswerError(ServerError):
    """A provider answered with status 200, but not with a chat completion. The next try may succeed."""


def failure_of(error: Exception, canonical: Exception) -> Exception:
    """Return the error that a failed call ends in. `error` is LiteLLM's, and `canonical` is lm15's for it.

    An answer that cannot be read is tried again. LiteLLM may give it any class, by a word in it or by a code in it,
    but it tells nothing about the key, the bill or the request. The statuses 409 and 425 are tried again too.
    """
    failure: Exception = canonical
    refused = isinstance(canonical, RateLimitError)
    reading = None if refused else _error_of_reading(error, weak=not isinstance(canonical, _OF_ACCOUNT))
    if reading is not None:
        failure = UnreadableAnswerError(f"the answer is no chat completion ({_line(reading)})")
    elif not refused and (status := getattr(error, "status_code", None)) in _PASSING:
        failure = ServerError(str(canonical), status=status)
    return failure


def _error_of_reading(error: Exception, *, weak: bool) -> BaseException | None:
    """Return the exception that reading an answer raised. None if no answer came: a refusal, or a lost connection.

    `weak` says that a plain ValueError and its like count too. They may also come from LiteLLM's own preparation of a
    call.
    """
    chain = list(errors_behind(error))
    if any(isinstance(one, _NO_ANSWER) for one in chain):
        return None
    for one in reversed(chain):
        if getattr(one, "status_code", None) == 200 or isinstance(one, _OF_JSON):
            return one
        if weak and isinstance(one, _OF_READING) and not hasattr(one, "llm_provider"):
            return one
        if type(one) is Exception and (hasattr(one, "status_code") or str(one).startswith(_LITELLM_COULD_NOT)):
            return one  # LiteLLM found an error in the answer, or could not make sense of it
    return None


def errors_behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _line(error: Any) -> str:
    text = str(getattr(error, "message", "") or error).partition("Traceback (most")[0]
    name = "" if type(error) is Exception else f"{type(error).__name__}: "
    return f"{name}{' '.join(text.split())}"[:200]

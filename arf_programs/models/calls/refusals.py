"""What a failed call says: how it failed, and how long the endpoint asks to wait.

A call is refused by the provider, or answered with something that is no chat completion. The wait stands in the headers
or the text of a refusal.
"""

from __future__ import annotations

import errno
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from dspy.lm15 import AuthError, BillingError, ConfigurationError, LM15Error, RateLimitError, ServerError
from pydantic import ValidationError

from arf_programs.models.calls.dspy_internals import to_lm15_error
from arf_programs.models.calls.rates import parse_duration
from arf_programs.models.providers.litellm import provider_of
from arf_programs.runs import errors_behind
from signatures.exceptions import ArfError, UserError

_PLAIN: Final = (
    r"\d+(?:,\d{3})*(?:\.\d+)?\s?(?:ms|s|m|h|d|milliseconds?|sec(?:ond)?s?|min(?:ute)?s?|hrs?|hours?|days?)(?![a-z])"
)
_CLOCK: Final = r"\d+:\d\d:\d\d(?:\.\d+)?"
_MOMENT: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d| UTC| GMT)?"
_IN_TEXT: Final = re.compile(
    r"""(?:(?:try (?:your request )?again|retry(?: your request)?|wait|resets?|available again)"""
    r"""(?: in| after| at| for| at least| up to| within| about| later)* ~?|retryDelay\\?["']\s*:\s*\\?["'])"""
    rf"""({_MOMENT}|{_CLOCK}|{_PLAIN}(?:(?:,|,? and)?\s?{_PLAIN})*)""",
    re.IGNORECASE,
)
_IN_BODY: Final = re.compile(
    r"""(?:(?P<seconds>retry[_-]?after(?:[_-]?seconds)?|estimated_time)|(?P<ms>retry[_-]?after[_-]?ms)|"""
    r"""(?P<moment>x-ratelimit-reset))\\?["']?\s*[:=]\s*\\?["']?"""
    r"""(?P<given>\d[\w.:+-]*)""",
    re.IGNORECASE,
)
_ZONE: Final = re.compile(r"(?<=\d) ?(?:UTC|GMT)$", re.IGNORECASE)
_FIELD: Final = re.compile(r"\b(t|r|reset|remaining)=(\d+)")
_YEAR: Final = 366 * 86400.0
_PASSING: Final = frozenset({409, 425})  # a conflict with another request, and a request that came too early
_OF_MACHINE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_NO_ANSWER: Final = (httpx.HTTPError, OSError, ImportError, MemoryError, ArfError)
_OF_JSON: Final = (json.JSONDecodeError, RecursionError, ValidationError)
_OF_READING: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_OF_ACCOUNT: Final = (AuthError, BillingError, ConfigurationError)
_LITELLM_COULD_NOT: Final = "Invalid response object"


def canonical_error(error: Exception, model: str) -> Exception:
    """Turn LiteLLM's error into one of lm15's. Pacing looks at those, and DSPy turns them into its own."""
    canonical: Exception = to_lm15_error(error, model=model, provider=provider_of(model))
    if wrong := next((one for one in errors_behind(error) if isinstance(one, UserError)), None):
        canonical = ConfigurationError(str(wrong))  # a model of this process cannot be loaded: no try would succeed
    if isinstance(canonical, LM15Error):
        canonical.retry_after = asked_pause(error)  # LiteLLM keeps the headers where DSPy does not look
    return canonical


def asked_pause(error: BaseException) -> float | None:
    """Return the seconds that a refusal asks to wait; None if it does not say, or names a time that has passed.

    In this order: `retry-after-ms`, `Retry-After` (RFC 9110, section 10.2.3), the resets of rate-limit headers
    (`x-ratelimit-reset-requests`, `anthropic-ratelimit-tokens-reset`, `ratelimit`, ...), and the text (OpenAI, Groq:
    "try again in 1.2s"; Azure: "retry after 12 seconds"; Gemini: `retryDelay`), and the fields of its body. Each is in
    seconds, a duration or a date.
    Dates are compared with the `Date` of the same answer, so a wrong clock on either side does no harm.
    """
    for headers in _headers_of(error):
        now = _date(headers.get("date", "")) or time.time()
        if (seconds := _by_headers(headers, now)) is not None:
            return seconds
    text = str(error)
    pause: float | None = None
    if found := _IN_TEXT.search(text):
        pause = _until(found[1], time.time())
    elif fields := _IN_BODY.search(text):  # Hugging Face, Cloudflare, OpenRouter
        pause = _until(fields["given"], time.time(), 0.001 if fields["ms"] else 1.0)
    return pause if pause is not None and pause > 0 else None


def _headers_of(error: BaseException) -> Iterator[dict[str, str]]:
    """Yield the headers that LiteLLM keeps with an exception, or with those that it was raised from."""
    for one in errors_behind(error):
        response = getattr(one, "response", None)
        for headers in (getattr(one, "litellm_response_headers", None), getattr(response, "headers", None)):
            if isinstance(headers, Mapping) and headers:
                yield {_name(str(name)): str(value) for name, value in headers.items()}


def _name(header: str) -> str:
    """Return a header's name in one spelling: `X-Rate-Limit-Reset` and `retry_after` have others."""
    return header.lower().removeprefix("llm_provider-").replace("_", "-").replace("rate-limit", "ratelimit")


def _by_headers(headers: Mapping[str, str], now: float) -> float | None:
    asked = [name for name in headers if "retry-after" in name]
    for name in sorted(asked, key=lambda name: not name.endswith("ms")):  # milliseconds are more exact
        seconds = _until(headers[name], now, 0.001 if name.endswith("ms") else 1.0)
        if seconds is not None and seconds >= 0:
            return seconds or None
    return _by_resets(headers, now)


def _by_resets(headers: Mapping[str, str], now: float) -> float | None:
    """Return the longest reset of what is used up; if nothing says that it is, the shortest of all."""
    resets: list[tuple[float, float | None]] = []
    for name, value in headers.items():
        if "ratelimit" in name and ("reset" in name or "timeremaining" in name):
            seconds = _until(value, now) or 0.0
            left = headers.get(name.replace("reset", "remaining"))
            resets += [(seconds, _number(left))] if seconds > 0 else []
    resets += _in_fields(headers.get("ratelimit", ""))
    used_up = [seconds for seconds, left in resets if left is None or left <= 0]
    return max(used_up, default=None) if used_up else min((seconds for seconds, _ in resets), default=None)


def _in_fields(header: str) -> list[tuple[float, float | None]]:
    """Read `RateLimit`: seconds until a reset, and what is left, of each limit (`"day";r=0;t=12, "hour";r=5;t=60`).

    Older servers give one limit, with commas: `limit=100, remaining=0, reset=12`.
    """
    limits = header.split(",") if ";" in header else [header]
    found = [{name: float(value) for name, value in _FIELD.findall(limit)} for limit in limits]
    fields = [(one.get("t", one.get("reset")), one.get("r", one.get("remaining"))) for one in found]
    return [(seconds, left) for seconds, left in fields if seconds is not None]


def _until(text: str, now: float, unit: float = 1.0) -> float | None:
    """Return the seconds until a moment: "7", "6m0s", a date, or the seconds since 1970 (or thousandths of these)."""
    text = text.strip().strip("\"'")
    if (number := _number(text)) is not None:
        moments = (moment for moment in (number, number / 1e3, number / 1e6) if abs(moment - now) < _YEAR)
        return next((moment - now for moment in moments), number * unit)
    if (seconds := parse_duration(text)) > 0:
        return seconds
    if (date := _date(text)) is not None:
        return date - now
    first = re.split(r"[,;]", text, maxsplit=1)[0]  # a header that was sent twice, or with a comment
    return None if first == text else _until(first, now, unit)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    """Return the moment of a date of HTTP or of ISO 8601. One without a zone is in UTC."""
    for read in (parsedate_to_datetime, lambda date: datetime.fromisoformat(_ZONE.sub("+00:00", date))):
        try:
            date = read(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (TypeError, ValueError, OverflowError):
            continue
    return None


class UnreadableAnswerError(ServerError):
    """A provider answered with status 200, but not with a chat completion. The next try may succeed."""


def failure_of(error: Exception, canonical: Exception) -> Exception:
    """Return the error that a failed call ends in. `error` is LiteLLM's, and `canonical` is lm15's for it.

    An answer that cannot be read is tried again. LiteLLM may give it any class, by a word in it or by a code in it,
    but it tells nothing about the key, the bill or the request. The statuses 409 and 425 are tried again too.
    """
    failure: Exception = canonical
    by_words = isinstance(canonical, RateLimitError) and _is_refused_by_words(error)
    refused = isinstance(canonical, RateLimitError) and not by_words
    reading = None if refused else _error_of_reading(error, weak=not isinstance(canonical, _OF_ACCOUNT))
    if reading is None and by_words:
        reading = error
    if reading is not None:
        failure = UnreadableAnswerError(f"the answer is no chat completion ({_line(reading)})")
    elif not refused and (status := getattr(error, "status_code", None)) in _PASSING:
        failure = ServerError(str(canonical), status=status)
    return failure


def _is_refused_by_words(error: Exception) -> bool:
    """Say whether an answer came that is no chat completion: LiteLLM takes the words "rate limit" in it for a refusal.

    A status that refuses leaves an error of httpx. LiteLLM's own 500 says that it could not read the answer.
    """
    behind = [one for one in errors_behind(error) if one is not error]
    if any(isinstance(one, httpx.HTTPStatusError) for one in behind):
        return False
    return any(isinstance(one, _OF_READING) or getattr(one, "status_code", None) == 500 for one in behind)


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


def trouble_of_this_machine(error: BaseException) -> OSError | None:
    """Return the error of a call that could not begin here: no further file or connection may be opened, or no room.

    It says nothing about the endpoint or the row.
    """
    return next((one for one in errors_behind(error) if isinstance(one, OSError) and one.errno in _OF_MACHINE), None)


def _line(error: Any) -> str:
    text = str(getattr(error, "message", "") or error).partition("Traceback (most")[0]
    name = "" if type(error) is Exception else f"{type(error).__name__}: "
    return f"{name}{' '.join(text.split())}"[:200]

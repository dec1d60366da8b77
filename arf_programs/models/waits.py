"""How long an endpoint asks to wait, by the headers or the text of its refusal."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from arf_programs.models.rates import parse_duration

_IN_TEXT: Final = re.compile(
    r"""(?:(?:try again|retry|wait)(?: in| after| for| at least)* |retryDelay\\?["']\s*:\s*\\?["'])"""
    r"((?:\d+(?:\.\d+)?\s?(?:ms|s|m|h|d|milliseconds?|sec(?:ond)?s?|min(?:ute)?s?|hours?|days?)(?![a-z])\s?)+)",
    re.IGNORECASE,
)
_IN_FIELDS: Final = re.compile(r"\b(?:t|reset)=(\d+)")
_YEAR: Final = 366 * 86400.0


def asked_pause(error: BaseException) -> float | None:
    """Return the seconds that a refusal asks to wait; None if it does not say, or names a time that has passed.

    In this order: `retry-after-ms`, `Retry-After` (RFC 9110, section 10.2.3), the resets of rate-limit headers
    (`x-ratelimit-reset-requests`, `anthropic-ratelimit-tokens-reset`, `ratelimit`, ...), and the text (OpenAI, Groq:
    "try again in 1.2s"; Azure: "retry after 12 seconds"; Gemini: `retryDelay`). Each is in
    seconds, a duration or a date.
    Dates are compared with the `Date` of the same answer, so a wrong clock on either side does no harm.
    """
    for headers in _headers_of(error):
        now = _date(headers.get("date", "")) or time.time()
        if (seconds := _by_headers(headers, now)) is not None:
            return seconds
    found = _IN_TEXT.search(str(error))
    return (parse_duration(found.group(1)) or None) if found else None


def _headers_of(error: BaseException) -> Iterator[dict[str, str]]:
    """Yield the headers that LiteLLM keeps with an exception, or with those that it was raised from."""
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        response = getattr(here, "response", None)
        for headers in (getattr(here, "litellm_response_headers", None), getattr(response, "headers", None)):
            if isinstance(headers, Mapping) and headers:
                yield {str(name).lower().removeprefix("llm_provider-"): str(value) for name, value in headers.items()}
        here = here.__cause__ or here.__context__


def _by_headers(headers: Mapping[str, str], now: float) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        for given in (headers.get(name), headers.get(f"x-ms-{name}")):
            if (seconds := _until(given or "", now, unit)) is not None and seconds >= 0:
                return seconds or None
    return _by_resets(headers, now)


def _by_resets(headers: Mapping[str, str], now: float) -> float | None:
    """Return the longest reset of what is used up; if nothing says that it is, the shortest of all."""
    resets: list[tuple[float, float | None]] = []
    for name, value in headers.items():
        if "ratelimit" in name and "reset" in name:
            seconds = _until(value, now) or 0.0
            left = headers.get(name.replace("reset", "remaining"))
            resets += [(seconds, _number(left))] if seconds > 0 else []
    for given in (headers.get("ratelimit"), headers.get("ratelimit-policy")):
        resets += [(float(seconds), None) for seconds in _IN_FIELDS.findall(given or "")]
    used_up = [seconds for seconds, left in resets if left is None or left <= 0]
    return max(used_up, default=None) if used_up else min((seconds for seconds, _ in resets), default=None)


def _until(text: str, now: float, unit: float = 1.0) -> float | None:
    """Return the seconds until a moment: "7", "6m0s", a date, or the seconds or milliseconds since 1970 near `now`."""
    text = text.strip()
    if (number := _number(text)) is not None:
        moments = (moment for moment in (number, number / 1000) if abs(moment - now) < _YEAR)
        return next((moment - now for moment in moments), number * unit)
    if (seconds := parse_duration(text)) > 0:
        return seconds
    date = _date(text)
    return None if date is None else date - now


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    """Return the moment of a date of HTTP or of ISO 8601. One without a zone is in UTC."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (TypeError, ValueError, OverflowError):
            continue
    return None

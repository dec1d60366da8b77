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

_KINDS: Final = ("requests", "tokens", "input-tokens", "output-tokens")
_IN_TEXT: Final = re.compile(r"""(?:try again in |retryDelay\\?["']\s*:\s*\\?["'])((?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+)""")


def asked_pause(error: BaseException) -> float | None:
    """Return the seconds that a refusal asks to wait; None if it does not say, or names a time that has passed.

    In this order: `retry-after-ms`, `Retry-After` (seconds or a date, RFC 9110, section 10.2.3), the resets of
    `x-ratelimit-*` and `anthropic-ratelimit-*`, and the text (OpenAI, Groq: "try again in 1.2s"; Gemini: `retryDelay`).
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
    for seconds in (_scaled(headers.get("retry-after-ms"), 0.001), _scaled(headers.get("retry-after"), 1.0)):
        if seconds is not None:
            return seconds if seconds > 0 else None
    if (date := _date(headers.get("retry-after", ""))) is not None:
        return date - now if date > now else None
    return _by_resets(headers, now)


def _by_resets(headers: Mapping[str, str], now: float) -> float | None:
    """Return the longest reset of what is used up; without counts of what is left, the longest of all."""
    resets: list[tuple[float, float | None]] = []
    for kind in _KINDS:
        for reset, left in (
            (f"x-ratelimit-reset-{kind}", f"x-ratelimit-remaining-{kind}"),
            (f"anthropic-ratelimit-{kind}-reset", f"anthropic-ratelimit-{kind}-remaining"),
        ):
            if (seconds := _until(headers.get(reset, ""), now)) > 0:
                resets.append((seconds, _scaled(headers.get(left), 1.0)))
    used_up = [seconds for seconds, left in resets if left is None or left <= 0]
    return max(used_up, default=None) if used_up else min((seconds for seconds, _ in resets), default=None)


def _until(text: str, now: float) -> float:
    if (seconds := parse_duration(text)) > 0:
        return seconds if math.isfinite(seconds) else 0.0
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now


def _scaled(text: str | None, unit: float) -> float | None:
    try:
        number = float(text or "") * unit
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None

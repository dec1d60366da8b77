"""Requests and tokens a minute: those configured, and those that the endpoint tells in its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MINUTE = 60.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


class Rate:
    """A number a minute, as a bucket that fills evenly and holds one second's worth, but at least one of what is asked.

    (The generic cell rate algorithm, ITU-T I.371: one time from which the next may go.)
    """

    def __init__(self, per_minute: float | None) -> None:
        self._per_minute = per_minute
        self._free_from = 0.0

    def reserve(self, amount: float, now: float) -> float:
        """Book `amount`, and return the seconds to wait before it may go; 0 where there is no limit."""
        if not self._per_minute:
            return 0.0
        start = max(self._free_from, now - 1.0)
        self._free_from = start + amount * _MINUTE / self._per_minute
        return max(0.0, start - now)


def seconds_until_room(headers: Mapping[str, str]) -> float:
    """How long an answer's `x-ratelimit-*` headers say that there is no room for another
    call.

    Reads `remaining-requests` and `remaining-tokens` with `reset-requests` and `reset-tokens` in OpenAI's spelling
    ("1s", "6m0s", "20ms", or plain seconds). 0 where there is room, or nothing is told that can be read.
    """
    told = {name.lower().removeprefix("llm_provider-"): value for name, value in headers.items()}
    waits = [0.0]
    for what in ("requests", "tokens"):
        if told.get(f"x-ratelimit-remaining-{what}", "").strip() == "0":
            waits.append(parse_duration(told.get(f"x-ratelimit-reset-{what}", "")))
    return max(waits)


def parse_duration(text: str) -> float:
    """Seconds of "1s", "6m0s", "20ms" or a plain number; 0 for anything else."""
    text = text.strip()
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0

"""Requests and tokens a minute: those configured, and those that the endpoint tells in its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

_MINUTE = 60.0
_KINDS = ("requests", "tokens")
_LONGEST_WAIT = 60.0  # seconds; after that a call tells more than a header that may mean something else
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

    def give_back(self, amount: float) -> None:
        """Of what was booked, `amount` was not used."""
        if self._per_minute:
            self._free_from -= amount * _MINUTE / self._per_minute


class Room:
    """Requests and tokens that the endpoint says it has left, by the headers of its last answer.

    Reads `x-ratelimit-remaining-*` with `x-ratelimit-reset-*` in OpenAI's spelling ("1s", "6m0s", "20ms", or plain
    seconds), and Anthropic's `anthropic-ratelimit-*-reset` (a date by RFC 3339). Where nothing is told that can be
    read, and after a minute, there is room.
    """

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # by kind: how many, and the time at which there are all again

    def told(self, headers: Mapping[str, str], now: float) -> None:
        """An answer came with these headers; `now` is a monotonic clock's."""
        told = {name.lower().removeprefix("llm_provider-"): value for name, value in headers.items()}
        for kind in _KINDS:
            left = _number(told.get(f"x-ratelimit-remaining-{kind}", ""))
            reset = parse_duration(told.get(f"x-ratelimit-reset-{kind}", "")) or _seconds_until(
                told.get(f"anthropic-ratelimit-{kind}-reset", "")
            )
            if left is not None and reset > 0:
                self._left[kind] = (left, now + min(reset, _LONGEST_WAIT))

    def take(self, tokens: float, now: float) -> float:
        """Take a request of so many tokens from what is left and return 0, or return the seconds until there is room
        again.
        """
        self._left = {kind: (left, reset) for kind, (left, reset) in self._left.items() if reset > now}
        needs = {"requests": 1.0, "tokens": tokens}
        waits = [reset - now for kind, (left, reset) in self._left.items() if left < needs[kind]]
        if waits:
            return max(waits)
        for kind, (left, reset) in self._left.items():
            self._left[kind] = (left - needs[kind], reset)
        return 0.0


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


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_until(date: str) -> float:
    """Seconds until a date by RFC 3339, which has a time zone; 0 for a past one and for anything else."""
    try:
        return max(0.0, (datetime.fromisoformat(date) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0

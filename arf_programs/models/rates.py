"""Requests and tokens a minute: those configured, and those that the endpoint tells in its answers.

How many calls may be in flight towards an endpoint, found by trying.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import NamedTuple

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


_FIRST = 64  # calls in flight to begin with
_WINDOW = 20  # outcomes, at least, before anything is decided
_RANDOM = 0.3  # a share of refusals up to here is chance: fewer calls in flight would not mend it
_SLOWER = 1.5  # times the best latency from which the endpoint may have too many calls in flight
_GAIN = 1.1  # times as many answers a second must come of more calls in flight, where each is as much slower
_LOSS = 0.9  # fewer calls in flight are enough where they bring at least so much of the throughput
_FIRST_TRIAL = 4  # windows after which fewer calls in flight are tried
_NEXT_TRIAL = 100  # windows from then on: it costs two at half the speed
_TRIAL_AFTER = 20.0  # seconds, at least: a shorter run has nothing from it
_GROWTH = 1.25
_SHRINK = 0.7
_HALF = 0.5
_REMEMBERED = 50  # windows whose best latency is the measure


class _Window(NamedTuple):
    """A limit, and what was measured under it: the mean latency in seconds, and calls a second."""

    limit: float
    latency: float
    throughput: float

    def only_waits(self, before: _Window) -> bool:
        """Whether the calls that were added since `before` only wait in the endpoint's queue."""
        return self.latency > _GAIN * before.latency and self.throughput < _GAIN * before.throughput


class AdaptiveLimit:
    """Calls in flight, between 1 and `ceiling`: more while that helps, fewer when the endpoint says or shows no.

    Outcomes are judged in windows of as many as are in flight, 20 at least. It doubles as TCP's slow start does until
    the first sign of congestion, and then grows by a quarter a window. It shrinks, by three tenths, when over three
    tenths of a window were refused (429) or timed out; calls that fail at random, a few per cent, do not count, as a
    smaller limit would not help them. Where a raise has made calls slower by a tenth and throughput has not risen by as
    much, the endpoint is saturated (vLLM queues and never refuses): the limit goes back to what it was. Where latency
    has grown by half by itself, and from time to time, half as many are tried, and half of these, as long as throughput
    stays: at first already too many may be in flight. The constants are ours, tried against the server in `bench/`.
    `fixed` keeps the limit at its ceiling, as for models in this process.
    """

    def __init__(self, ceiling: int, *, fixed: bool = False) -> None:
        self.ceiling = ceiling
        self._fixed = fixed
        self._limit = float(ceiling if fixed else min(ceiling, _FIRST))
        self._slow_start = True
        self._raised: _Window | None = None  # what the last raise was made from
        self._lowered: list[_Window] = []  # while fewer are tried: where that began, and what was enough since
        self._best: deque[float] = deque(maxlen=_REMEMBERED)
        self._latencies: list[float] = []
        self._refused = 0
        self._busiest = 0
        self._since: float | None = None
        self._trial_in = _FIRST_TRIAL  # windows until fewer are tried
        self._trial_from: float | None = None  # and the time from which they may be
        self._settling = False  # a window in which the limit was changed tells of both limits

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return max(1, int(self._limit))

    def answered(self, seconds: float, *, in_flight: int, now: float) -> None:
        """A call was answered after `seconds`, while `in_flight` were under way; `now` is a monotonic clock's."""
        self._latencies.append(seconds)
        self._note(in_flight, now)

    def refused(self, *, in_flight: int, now: float) -> None:
        """A call was refused for its rate, or was not answered in time."""
        self._refused += 1
        self._note(in_flight, now)

    def _note(self, in_flight: int, now: float) -> None:
        if self._fixed:
            self._latencies.clear()
            return
        self._since = now if self._since is None else self._since
        self._trial_from = now + _TRIAL_AFTER if self._trial_from is None else self._trial_from
        self._busiest = max(self._busiest, in_flight)
        if len(self._latencies) + self._refused >= max(_WINDOW, self.limit):
            self._decide(max(now - self._since, 1e-6), now)
            self._latencies, self._refused, self._busiest, self._since = [], 0, 0, now

    def _decide(self, seconds: float, now: float) -> None:
        settling, self._settling = self._settling, False
        if self._refused > _RANDOM * (len(self._latencies) + self._refused):
            self._slow_start, self._raised, self._lowered = False, None, []
            self._limit = max(1.0, self._limit * _SHRINK)
        elif not settling or (self._slow_start and not self._lowered):
            self._judge(_Window(self._limit, fmean(self._latencies), len(self._latencies) / seconds), now)

    def _judge(self, window: _Window, now: float) -> None:
        slower = bool(self._best) and window.latency > _SLOWER * min(self._best)
        busy = self._busiest >= 0.8 * self.limit
        self._best.append(window.latency)
        self._trial_in -= 1
        if self._lowered:
            self._judge_fewer(window)
        elif self._raised is not None and window.only_waits(self._raised):
            self._slow_start = False
            self._change(self._raised.limit)
        elif (slower or self._trial_is_due(now)) and self._raised is None and busy and self.limit > 1:
            self._trial_in, self._trial_from = _NEXT_TRIAL, now + _TRIAL_AFTER
            self._change(window.limit * _HALF, lowered=[window])
        elif busy and self._limit < self.ceiling:
            factor = 2.0 if self._slow_start else _GROWTH
            self._change(min(float(self.ceiling), max(window.limit * factor, window.limit + 1)), raised=window)
        else:
            self._raised = None

    def _trial_is_due(self, now: float) -> bool:
        return self._trial_in <= 0 and self._trial_from is not None and now >= self._trial_from

    def _judge_fewer(self, window: _Window) -> None:
        """Go on while fewer are enough; else back to twice as many as were, so that the endpoint never idles."""
        enough = window.throughput >= _LOSS * self._lowered[0].throughput
        self._slow_start = self._slow_start and not enough
        if enough and self.limit > 1:
            self._change(window.limit * _HALF, lowered=[*self._lowered, window])
            return
        back = self._lowered[-1] if enough or len(self._lowered) == 1 else self._lowered[-2]
        self._best = deque([back.latency], maxlen=_REMEMBERED)
        self._change(back.limit)

    def _change(self, limit: float, *, raised: _Window | None = None, lowered: Sequence[_Window] = ()) -> None:
        self._limit, self._raised, self._lowered, self._settling = limit, raised, list(lowered), True

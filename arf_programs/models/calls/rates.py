"""How fast an endpoint may be asked: rates of the configuration, quotas that it reports, and calls in flight."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

_MINUTE = 60.0
_KINDS = ("requests", "tokens")
_LONGEST_WAIT = 60.0  # seconds; after that a call says more than a header that may mean something else
_UNITS = {"ms": 0.001, "mi": 60.0, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s?(ms|us|µs|ns|milliseconds?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hrs?|hours?|d|days?)(?![a-z])\s?",
    re.I,
)
_BETWEEN = re.compile(r"\s*(?:,|\band\b)\s+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_BY_PYDANTIC = re.compile(r"P[\dTDHMS.]+|(?:\d+:)?\d+:\d\d(?:\.\d+)?", re.IGNORECASE)
_TIMEDELTA = TypeAdapter(timedelta)

# The constants of AdaptiveLimit were chosen by trials against the server in `bench/`.
_FIRST_LIMIT = 64  # calls in flight
_WINDOW = 20  # outcomes in a window, at least
_REFUSED_SHARE = 0.3  # up to this share refusals are chance, and fewer calls in flight would not help
_SLOWER = 1.5  # at this multiple of the best latency there may be too many calls in flight
_GAIN = 1.1  # a raise that makes calls slower by this factor must raise the throughput as much
_LOSS = 0.9  # fewer calls in flight are enough if they keep this share of the throughput
_FIRST_TRIAL = 4  # windows before the first trial of fewer calls in flight
_NEXT_TRIAL = 100  # windows between later trials: a trial costs two windows at half the speed
_TRIAL_AFTER = 20.0  # seconds before a trial, at least: a shorter run gains nothing from it
_GROWTH = 1.25
_SHRINK = 0.7
_HALF = 0.5
_REMEMBERED = 50  # windows that the best latency is taken from


class Rate:
    """A limit on requests or tokens a minute: the generic cell rate algorithm (ITU-T I.371).

    Unused capacity of up to one second is kept. A single larger amount passes too.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._per_minute = per_minute
        self._free_from = 0.0

    def reserve(self, amount: float, now: float) -> float:
        """Book `amount`, and return the seconds to wait before it is sent; 0 without a limit."""
        if not self._per_minute:
            return 0.0
        start = max(self._free_from, now - 1.0)
        self._free_from = start + amount * _MINUTE / self._per_minute
        return max(0.0, start - now)

    def give_back(self, amount: float) -> None:
        """Release `amount` of what was booked: it was not used."""
        if self._per_minute:
            self._free_from -= amount * _MINUTE / self._per_minute


class Quota:
    """The requests and tokens that an endpoint has left, by the headers of its last answer.

    It reads `x-ratelimit-remaining-*` with `x-ratelimit-reset-*` in OpenAI's spelling ("1s", "6m0s", "20ms", or plain
    seconds), and Anthropic's `anthropic-ratelimit-*-reset` (a date by RFC 3339). Without readable headers, and a minute
    after the last ones, nothing has to wait.
    """

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # by kind: how many, and the time of the reset

    def update(self, headers: Mapping[str, str], now: float) -> None:
        """Read the headers of an answer. `now` is of a monotonic clock."""
        values = {name.lower().removeprefix("llm_provider-"): value for name, value in headers.items()}
        for kind in _KINDS:
            left = _number(values.get(f"x-ratelimit-remaining-{kind}", ""))
            reset = parse_duration(values.get(f"x-ratelimit-reset-{kind}", "")) or _seconds_until(
                values.get(f"anthropic-ratelimit-{kind}-reset", "")
            )
            if left is not None and reset > 0:
                self._left[kind] = (left, now + min(reset, _LONGEST_WAIT))

    def take(self, tokens: float, now: float) -> float:
        """Subtract a request of `tokens` and return 0; if too little is left, return the seconds until the reset."""
        self._left = {kind: (left, reset) for kind, (left, reset) in self._left.items() if reset > now}
        needs = {"requests": 1.0, "tokens": tokens}
        waits = [reset - now for kind, (left, reset) in self._left.items() if left < needs[kind]]
        if waits:
            return max(waits)
        for kind, (left, reset) in self._left.items():
            self._left[kind] = (left - needs[kind], reset)
        return 0.0


def parse_duration(text: str) -> float:
    """Return the seconds in "1s", "6m0s", "1 minute and 30 seconds", "PT1M30S", "00:01:30" or a number; else 0."""
    text = _BETWEEN.sub(" ", _THOUSANDS.sub("", text.strip().removeprefix("in ")))
    if _BY_PYDANTIC.fullmatch(text):
        with suppress(ValidationError):
            return max(0.0, _TIMEDELTA.validate_python(text).total_seconds())
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", text, re.IGNORECASE):
        return sum(float(number) * _seconds_of(unit.lower()) for number, unit in _DURATION.findall(text))
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def _seconds_of(unit: str) -> float:
    """Return the seconds of a unit by its beginning; "m" alone is a minute."""
    return 0.001 if unit.startswith("milli") else _UNITS.get(unit[:2]) or _UNITS[unit[0]]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_until(date: str) -> float:
    """Return the seconds until an RFC 3339 date with its time zone; 0 for a past date and for anything else."""
    try:
        return max(0.0, (datetime.fromisoformat(date) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


class _Window(NamedTuple):
    """A limit and what was measured under it: the mean latency in seconds, and the throughput in calls a second."""

    limit: float
    latency: float
    throughput: float

    def only_waits(self, before: _Window) -> bool:
        """Return whether the calls added since `before` only wait in the endpoint's queue."""
        return self.latency > _GAIN * before.latency and self.throughput < _GAIN * before.throughput


class AdaptiveLimit:
    """A limit on calls in flight, from 1 to `ceiling`, that follows what the endpoint can do.

    Outcomes are judged in windows of at least 20, and of at least as many as may be in flight.

    - Growth: the limit doubles until the first sign of congestion, like TCP's slow start. Then it grows by a quarter a
      window.
    - Refusals: it shrinks by three tenths when over three tenths of a window were refused (429) or timed out. A few
      per cent of failures do not count: they are chance, and a smaller limit would not help.
    - Saturation: if a raise made calls slower by a tenth and throughput did not rise as much, the limit goes back. vLLM
      queues calls and never refuses them.
    - Trials: when latency has grown by half without a raise, and from time to time, the limit is halved as long as
      throughput stays. Too many calls may have been in flight from the beginning.

    `fixed` keeps the limit at its ceiling, for models in this process.
    """

    def __init__(self, ceiling: int, *, fixed: bool = False) -> None:
        self.ceiling = ceiling
        self._fixed = fixed
        self._limit = float(ceiling if fixed else min(ceiling, _FIRST_LIMIT))
        self._slow_start = True
        self._raised: _Window | None = None  # the window before the last raise
        self._lowered: list[_Window] = []  # during a trial: the window before it, and those that were enough since
        self._best: deque[float] = deque(maxlen=_REMEMBERED)
        self._latencies: list[float] = []
        self._refused = 0
        self._busiest = 0
        self._since: float | None = None
        self._trial_in = _FIRST_TRIAL  # windows until the next trial
        self._trial_from: float | None = None  # the earliest time of the next trial
        self._settling = False  # a window in which the limit changed measures both limits

    @property
    def limit(self) -> int:
        """The number of calls that may be in flight now."""
        return max(1, int(self._limit))

    def record_answer(self, seconds: float, *, in_flight: int, now: float) -> None:
        """Record an answer after `seconds`, with `in_flight` calls at that time. `now` is of a monotonic clock."""
        self._latencies.append(seconds)
        self._record(in_flight, now)

    def record_refusal(self, *, in_flight: int, now: float) -> None:
        """Record a call that was refused for its rate, or not answered in time."""
        self._refused += 1
        self._record(in_flight, now)

    def _record(self, in_flight: int, now: float) -> None:
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
        if self._refused > _REFUSED_SHARE * (len(self._latencies) + self._refused):
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
        """Halve the limit again if it was enough; else go back to twice the last that was, so no endpoint idles."""
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

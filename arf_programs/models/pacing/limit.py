"""How many calls may be in flight towards an endpoint, found by trying."""

from __future__ import annotations

from collections import deque
from statistics import median

_FIRST = 64  # calls in flight to begin with
_WINDOW = 20  # outcomes, at least, before anything is decided
_RANDOM = 0.3  # a share of refusals up to here is chance: fewer calls in flight would not mend it
_SLOWER = 1.5  # times the best latency from which more calls in flight only wait in the endpoint's queue
_GAIN = 1.1  # throughput must rise at least so much to pay for a latency that grows so
_GROWTH = 1.25
_SHRINK = 0.7
_REMEMBERED = 50  # windows whose best latency is the measure


class AdaptiveLimit:
    """Calls in flight, between 1 and `ceiling`: more while that helps, fewer when the endpoint says or shows no.

    Outcomes are judged in windows of as many as are in flight, 20 at least. It doubles as TCP's slow start does until
    the first sign of congestion, and then grows by a quarter a window. It shrinks, by three tenths, when over three
    tenths of a window were refused (429) or timed out; calls that fail at random, a few per cent, do not count, as a
    smaller limit would not help them. Where latency has grown by half and throughput has not risen by a tenth since the
    limit was last raised, the endpoint is saturated (vLLM queues and never refuses): the limit goes back to what it
    was. The constants are ours, tried against the server in `bench/`. `fixed` keeps the limit at its ceiling, as for
    models in this process.
    """

    def __init__(self, ceiling: int, *, fixed: bool = False) -> None:
        self.ceiling = ceiling
        self._fixed = fixed
        self._limit = float(ceiling if fixed else min(ceiling, _FIRST))
        self._slow_start = True
        self._before: tuple[float, float] | None = None  # limit and throughput from which the last raise was made
        self._best: deque[float] = deque(maxlen=_REMEMBERED)
        self._latencies: list[float] = []
        self._refused = 0
        self._busiest = 0
        self._since: float | None = None
        self._settling = False  # the window in which the limit was raised tells of both limits

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
        self._busiest = max(self._busiest, in_flight)
        if len(self._latencies) + self._refused >= max(_WINDOW, self.limit):
            self._decide(max(now - self._since, 1e-6))
            self._latencies, self._refused, self._busiest, self._since = [], 0, 0, now

    def _decide(self, seconds: float) -> None:
        outcomes = len(self._latencies) + self._refused
        settling, self._settling = self._settling, False
        if self._refused > _RANDOM * outcomes:
            self._slow_start, self._before = False, None
            self._limit = max(1.0, self._limit * _SHRINK)
            return
        if settling and not self._slow_start:
            return
        latency, throughput = median(self._latencies), len(self._latencies) / seconds
        slower = bool(self._best) and latency > _SLOWER * min(self._best)
        self._best.append(latency)
        if slower and self._before is not None and throughput < _GAIN * self._before[1]:
            self._slow_start = False
            self._limit, self._before = self._before[0], None
        elif not slower and self._busiest >= 0.8 * self.limit:
            self._raise(throughput)

    def _raise(self, throughput: float) -> None:
        if self._limit >= self.ceiling:
            return
        self._before, self._settling = (self._limit, throughput), True
        factor = 2.0 if self._slow_start else _GROWTH
        self._limit = min(float(self.ceiling), max(self._limit * factor, self._limit + 1))

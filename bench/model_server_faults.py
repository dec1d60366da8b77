"""The faults of the model server: which requests fail, how often, and the counts. No I/O."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal["429", "500", "reset", "hang"]


@dataclass(frozen=True)
class Faults:
    """Times in seconds, rates as shares of requests from 0 to 1; 0 means none.

    Whether a request fails depends on `seed`, its body and how often it was sent. It does not depend on the order of
    arrival, so a second run meets the same faults.
    """

    latency: float = 0.0
    "from request to answer"
    jitter: float = 0.0
    "added to the latency, evenly drawn up to this"
    rate_429: float = 0.0
    "answered at once"
    retry_after: float | None = None
    "seconds in the Retry-After header of a 429; none: no such header"
    outage_429: float = 0.0
    "from the first request, in which every one is answered with 429"
    rate_500: float = 0.0
    "answered after the latency"
    rate_reset: float = 0.0
    "the connection is reset after the latency"
    rate_hang: float = 0.0
    "never answered"
    slots: int = 0
    "requests worked on at once; more queue, as on a saturated vLLM"
    rpm: int = 0
    "requests a minute, beyond which is 429 with Retry-After and x-ratelimit headers"
    tpm: int = 0
    "tokens a minute, prompt and max_tokens, likewise"
    batch_delay: float = 0.0
    "from the creation of a batch to its end"
    batch_errors: float = 0.0
    "share of a batch's lines that end as an error"
    batch_expired: float = 0.0
    "share of a batch's lines that expire"
    batch_limit: int = 50_000
    "requests in a batch at most; a larger one fails validation"
    batch_queue: int = 0
    "requests in batches under way at most; a batch beyond fails validation"
    batch_refuses: str = ""
    "field of a request because of which its line of a batch ends as a 400"
    seed: int = 17
    "of all draws"

    def draw(self, digest: str, attempt: int) -> tuple[Fault | None, float]:
        """The fault of the `attempt`th request (from 1) with this body, and its latency."""
        where, more = _uniform(self.seed, digest, attempt, "live")
        rates: tuple[tuple[Fault, float], ...] = (
            ("429", self.rate_429),
            ("500", self.rate_500),
            ("reset", self.rate_reset),
            ("hang", self.rate_hang),
        )
        return _pick(rates, where), self.latency + self.jitter * more

    def draw_line(self, digest: str, attempt: int) -> Literal["error", "expired"] | None:
        """The fault of a line of a batch."""
        where, _ = _uniform(self.seed, digest, attempt, "batch")
        rates = (("error", self.batch_errors), ("expired", self.batch_expired))
        return _pick(rates, where)


def _uniform(seed: int, digest: str, attempt: int, kind: str) -> tuple[float, float]:
    drawn = hashlib.blake2b(f"{seed} {kind} {attempt} {digest}".encode(), digest_size=16).digest()
    return int.from_bytes(drawn[:8]) / 2**64, int.from_bytes(drawn[8:]) / 2**64


def _pick(rates: tuple[tuple[Any, float], ...], where: float) -> Any:
    for name, rate in rates:
        where -= rate
        if where < 0:
            return name
    return None


class Bucket:
    """A limit by the minute as OpenAI keeps it: full at first, refilled steadily."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._left = float(limit)
        self._at = clock()

    def take(self, amount: int) -> float:
        """Take and return 0, or take nothing and return the seconds until there is enough."""
        now = self._clock()
        self._left = min(self.limit, self._left + (now - self._at) * self.limit / 60)
        self._at = now
        if self._left < amount:
            return (amount - self._left) * 60 / self.limit
        self._left -= amount
        return 0.0

    def headers(self, kind: str) -> dict[str, str]:
        """The x-ratelimit headers of `kind`, requests or tokens."""
        return {
            f"x-ratelimit-limit-{kind}": str(self.limit),
            f"x-ratelimit-remaining-{kind}": str(int(self._left)),
            f"x-ratelimit-reset-{kind}": f"{(self.limit - self._left) * 60 / self.limit:.3f}s",
        }


@dataclass
class Counts:
    """What arrived and what became of it; `sent` counts requests by the digest of their body, batch lines included."""

    answered: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    duplicates: int = 0
    batches: int = 0
    first: float = 0.0
    last: float = 0.0
    by_status: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)

    def arrive(self, digest: str) -> int:
        """Count a request; returns how often this body has come, itself included."""
        self.first = self.first or time.monotonic()
        self.sent[digest] += 1
        self.duplicates += digest in self.done
        return self.sent[digest]

    def answer(self, digest: str) -> None:
        """Count an answer."""
        self.answered += 1
        self.last = time.monotonic()
        self.by_status["200"] += 1
        self.done.add(digest)

    def enter(self) -> None:
        """One more is in flight."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def stats(self) -> dict[str, Any]:
        """`duplicates` are requests that came after one with the same body had been answered; `first` and `last` the
        times of the first request and the last answer, in seconds of a monotonic clock.
        """
        return {
            "requests": self.sent.total(),
            "distinct": len(self.sent),
            "answered": self.answered,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "duplicates": self.duplicates,
            "batches": self.batches,
            "by_status": dict(self.by_status),
            "first": self.first,
            "last": self.last,
        }

"""Pauses an endpoint that only fails or refuses, and tries it again, one call at a time.

One endpoint as a run sees it: the gate before it, and the one place where its calls are tried again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from dspy.lm15 import RETRYABLE_ERRORS, LM15Error, RateLimitError, TimeoutError

from arf_programs.models.rates import AdaptiveLimit, Rate, Room
from signatures.exceptions import EndpointError

_TOLERATED = 20  # failures in a row before the first pause
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0


class Breaker:
    """Closed while calls succeed. After 20 failures in a row (more, where more are in flight) it is open for 5 seconds,
    then lets one call try; each try that fails doubles the pause, up to a minute. Where the endpoint asks for a longer
    pause, it gets that. `gave_up` is true once it has been open for `patience` seconds, or will be at the next try.

    Only failures of the endpoint count: no answer, an error of its own, or a refusal for its rate (429).
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._failures = 0
        self._opened: float | None = None
        self._pause = _FIRST_PAUSE
        self._closed_until_try = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._opened is not None

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._opened, self._pause, self._trying = 0, None, _FIRST_PAUSE, False

    def failed(self, now: float, *, in_flight: int, asked: float = 0.0) -> bool:
        """A call failed, and the endpoint asked for a pause of `asked` seconds; whether this opened the breaker."""
        self._failures += 1
        if self._opened is not None:
            if self._trying:
                self._trying = False
                self._pause = min(_LONGEST_PAUSE, self._pause * 2)
                self._closed_until_try = now + max(self._pause, asked)
            return False
        if self._failures < max(_TOLERATED, in_flight):
            return False
        self._opened, self._closed_until_try = now, now + max(self._pause, asked)
        return True

    def abandoned(self) -> None:
        """A call ended without telling anything of the endpoint (cancelled, over budget): another may try."""
        self._trying = False

    def wait(self, now: float) -> float:
        """Seconds before a call may go; 0 lets it go, while open as the one that tries."""
        if self._opened is None:
            return 0.0
        if not self._trying and now >= self._closed_until_try:
            self._trying = True
            return 0.0
        return max(0.05, self._closed_until_try - now)

    def gave_up(self, now: float) -> bool:
        """Whether it has been open for longer than its patience, or the next try lies beyond it."""
        return self._opened is not None and max(now, self._closed_until_try) - self._opened > self._patience


Answer = TypeVar("Answer")

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0
_TROUBLED = 0.3  # a share of failures beyond which the endpoint, not chance, is the reason
_RECENT = 0.02  # weight of a call in that share: the last fifty or so count
_PATIENCE = 600.0  # seconds for which a run waits for an endpoint that only fails


@dataclass(frozen=True)
class Pace:
    """What the configuration says of an endpoint's speed. A `local` model runs in this process: no limit is sought for
    it.
    """

    concurrency: int
    retries: int
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    local: bool = False

    def share(self, workers: int) -> Pace:
        """What is left to one of so many processes."""
        return replace(
            self,
            concurrency=max(1, self.concurrency // workers),
            requests_per_minute=self.requests_per_minute and self.requests_per_minute / workers,
            tokens_per_minute=self.tokens_per_minute and self.tokens_per_minute / workers,
        )


class Endpoint:
    """Gate and retries for the calls to one model at one address. It belongs to one event loop."""

    def __init__(self, name: str, pace: Pace, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.in_flight = 0
        self._name, self._pace, self._say = name, pace, say
        self._limit = AdaptiveLimit(pace.concurrency, fixed=pace.local)
        self._requests, self._tokens = Rate(pace.requests_per_minute), Rate(pace.tokens_per_minute)
        self._breaker = Breaker(_PATIENCE)
        self._room = Room()
        self._failing = 0.0  # share of calls that fail of late
        self._answers = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def call(
        self,
        send: Callable[[], Awaitable[Answer]],
        *,
        tokens: float = 0.0,
        used: Callable[[Answer], float] | None = None,
        headers: Callable[[Answer], Mapping[str, str]] = lambda _: {},
    ) -> Answer:
        """What `send` returns, sent again after failures that pass, after a growing delay or the one that the endpoint
        asks for.

        `tokens` is what the call may use, and `used` reads off an answer what it did; `headers` reads those of an
        answer. A call is tried `retries` times more; a refusal for the rate (429) is none of these while the endpoint
        refuses others as well. Raises the last LM15Error, and EndpointError when the endpoint has answered nobody for
        ten minutes.
        """
        began, tries, failures = self._answers, 0, 0
        error: LM15Error | None = None
        while True:
            answers = self._answers
            try:
                await self._enter(tokens)
            except EndpointError:
                if error is not None and self._answers > began:
                    raise error from None  # others were answered meanwhile: it is this call that fails
                raise
            start = time.monotonic()
            try:
                answer = await send()
            except LM15Error as problem:
                error = problem
                self._failed(error)
                tries += 1
                failures += not self._refuses_all(error, since=answers)
                if failures > self._pace.retries or not _passes(error):
                    raise
                delay = self._delay(error, tries - 1)
            except BaseException:
                self._breaker.abandoned()
                raise
            else:
                self._answered(time.monotonic() - start, headers(answer))
                self._tokens.give_back(0.0 if used is None else tokens - used(answer))
                return answer
            finally:
                self._leave()
            await asyncio.sleep(delay)

    def _refuses_all(self, error: LM15Error, *, since: int) -> bool:
        """Whether an error tells of the endpoint's rate, not of the call: most calls are refused, or nothing was
        answered since it had answered `since` calls. Raises EndpointError where it asks for too long a pause.
        """
        if not isinstance(error, RateLimitError) or (self._failing <= _TROUBLED and self._answers > since):
            return False
        if (asked := _asked(error)) > _PATIENCE:
            raise EndpointError(
                f"{self._name} refuses all calls for {asked:.0f} seconds: run the same command again then; what was "
                "answered is kept."
            ) from error
        return True

    def _delay(self, error: LM15Error, attempt: int) -> float:
        if self._failing > _TROUBLED:
            return retry_delay(error, attempt)
        if isinstance(error, TimeoutError):
            return 0.0  # it has waited as long as the time-out, and the others get their answers
        # Where most calls succeed, waiting longer and longer would only delay the few that were unlucky twice.
        return retry_delay(error, min(attempt, 1))

    async def _enter(self, tokens: float) -> None:
        """Wait for a place, for the rates, and for a breaker that is open."""
        if self.in_flight < self._limit.limit:
            self.in_flight += 1
        else:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await self._place_given(place)
        try:
            await self._wait_for_room(tokens)
        except BaseException:
            self._leave()
            raise

    async def _place_given(self, place: asyncio.Future[None]) -> None:
        """Whoever leaves gives places away, already counted as in flight, so that nobody overtakes those who wait."""
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self._leave()
            raise

    async def _wait_for_room(self, tokens: float) -> None:
        now = time.monotonic()
        if (booked := max(self._requests.reserve(1, now), self._tokens.reserve(tokens, now))) > 0:
            await asyncio.sleep(booked)
        while True:
            if self._breaker.gave_up(time.monotonic()):
                raise EndpointError(
                    f"{self._name} has only failed for {_PATIENCE / 60:.0f} minutes: see that it works, then run the "
                    "same command again; what was answered is kept."
                )
            if (pause := self._breaker.wait(time.monotonic())) <= 0:
                break
            await asyncio.sleep(pause)
        while (pause := self._room.take(tokens, time.monotonic())) > 0:
            await asyncio.sleep(pause)

    def _leave(self) -> None:
        self.in_flight -= 1
        while self._waiting and self.in_flight < self._limit.limit:
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)

    def _answered(self, seconds: float, headers: Mapping[str, str]) -> None:
        now = time.monotonic()
        self._answers += 1
        self._failing *= 1 - _RECENT
        self._limit.answered(seconds, in_flight=self.in_flight, now=now)
        if self._breaker.is_open:
            self._say(f"{self._name} answers again.")
        self._breaker.succeeded()
        self._room.told(headers, now)

    def _failed(self, error: LM15Error) -> None:
        now = time.monotonic()
        self._failing += (1 - self._failing) * _RECENT
        if isinstance(error, RateLimitError | TimeoutError):
            self._limit.refused(in_flight=self.in_flight, now=now)
        if not _passes(error):
            self._breaker.succeeded()  # it answers: that this call will not do
        elif self._breaker.failed(now, in_flight=self.in_flight, asked=_asked(error)) and not self._pace.local:
            what = "refuses every call" if isinstance(error, RateLimitError) else "only fails"
            self._say(f"{self._name} {what} ({_message(error)}): pausing, and trying again.")


def _message(error: LM15Error) -> str:
    """Return the provider's message in one line, without the advice that lm15 adds."""
    return " ".join(str(error).partition("\n\n  To fix:")[0].split())[:200]


def _passes(error: LM15Error) -> bool:
    """Whether the same call may do later. One with more tokens than a minute allows never will, although OpenAI refuses
    it with the same 429 as one that comes too soon.
    """
    return isinstance(error, RETRYABLE_ERRORS) and "request too large" not in str(error).lower()


def _asked(error: LM15Error) -> float:
    """Seconds after which the endpoint asks to be tried again; 0 where it says nothing."""
    asked: float | None = getattr(error, "retry_after", None)
    return max(0.0, asked or 0.0)


def retry_delay(error: LM15Error, attempt: int) -> float:
    """Seconds before try `attempt` + 2: what the endpoint asked for, else a random share of 0.5, 1, 2, ... up to 60.

    Full jitter, from half of the delay up (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    if (asked := _asked(error)) > 0:
        return min(asked, _PATIENCE) * random.uniform(1.0, 1.1)  # noqa: S311
    longest: float = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311

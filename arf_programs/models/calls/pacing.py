"""Pace the calls to an endpoint, try failed calls again, and pause an endpoint that only fails."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from dspy.lm15 import RETRYABLE_ERRORS, LM15Error, RateLimitError, TimeoutError

from arf_programs.models.calls.rates import AdaptiveLimit, Quota, Rate
from signatures.exceptions import EndpointError

Answer = TypeVar("Answer")

_TOLERATED = 20  # failures in a row before the first pause
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0
_TROUBLED = 0.3  # beyond this share of failures the endpoint is the reason, and not chance
_RECENT = 0.02  # the weight of one call in that share: about the last fifty count
_PATIENCE = 600.0  # seconds that a run waits for an endpoint that only fails


class Breaker:
    """A circuit breaker: it opens after 20 failures in a row, and then lets one call at a time try the endpoint.

    If more than 20 calls are in flight, as many failures are needed. The first pause takes 5 seconds. Each failed try
    doubles it, up to a minute, or up to the pause that the endpoint asks for. Only failures of the endpoint count: no
    answer, a server error, or a refusal for its rate (429).

    Args:
        patience: seconds for which the breaker may be open before `gave_up` is true.
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
        """Whether calls have to wait."""
        return self._opened is not None

    def record_success(self) -> None:
        """Close the breaker: the endpoint has answered."""
        self._failures, self._opened, self._pause, self._trying = 0, None, _FIRST_PAUSE, False

    def record_failure(self, now: float, *, in_flight: int, retry_after: float = 0.0) -> bool:
        """Count a failed call, and return whether it opened the breaker.

        `retry_after` is the pause in seconds that the endpoint asked for.
        """
        self._failures += 1
        if self._opened is not None:
            if self._trying:
                self._trying = False
                self._pause = min(_LONGEST_PAUSE, self._pause * 2)
                self._closed_until_try = now + max(self._pause, retry_after)
            return False
        if self._failures < max(_TOLERATED, in_flight):
            return False
        self._opened, self._closed_until_try = now, now + max(self._pause, retry_after)
        return True

    def record_abandoned(self) -> None:
        """Let another call try: one ended without the endpoint's doing (cancelled, over budget)."""
        self._trying = False

    def wait(self, now: float) -> float:
        """Return the seconds before a call may be sent. While the breaker is open, 0 makes this call the try."""
        if self._opened is None:
            return 0.0
        if not self._trying and now >= self._closed_until_try:
            self._trying = True
            return 0.0
        return max(0.05, self._closed_until_try - now)

    def gave_up(self, now: float) -> bool:
        """Return whether the breaker has been open longer than its patience, or will be at the next try."""
        return self._opened is not None and max(now, self._closed_until_try) - self._opened > self._patience


@dataclass(frozen=True)
class Pace:
    """The limits of a model's configuration. A `local` model runs in this process, and always at its concurrency."""

    concurrency: int
    retries: int
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    local: bool = False

    def share(self, workers: int) -> Pace:
        """Return the pace of one of `workers` processes."""
        return replace(
            self,
            concurrency=max(1, self.concurrency // workers),
            requests_per_minute=self.requests_per_minute and self.requests_per_minute / workers,
            tokens_per_minute=self.tokens_per_minute and self.tokens_per_minute / workers,
        )


class Endpoint:
    """Limits and retries of the calls to one model at one address. It belongs to one event loop."""

    def __init__(self, name: str, pace: Pace, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.in_flight = 0
        self._name, self._pace, self._say = name, pace, say
        self._limit = AdaptiveLimit(pace.concurrency, fixed=pace.local)
        self._requests, self._tokens = Rate(pace.requests_per_minute), Rate(pace.tokens_per_minute)
        self._breaker = Breaker(_PATIENCE)
        self._quota = Quota()
        self._failing = 0.0  # share of recent calls that failed
        self._answers = 0
        self._paused_until = 0.0  # the endpoint has asked for it
        self._said_longest = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def call(
        self,
        send: Callable[[], Awaitable[Answer]],
        *,
        tokens: float = 0.0,
        used: Callable[[Answer], float] | None = None,
        headers: Callable[[Answer], Mapping[str, str]] = lambda _: {},
    ) -> Answer:
        """Await `send`, again after each transient failure, and return its answer.

        A failed call is tried `retries` times more, after a growing delay or after the one that the endpoint asks for.
        Refusals for the rate (429) do not count as tries while the endpoint refuses other calls too.

        Args:
            send: sends the call once.
            tokens: how many tokens the call may use.
            used: reads from an answer how many tokens it used.
            headers: reads the headers of an answer.

        Raises:
            LM15Error: the last one, if no try succeeded.
            EndpointError: the endpoint has answered no call for ten minutes.
        """
        began, tries, failures = self._answers, 0, 0
        error: LM15Error | None = None
        while True:
            answers = self._answers
            try:
                await self._enter(tokens)
            except EndpointError:
                if error is not None and self._answers > began:
                    raise error from None  # the endpoint answered other calls, so this call is at fault
                raise
            start = time.monotonic()
            try:
                answer = await send()
            except LM15Error as problem:
                error = problem
                self._record_failure(error)
                tries += 1
                failures += not self._refuses_all(error, since=answers)
                if failures > self._pace.retries or not _is_transient(error):
                    raise
                delay = self._delay(error, tries - 1)
            except BaseException:
                self._breaker.record_abandoned()
                raise
            else:
                self._record_answer(time.monotonic() - start, headers(answer))
                self._tokens.give_back(0.0 if used is None else tokens - used(answer))
                return answer
            finally:
                self._leave()
            await asyncio.sleep(delay)

    def _refuses_all(self, error: LM15Error, *, since: int) -> bool:
        """Return whether the endpoint refuses every call for its rate, and not only this one.

        So it is when most recent calls failed, or when it has answered no call since its answer number `since`.
        The pause that the endpoint then asks for holds for all calls. Raises EndpointError if it is too long.
        """
        if self._failing <= _TROUBLED and self._answers > since:
            return False
        seconds = _retry_after(error) if _is_transient(error) else 0.0
        if seconds > _PATIENCE:
            raise EndpointError(
                f"{self._name} refuses all calls for {seconds:.0f} seconds: run the same command again then; what was "
                "answered is kept."
            ) from error
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)
        return isinstance(error, RateLimitError)

    def _delay(self, error: LM15Error, attempt: int) -> float:
        if (asked := _retry_after(error)) > _PATIENCE and not self._said_longest:
            self._said_longest = True
            self._say(
                f"{self._name} asks a call to wait {asked:.0f} seconds: it waits {_PATIENCE:.0f}, and tries again."
            )
        if self._failing > _TROUBLED:
            return retry_delay(error, attempt)
        if isinstance(error, TimeoutError) and asked == 0:
            return 0.0  # it has waited for the whole time-out, and other calls get their answers
        # Most calls succeed here. Longer delays would only slow down the few that failed twice by chance.
        return retry_delay(error, min(attempt, 1))

    async def _enter(self, tokens: float) -> None:
        """Wait for a place among the calls in flight, for the rates and quotas, and for an open breaker."""
        if self.in_flight < self._limit.limit:
            self.in_flight += 1
        else:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await self._wait_for_place(place)
        try:
            await self._wait_for_capacity(tokens)
        except BaseException:
            self._leave()
            raise

    async def _wait_for_place(self, place: asyncio.Future[None]) -> None:
        """Wait until `_leave` hands over a place. It is counted as in flight there, so no call overtakes this one."""
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self._leave()
            raise

    async def _wait_for_capacity(self, tokens: float) -> None:
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
        while (pause := self._paused_until - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        while (pause := self._quota.take(tokens, time.monotonic())) > 0:
            await asyncio.sleep(pause)

    def _leave(self) -> None:
        self.in_flight -= 1
        while self._waiting and self.in_flight < self._limit.limit:
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)

    def _record_answer(self, seconds: float, headers: Mapping[str, str]) -> None:
        now = time.monotonic()
        self._answers += 1
        self._failing *= 1 - _RECENT
        self._limit.record_answer(seconds, in_flight=self.in_flight, now=now)
        if self._breaker.is_open:
            self._say(f"{self._name} answers again.")
        self._breaker.record_success()
        self._quota.update(headers, now)

    def _record_failure(self, error: LM15Error) -> None:
        now = time.monotonic()
        self._failing += (1 - self._failing) * _RECENT
        if isinstance(error, RateLimitError | TimeoutError):
            self._limit.record_refusal(in_flight=self.in_flight, now=now)
        if not _is_transient(error):
            self._breaker.record_success()  # the endpoint has answered that the call itself is wrong
            return
        opened = self._breaker.record_failure(now, in_flight=self.in_flight, retry_after=_retry_after(error))
        if opened and not self._pace.local:
            what = "refuses every call" if isinstance(error, RateLimitError) else "only fails"
            self._say(f"{self._name} {what} ({_message(error)}): pausing, and trying again.")


def _message(error: LM15Error) -> str:
    """Return the provider's message in one line, without the advice that lm15 adds."""
    return " ".join(str(error).partition("\n\n  To fix:")[0].split())[:200]


def _is_transient(error: LM15Error) -> bool:
    """Return whether the same call may succeed later.

    A call with more tokens than a minute allows never succeeds, but OpenAI refuses it with the same 429.
    """
    return isinstance(error, RETRYABLE_ERRORS) and "request too large" not in str(error).lower()


def _retry_after(error: LM15Error) -> float:
    """Return the seconds that the endpoint asks to wait; 0 if it does not say."""
    seconds: float | None = getattr(error, "retry_after", None)
    return max(0.0, seconds or 0.0)


def retry_delay(error: LM15Error, attempt: int) -> float:
    """Return the seconds to wait after failed try `attempt`, counted from 0.

    That is what the endpoint asks for, else a random share, from half up, of 0.5, 1, 2, ... up to 60 seconds
    (jitter: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    if (seconds := _retry_after(error)) > 0:
        return min(seconds, _PATIENCE) * random.uniform(1.0, 1.1)  # noqa: S311
    longest: float = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311

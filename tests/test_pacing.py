import asyncio
import heapq
import random
import time
from datetime import UTC, datetime, timedelta

import pytest
from dspy.lm15 import InvalidRequestError, RateLimitError, ServerError, TimeoutError

from arf_programs.models.calls.pacing import Breaker, Endpoint, Pace, retry_delay
from arf_programs.models.calls.rates import AdaptiveLimit, Quota, Rate, parse_duration
from signatures.exceptions import EndpointError


def simulate(limit, *, slots, latency=lambda: 0.2, refused=lambda n: False, calls=4000):
    """Calls through a server with so many `slots`, more wait in its queue; (seconds, largest and last limit)."""
    now, sent, busiest = 0.0, 0, 0
    free = [0.0] * slots
    heapq.heapify(free)
    flying: list[tuple[float, float, bool]] = []
    while sent < calls or flying:
        while sent < calls and len(flying) < limit.limit:
            sent += 1
            if refused(sent):
                heapq.heappush(flying, (now + 0.01, now, True))
                continue
            start = max(now, heapq.heappop(free))
            end = start + latency()
            heapq.heappush(free, end)
            heapq.heappush(flying, (end, now, False))
        busiest = max(busiest, limit.limit)
        end, began, no = heapq.heappop(flying)
        now = end
        if no:
            limit.record_refusal(in_flight=len(flying) + 1, now=now)
        else:
            limit.record_answer(end - began, in_flight=len(flying) + 1, now=now)
    return now, busiest, limit.limit


def test_the_limit_rises_to_its_ceiling_while_that_helps():
    seconds, _, last = simulate(AdaptiveLimit(256), slots=1000)
    assert last == 256
    assert seconds < 1.5 * 4000 * 0.2 / 256


def test_the_limit_stays_near_what_a_server_works_on_at_once():
    """vLLM queues what it cannot work on, and refuses nothing."""
    _, busiest, last = simulate(AdaptiveLimit(1024), slots=64)
    assert 32 <= last <= 192
    assert busiest <= 256


@pytest.mark.parametrize("slots", [1, 4, 8])
def test_a_server_that_works_on_few_at_once_is_asked_for_fewer_than_at_first(slots):
    seconds, _, last = simulate(AdaptiveLimit(64), slots=slots)
    assert slots <= last <= 4 * slots
    assert seconds < 1.05 * 4000 * 0.2 / slots


def test_a_queue_that_was_there_from_the_first_call_on_is_found_after_a_while():
    """Latency never grows, as too many were in flight at first: only fewer show that they are enough."""
    limit, limits = AdaptiveLimit(64), []
    for call in range(4000):  # 40 a second, whatever is in flight
        limit.record_answer(limit.limit / 40, in_flight=limit.limit, now=call / 40)
        limits.append(limit.limit)
    assert set(limits[: 20 * 40]) == {64}
    assert limits[-1] <= 32


def test_a_server_that_becomes_slower_under_the_same_load_is_asked_for_fewer():
    limit = AdaptiveLimit(64)
    simulate(limit, slots=64)
    assert limit.limit == 64
    simulate(limit, slots=8)
    assert 8 <= limit.limit <= 32


def test_a_server_that_worked_on_one_at_once_and_then_on_many_is_asked_for_many():
    limit = AdaptiveLimit(64)
    simulate(limit, slots=1)
    assert limit.limit <= 4
    simulate(limit, slots=1000)
    assert limit.limit >= 32


def test_answers_of_very_different_length_do_not_lower_the_limit_for_long():
    """A latency that varies is not one that grows: fewer calls in flight bring fewer answers, and that is noticed."""
    lengths = random.Random(17)

    def latency():
        return lengths.lognormvariate(-1.7, 0.9)

    seconds, _, _ = simulate(AdaptiveLimit(64), slots=1000, latency=latency, calls=8000)
    fixed, _, _ = simulate(AdaptiveLimit(64, fixed=True), slots=1000, latency=latency, calls=8000)
    assert seconds < 1.15 * fixed


def test_calls_that_fail_at_random_do_not_lower_the_limit():
    seconds, _, last = simulate(AdaptiveLimit(64), slots=1000, refused=lambda n: n % 10 == 0)
    assert last == 64
    assert seconds < 1.3 * 4000 * 0.2 / 64


def test_refusals_of_every_third_call_lower_the_limit_and_it_recovers():
    limit = AdaptiveLimit(64)
    simulate(limit, slots=1000, refused=lambda n: n % 3 == 0, calls=2000)
    assert limit.limit < 16
    simulate(limit, slots=1000)
    assert limit.limit == 64


def test_a_model_in_this_process_is_asked_at_its_concurrency_at_once():
    assert AdaptiveLimit(32, fixed=True).limit == 32
    assert AdaptiveLimit(4).limit == 4


def test_a_rate_lets_through_so_many_a_minute():
    rate = Rate(60)
    waits = [rate.reserve(1, now=100.0) for _ in range(4)]
    assert waits == [0, 0, 1, 2]  # a second's worth may go at once
    assert rate.reserve(1, now=110.0) == 0
    assert Rate(None).reserve(1e9, now=0.0) == 0


def test_tokens_that_a_call_did_not_use_are_for_others():
    endpoint = Endpoint("m", Pace(concurrency=2, retries=0, tokens_per_minute=6000))
    start = time.monotonic()

    async def answer():
        return "fine"

    async def main():
        for _ in range(20):
            await endpoint.call(answer, tokens=500, used=lambda _: 1)

    asyncio.run(main())
    assert time.monotonic() - start < 5, "at what they might have used it would take 95 seconds"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3s", 3723), ("2.5", 2.5), ("soon", 0), ("", 0)],
)
def test_durations_of_headers(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


def wait_after(headers):
    """The wait for a call of 100 tokens after an answer with these headers."""
    quota = Quota()
    quota.update(headers, now=1000.0)
    return quota.take(100, now=1000.0)


def test_headers_that_say_that_there_is_no_room():
    full = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s"}
    assert wait_after(full) == pytest.approx(3)
    assert wait_after({f"llm_provider-{name}": value for name, value in full.items()}) == pytest.approx(3)
    assert wait_after({**full, "x-ratelimit-remaining-requests": "7"}) == 0
    assert wait_after({**full, "x-ratelimit-reset-requests": "1764082800"}) == 60, "a date is not so many seconds"
    assert wait_after({}) == 0


def test_tokens_that_are_left_must_suffice_for_the_call():
    left = {"x-ratelimit-remaining-tokens": "99", "x-ratelimit-reset-tokens": "6s"}
    assert wait_after(left) == pytest.approx(6)
    assert wait_after({**left, "x-ratelimit-remaining-tokens": "100"}) == 0


def test_anthropic_tells_the_time_of_the_reset():
    soon = (datetime.now(UTC) + timedelta(seconds=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {"x-ratelimit-remaining-tokens": "0", "llm_provider-anthropic-ratelimit-tokens-reset": soon}
    assert 18 < wait_after(headers) <= 20


def test_what_the_headers_leave_is_shared_by_the_calls_that_follow():
    quota = Quota()
    quota.update({"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "3s"}, now=0.0)
    assert [quota.take(1, now=1.0) for _ in range(3)] == [0, 0, 2]
    assert quota.take(1, now=3.1) == 0


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_an_answer():
    breaker = Breaker(patience=600)
    assert not any(breaker.record_failure(float(n), in_flight=1) for n in range(19))
    assert breaker.record_failure(19.0, in_flight=1)
    assert breaker.wait(19.0) == 5
    assert breaker.wait(24.0) == 0  # one call tries
    assert breaker.wait(24.0) > 0  # and the others wait
    breaker.record_abandoned()
    assert breaker.wait(24.0) == 0  # the next one tries
    breaker.record_failure(25.0, in_flight=1)
    assert breaker.wait(26.0) == pytest.approx(9.0)
    assert not breaker.gave_up(600.0)
    assert breaker.gave_up(700.0)
    breaker.record_success()
    assert breaker.wait(26.0) == 0


def test_a_breaker_pauses_for_as_long_as_the_endpoint_asks_within_its_patience():
    breaker = Breaker(patience=600)
    assert any(breaker.record_failure(0.0, in_flight=1, retry_after=90.0) for _ in range(20))
    assert breaker.wait(10.0) == 80
    assert not breaker.gave_up(10.0)
    breaker.wait(90.0)
    breaker.record_failure(90.0, in_flight=1, retry_after=3600.0)
    assert breaker.gave_up(91.0), "nobody waits for an hour"


def call(endpoint, *outcomes):
    """The answer after these outcomes; the number of tries."""
    left = list(outcomes)

    async def send():
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return asyncio.run(endpoint.call(send)), len(outcomes) - len(left)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr("arf_programs.models.calls.pacing.retry_delay", lambda *_: 0)


def test_what_passes_is_tried_again_and_what_does_not_is_not(at_once):
    endpoint = Endpoint("m", Pace(concurrency=2, retries=2))
    assert call(endpoint, ServerError("down"), RateLimitError("slow down"), "fine") == ("fine", 3)
    with pytest.raises(ServerError):
        call(endpoint, *[ServerError("down")] * 3)
    with pytest.raises(InvalidRequestError):
        call(endpoint, InvalidRequestError("too long"), "never asked")
    assert endpoint.in_flight == 0


@pytest.fixture
def short_pauses(monkeypatch):
    monkeypatch.setattr("arf_programs.models.calls.pacing._FIRST_PAUSE", 0.0)


@pytest.mark.parametrize("in_flight", [1, 8])
def test_an_endpoint_that_refuses_all_calls_for_a_while_costs_none_of_them(at_once, short_pauses, in_flight):
    said: list[str] = []
    endpoint = Endpoint("m", Pace(concurrency=in_flight, retries=1), say=said.append)
    refusals = 60

    async def send():
        nonlocal refusals
        await asyncio.sleep(0)
        refusals -= 1
        if refusals >= 0:
            raise RateLimitError("slow down")
        return "fine"

    async def main():
        return await asyncio.gather(*(endpoint.call(send) for _ in range(16)))

    assert asyncio.run(main()) == ["fine"] * 16
    assert said == ["m refuses every call (slow down): pausing, and trying again.", "m answers again."]


@pytest.mark.parametrize("others", [8, 200], ids=["others end before it", "others go on"])
def test_a_call_that_alone_is_refused_among_answers_fails(at_once, short_pauses, monkeypatch, others):
    monkeypatch.setattr("arf_programs.models.calls.pacing._PATIENCE", 0.01)
    endpoint = Endpoint("m", Pace(concurrency=4, retries=3))

    async def refused():
        await asyncio.sleep(0)
        raise RateLimitError("slow down")

    async def fine():
        await asyncio.sleep(0)
        return "fine"

    async def main():
        rest = [endpoint.call(fine) for _ in range(others)]
        return await asyncio.gather(endpoint.call(refused), *rest, return_exceptions=True)

    first, *rest = asyncio.run(main())
    assert isinstance(first, RateLimitError)
    assert rest == ["fine"] * others


def test_a_call_with_more_tokens_than_a_minute_allows_is_not_tried_again(at_once):
    with pytest.raises(RateLimitError):
        call(
            Endpoint("m", Pace(concurrency=1, retries=3)),
            RateLimitError("Request too large for m on tokens per min (TPM): Limit 100, Requested 200."),
            "never asked",
        )


def test_an_absurd_pause_of_one_call_among_answers_is_bounded_and_said_once(monkeypatch):
    said: list[str] = []
    slept: list[float] = []
    sleep = asyncio.sleep

    async def remember(seconds):
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("arf_programs.models.calls.pacing.asyncio.sleep", remember)
    endpoint = Endpoint("m", Pace(concurrency=4, retries=3), say=said.append)
    refusals = [RateLimitError("later", retry_after=1e9), RateLimitError("later", retry_after=1e9)]

    async def refused_twice():
        for _ in range(9):
            await sleep(0)
        if refusals:
            raise refusals.pop()
        return "fine"

    async def fine():
        await sleep(0)
        return "fine"

    async def main():
        return await asyncio.gather(endpoint.call(refused_twice), *(endpoint.call(fine) for _ in range(200)))

    assert set(asyncio.run(main())) == {"fine"}
    assert said == ["m asks a call to wait 1000000000 seconds: it waits 600, and tries again."]
    assert 600 <= max(slept) <= 660


def test_an_endpoint_that_asks_for_a_pause_beyond_all_patience_stops_the_run():
    endpoint = Endpoint("m", Pace(concurrency=1, retries=1))
    with pytest.raises(EndpointError, match=r"m refuses .* 86400 seconds"):
        call(endpoint, RateLimitError("tomorrow", retry_after=86400.0), "never asked")


def record_tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the tries that a delay is asked for; the delays are none."""
    tries: list[int] = []

    def no_delay(_, attempt):
        tries.append(attempt)
        return 0

    monkeypatch.setattr("arf_programs.models.calls.pacing.retry_delay", no_delay)
    return tries


def test_delays_grow_only_while_the_endpoint_fails_more_than_by_chance(monkeypatch):
    tries = record_tries(monkeypatch)
    endpoint = Endpoint("m", Pace(concurrency=2, retries=5))
    for _ in range(50):
        call(endpoint, "fine")
    call(endpoint, *[ServerError("down")] * 4, "fine")
    assert tries == [0, 1, 1, 1]
    tries.clear()
    broken = Endpoint("m", Pace(concurrency=2, retries=19))
    with pytest.raises(ServerError):
        call(broken, *[ServerError("down")] * 20)
    assert max(tries) == 18


def test_a_time_out_among_answers_is_tried_again_at_once_and_many_are_waited_for(monkeypatch):
    tries = record_tries(monkeypatch)
    late = TimeoutError("late")
    assert call(Endpoint("m", Pace(concurrency=2, retries=2)), late, late, "fine") == ("fine", 3)
    assert tries == []
    with pytest.raises(TimeoutError):
        call(Endpoint("m", Pace(concurrency=2, retries=19)), *[late] * 20)  # one more, and the breaker would pause
    assert tries == [17, 18]


def test_a_time_out_that_asks_for_a_pause_gets_it(monkeypatch):
    tries = record_tries(monkeypatch)
    late = TimeoutError("late (408)", retry_after=7.0)
    assert call(Endpoint("m", Pace(concurrency=2, retries=2)), late, "fine") == ("fine", 2)
    assert tries == [0]


def test_an_endpoint_asks_for_its_own_delay():
    assert 7.0 <= retry_delay(RateLimitError("later", retry_after=7.0), 0) <= 7.7
    assert 0.25 <= retry_delay(ServerError("down"), 0) <= 0.5
    assert 30 <= retry_delay(ServerError("down"), 30) <= 60


def test_no_more_calls_are_in_flight_than_allowed_and_those_that_wait_go_in_turn():
    endpoint = Endpoint("m", Pace(concurrency=3, retries=0, local=True))
    peak, order = 0, []

    async def one(number):
        async def send():
            nonlocal peak
            peak = max(peak, endpoint.in_flight)
            order.append(number)
            await asyncio.sleep(0)
            return number

        return await endpoint.call(send)

    async def main():
        return await asyncio.gather(*(one(n) for n in range(20)))

    assert asyncio.run(main()) == list(range(20))
    assert (peak, order) == (3, list(range(20)))


def test_a_call_that_is_cancelled_while_it_waits_gives_its_place_back():
    endpoint = Endpoint("m", Pace(concurrency=1, retries=0, local=True))

    async def main():
        hold = asyncio.Event()

        async def slow():
            await hold.wait()
            return "slow"

        async def fast():
            return "fast"

        first = asyncio.create_task(endpoint.call(slow))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(endpoint.call(fast))
        await asyncio.sleep(0)
        waiting.cancel()
        hold.set()
        assert await first == "slow"
        return await endpoint.call(fast)

    assert asyncio.run(main()) == "fast"
    assert endpoint.in_flight == 0

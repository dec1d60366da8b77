"""Properties of what may be sent: calls in flight, rates, pauses, and the caps of a budget."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arf_programs.models import BudgetSpent, CallBudget, Need
from arf_programs.models.calls.pacing import Breaker, Endpoint, Pace
from arf_programs.models.calls.rates import AdaptiveLimit, Rate

seconds = st.floats(0, 30)
amounts = st.integers(0, 20)


@st.composite
def endpoint_days(draw: st.DrawFn) -> list[tuple[int, float, float, float]]:
    """Phases of an endpoint: how many calls, how long each takes, which share is refused, and the time between."""
    phase = st.tuples(st.integers(1, 150), st.floats(0.001, 5), st.sampled_from([0, 0, 0.1, 0.5, 1]), st.floats(0, 2))
    return draw(st.lists(phase, min_size=1, max_size=6))


@given(st.integers(1, 100), endpoint_days(), st.booleans())
def test_the_limit_is_never_over_its_ceiling_and_never_under_one(
    ceiling: int, phases: list[tuple[int, float, float, float]], fixed: bool
) -> None:
    limit, now = AdaptiveLimit(ceiling, fixed=fixed), 0.0
    for calls, latency, refused, pause in phases:
        for call in range(calls):
            now += pause
            if call < refused * calls:
                limit.record_refusal(in_flight=limit.limit, now=now)
            else:
                limit.record_answer(latency, in_flight=limit.limit, now=now)
            assert 1 <= limit.limit <= ceiling
            assert limit.limit == ceiling or not fixed


@given(st.floats(1, 1000), st.lists(st.tuples(amounts, seconds), min_size=2, max_size=20))
def test_no_stretch_of_time_gets_more_than_its_rate_and_a_second_beforehand(
    per_minute: float, asked: list[tuple[int, float]]
) -> None:
    rate, now, starts = Rate(per_minute), 100.0, []
    for amount, pause in asked:
        now += pause
        wait = rate.reserve(amount, now)
        assert wait >= 0
        starts.append(now + wait)
    for first in range(len(starts)):
        for last in range(first + 1, len(starts)):
            passed = sum(amount for amount, _ in asked[first:last])
            assert passed <= (starts[last] - starts[first] + 1) * per_minute / 60 + 1e-6


@given(st.integers(0, 40), st.lists(st.tuples(st.sampled_from(["fail", "succeed", "abandon", "wait"]), seconds)))
def test_a_breaker_lets_one_call_try_at_a_time_and_opens_after_failures_alone(
    failures: int, events: list[tuple[str, float]]
) -> None:
    breaker, now, trying = Breaker(600.0), 0.0, False
    for _ in range(failures):
        breaker.record_failure(now, in_flight=1)
    assert breaker.is_open == (failures >= 20)
    for event, pause in events:
        now += pause
        if event == "fail":
            breaker.record_failure(now, in_flight=1)
            trying = False
        elif event == "succeed":
            breaker.record_success()
            trying = False
            assert not breaker.is_open
        elif event == "abandon":
            breaker.record_abandoned()
            trying = False
        elif (wait := breaker.wait(now)) > 0:
            assert breaker.is_open and wait <= 60
        elif breaker.is_open:
            assert not trying
            trying = True


@settings(max_examples=50)
@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6) | st.none()), max_size=12))
def test_calls_that_are_cancelled_anywhere_leave_their_place_to_others(
    concurrency: int, calls: list[tuple[int, int | None]]
) -> None:
    """Each call takes so many turns of the loop, and is cancelled after so many, or never."""
    endpoint = Endpoint("model", Pace(concurrency=concurrency, retries=0))
    busy = most = 0

    async def one(turns: int) -> int:
        async def send() -> int:
            nonlocal busy, most
            busy, most = busy + 1, max(most, busy + 1)
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                busy -= 1
            return turns

        return await endpoint.call(send)

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(one(turns)) for turns, _ in calls]
        for turn in range(8):
            for task, (_, cancelled) in zip(tasks, calls, strict=True):
                if cancelled == turn:
                    task.cancel()
            await asyncio.sleep(0)
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        for result, (turns, cancelled) in zip(results, calls, strict=True):
            assert result == turns or (cancelled is not None and isinstance(result, asyncio.CancelledError))

    asyncio.run(all_of_them())
    assert endpoint.in_flight == 0
    assert most <= concurrency


# Numbers that binary fractions hold exactly, so that the sums below are exact too.
needs = st.builds(Need, tokens=amounts, usd=st.sampled_from([0, 0.25, 1, 2]))
actions = st.sampled_from(["spend", "spend", "spend", "settle", "settle", "replay", "release"])
events = st.lists(st.tuples(actions, needs, st.sampled_from([0, 0.5, 1])), min_size=5, max_size=40)
caps = st.one_of(
    st.tuples(st.integers(0, 12), st.none(), st.none()),
    st.tuples(st.none(), st.integers(0, 100), st.none()),
    st.tuples(st.none(), st.none(), st.integers(0, 8)),
    st.tuples(st.integers(5, 12), st.integers(50, 100), st.integers(4, 8)),
)


@given(caps, events, st.booleans())
def test_a_budget_is_never_over_its_caps_whatever_is_spent_and_settled(
    caps: tuple[int | None, int | None, int | None], events: list[tuple[str, Need, float]], shared: bool
) -> None:
    calls, tokens, usd = caps
    budget = CallBudget(calls, tokens, usd)
    if shared:
        import multiprocessing

        budget = budget.shared(multiprocessing.get_context("spawn"), 2).for_process(1)
    held: list[Need] = []
    used_tokens = used_usd = 0.0
    sent = replayed = 0
    for event, need, part in events:
        if event == "spend":
            room = (calls is None or sent < calls) and all(
                cap is None or spent + sum(holds) + more <= cap
                for cap, spent, holds, more in (
                    (tokens, used_tokens, [item.tokens for item in held], need.tokens),
                    (usd, used_usd, [item.usd for item in held], need.usd),
                )
            )
            if room:
                budget.spend(need)
                held.append(need)
                sent += 1
            else:
                with pytest.raises(BudgetSpent):
                    budget.spend(need)
        elif event == "settle" and held:
            item = held.pop(int(part * (len(held) - 1)))
            budget.settle(item, tokens=part * item.tokens, usd=part * item.usd)
            used_tokens += part * item.tokens
            used_usd += part * item.usd
        elif event == "replay":
            budget.replay()
            replayed += 1
        elif event == "release":
            budget.release(1 if shared else 0)
            held.clear()
        assert (budget.sent, budget.asked, budget.is_held) == (sent, sent + replayed, bool(held))
        assert budget.usd == used_usd
        assert calls is None or budget.sent <= calls
        assert usd is None or budget.usd <= usd

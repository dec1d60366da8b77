import asyncio
import gc
import io

import pytest
from rich.console import Console

from arf_programs.config.models import ModelConfig
from arf_programs.models import scripted
from arf_programs.models.calls.lm import build_lm
from arf_programs.models.providers.scripted import ScriptedAnswer
from arf_programs.runner.context import ask_rows
from arf_programs.runner.rows import RowKey, less_garbage_collection, run_rows
from arf_programs.runs.progress import Progress
from signatures.exceptions import ModelError, QuoteError, StageError
from signatures.records import Failure

QUIET = Progress(Console(file=io.StringIO()), quiet=True)


def run(rows, work, *, concurrency=4, key=RowKey):
    return asyncio.run(run_rows(rows, work, key=key, stage="test", concurrency=concurrency, progress=QUIET))


def ask_each(run_folder, rows, **settings):
    """Each row asks `scripted/model` with its own name, through the real path."""
    lm = build_lm(ModelConfig(model="scripted/model", **settings), seed=17)

    async def work(row):
        return (await lm.acall(row))[0]

    return ask_rows(run_folder, "draft", rows, work, key=RowKey, concurrency=4)


def test_results_and_failures_keep_the_order_of_the_rows():
    rows = [f"r{n}" for n in range(10)]

    async def work(row):
        await asyncio.sleep(0.001 * (10 - int(row[1])))
        if int(row[1]) % 3 == 0:
            raise QuoteError(f"bad\n {row}")
        return row.upper()

    outcome = run(rows, work)
    assert list(outcome.results.items()) == [(row, row.upper()) for row in rows if int(row[1]) % 3]
    assert outcome.failures == [
        Failure(conversation_id=row, stage="test", reason=f"bad {row}") for row in rows if int(row[1]) % 3 == 0
    ]


def test_no_more_than_the_concurrency_are_in_flight():
    flying, most = 0, 0

    async def work(row):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1

    run([str(n) for n in range(20)], work, concurrency=3)
    assert most == 3


def test_no_rows_are_no_work():
    outcome = run([], None)
    assert (outcome.results, outcome.failures) == ({}, [])


def test_rows_of_several_systems_are_told_apart():
    async def work(row):
        if row[1] == "base":
            raise QuoteError("bad")
        return row

    outcome = run([("c1", "base"), ("c1", "teacher")], work, key=lambda row: RowKey(*row))
    assert outcome.results == {"teacher/c1": ("c1", "teacher")}
    assert outcome.failures == [Failure(conversation_id="c1", stage="test", system="base", reason="bad")]


def test_a_stage_that_only_fails_is_stopped():
    tried = []

    async def work(row):
        tried.append(row)
        raise QuoteError("always the same")

    with pytest.raises(StageError, match=r"first 20 rows all failed.*always the same"):
        run([str(n) for n in range(200)], work)
    assert len(tried) < 30


def test_a_small_stage_that_only_fails_is_no_success():
    async def work(row):
        raise QuoteError("the server is down")

    with pytest.raises(StageError, match="test: all 3 rows failed: the server is down"):
        run(["1", "2", "3"], work)


def test_a_stage_that_succeeded_once_goes_on():
    async def work(row):
        if row != "0":
            raise QuoteError("bad")
        return row

    outcome = run([str(n) for n in range(60)], work, concurrency=1)
    assert (len(outcome.results), len(outcome.failures)) == (1, 59)


def test_a_defect_is_not_taken_for_a_failure():
    async def work(row):
        raise KeyError("a bug")

    with pytest.raises(ExceptionGroup):
        run(["r"], work)


def test_a_long_reason_is_cut():
    async def work(row):
        if row == "bad":
            raise QuoteError("x" * 5000)

    (failure,) = run(["bad", "good"], work).failures
    assert len(failure.reason) == 500


@pytest.mark.parametrize("error", ["rate_limit", "timeout", "server"])
def test_transient_errors_are_retried(make_run, no_waiting, error):
    scripted.register("model", [ScriptedAnswer(error=error), ScriptedAnswer(error=error), "fine"])
    outcome = ask_each(make_run(), ["r0"], retries=2)
    assert outcome.results == {"r0": "fine"}
    assert len(scripted.calls("model")) == 3


def test_after_its_retries_a_call_is_a_counted_failure(make_run, no_waiting):
    def answer(messages, params):
        return "fine" if messages[-1]["content"] == "r1" else ScriptedAnswer(error="server", answer="overloaded")

    scripted.register("model", answer)
    outcome = ask_each(make_run(), ["r0", "r1"], retries=2)
    (failure,) = outcome.failures
    assert (failure.conversation_id, failure.stage) == ("r0", "draft")
    assert "overloaded" in failure.reason
    assert len(scripted.calls("model")) == 3 + 1


def test_a_refused_request_is_not_retried_and_fails_alone(make_run, no_waiting):
    def answer(messages, params):
        return None if messages[-1]["content"] == "r1" else "fine"

    scripted.register("model", answer)
    outcome = ask_each(make_run(), ["r0", "r1", "r2"])
    assert list(outcome.results) == ["r0", "r2"]
    assert "no answer left" in outcome.failures[0].reason
    assert len(scripted.calls("model")) == 3


@pytest.mark.parametrize("status", ["auth", "billing"])
def test_what_concerns_every_row_stops_the_stage_at_once(make_run, no_waiting, status):
    from litellm.exceptions import APIError, AuthenticationError

    def refuse(messages, params):
        if status == "auth":
            raise AuthenticationError(message="Incorrect key", llm_provider="scripted", model="model")
        raise APIError(status_code=402, message="Payment required", llm_provider="scripted", model="model")

    scripted.register("model", refuse)
    with pytest.raises(ModelError, match=r"draft: .*(Incorrect key|Payment required)"):
        ask_each(make_run(), [f"r{n}" for n in range(50)])
    assert len(scripted.calls("model")) <= 4


def test_what_the_host_of_the_process_has_frozen_stays_frozen(nothing_frozen):
    gc.freeze()
    with less_garbage_collection():
        pass
    assert gc.get_freeze_count() > 0

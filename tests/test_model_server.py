"""The model server of benchmarks and tests: what it answers, how it fails, and what it counts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Literal

import aiohttp
import pytest
from model_server import parse, running_server, serve
from model_server_answers import completion, instance
from model_server_faults import Bucket, Faults
from pydantic import BaseModel, Field

BENCH = Path(__file__).parent.parent / "bench"


def body(text: str = "hello", **more) -> dict:
    return {"model": "test", "messages": [{"role": "user", "content": text}], **more}


async def post(session: aiohttp.ClientSession, url: str, data: dict) -> tuple[int, dict, dict]:
    async with session.post(f"{url}/chat/completions", json=data) as response:
        return response.status, dict(response.headers), await response.json()


def statuses(faults: Faults, bodies: list[dict], limit: int = 0) -> tuple[list[int | str], dict]:
    """The status of each request, sent at once or `limit` at a time, and the server's counts."""

    async def one(session: aiohttp.ClientSession, url: str, data: dict) -> int | str:
        try:
            return (await post(session, url, data))[0]
        except (aiohttp.ClientError, ConnectionError) as error:
            return type(error).__name__
        except TimeoutError:
            return "timeout"

    async def run() -> tuple[list[int | str], dict]:
        timeout = aiohttp.ClientTimeout(total=0.3 if faults.rate_hang else 60)
        connector = aiohttp.TCPConnector(limit=limit)
        async with serve(faults) as server, aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            seen = await asyncio.gather(*(one(session, server.base_url, data) for data in bodies))
            async with session.get(f"{server.base_url}/stats") as response:
                return seen, await response.json()

    return asyncio.run(run())


class Turn(BaseModel):
    speaker: Literal["Customer", "Agent"]
    words: list[str] = Field(min_length=1, max_length=3)
    rating: int = Field(ge=1, le=5)
    share: float = Field(gt=0, lt=1)
    note: str | None
    urgent: bool
    pair: tuple[int, str]


class Tree(BaseModel):
    turn: Turn | int
    children: list[Tree]
    other: Tree | None


@pytest.mark.parametrize("model", [Turn, Tree])
@pytest.mark.parametrize("seed", range(20))
def test_a_schema_is_answered_by_a_valid_instance(model, seed):
    model.model_validate(instance(model.model_json_schema(), Random(seed)))


def test_an_answer_depends_on_the_messages_alone():
    assert completion(body("a")) == completion(body("a"))
    assert completion(body("a"))["choices"] != completion(body("b"))["choices"]
    two = completion(body("a", n=2))["choices"]
    assert two[0]["message"] != two[1]["message"]


def test_litellm_and_dspy_understand_it(call):
    import dspy

    from arf_programs.config.models import ModelConfig
    from arf_programs.models.calls.lm import build_lm

    class Rate(dspy.Signature):
        """Rate it."""

        text: str = dspy.InputField()
        turn: Turn = dspy.OutputField()

    with running_server() as server:
        config = ModelConfig(model="hosted_vllm/test", api_base=server.base_url, json_schema=True)
        with dspy.context(lm=build_lm(config, seed=1)):
            answer = call(dspy.Predict(Rate), text="fine")
        assert isinstance(answer.turn, Turn)
        assert server.stats()["answered"] == 1


def test_log_probabilities_are_of_yes_and_no():
    from arf_programs.programs.analysis.one_word import yes_probability

    choice = completion(body("so?", logprobs=True, top_logprobs=2))["choices"][0]
    probability = yes_probability(choice["logprobs"])
    assert (probability > 0.5) == (choice["message"]["content"] == "yes")


def test_usage_is_filled_in():
    usage = completion(body("x" * 400))["usage"]
    assert usage["prompt_tokens"] > 100
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_faults_come_at_their_rates_and_are_the_same_again():
    faults = Faults(rate_429=0.1, rate_500=0.1, rate_reset=0.1)
    bodies = [body(str(number)) for number in range(400)]
    seen, stats = statuses(faults, bodies, limit=20)
    assert seen == statuses(faults, bodies, limit=20)[0]
    dropped = sum(isinstance(status, str) for status in seen)
    found = [seen.count(429), seen.count(500), dropped, seen.count(200)]
    for count, rate in zip(found, (0.1, 0.1, 0.1, 0.7), strict=True):
        assert abs(count / 400 - rate) < 0.05, found
    assert stats["requests"] == stats["distinct"] == 400
    assert stats["answered"] == seen.count(200) and stats["in_flight"] == 0
    assert stats["by_status"]["reset"] == dropped


def test_a_request_may_never_be_answered():
    seen, stats = statuses(Faults(rate_hang=1), [body()])
    assert seen == ["timeout"]
    assert stats["by_status"] == {"hang": 1} and stats["answered"] == 0


def test_a_further_try_draws_anew():
    faults = Faults(rate_500=0.5)
    drawn = [faults.draw("digest", attempt)[0] for attempt in range(1, 40)]
    assert {None, "500"} == set(drawn)


def test_duplicates_are_requests_that_were_answered_before():
    _, stats = statuses(Faults(), [body("same")] * 5 + [body("other")], limit=1)
    assert (stats["requests"], stats["distinct"], stats["duplicates"]) == (6, 2, 4)


def test_slots_make_the_others_queue():
    began = time.perf_counter()
    seen, stats = statuses(Faults(latency=0.05, slots=2), [body(str(number)) for number in range(8)])
    assert time.perf_counter() - began >= 4 * 0.05
    assert seen == [200] * 8
    assert stats["peak_in_flight"] == 8


def test_requests_beyond_the_minute_are_refused_with_the_time_to_wait():
    async def run() -> list[tuple[int, dict, dict]]:
        async with serve(Faults(rpm=3)) as server, aiohttp.ClientSession() as session:
            return [await post(session, server.base_url, body(str(number))) for number in range(4)]

    *good, (status, headers, _) = asyncio.run(run())
    assert [one[0] for one in good] == [200, 200, 200]
    assert good[0][1]["x-ratelimit-limit-requests"] == "3"
    assert good[0][1]["x-ratelimit-remaining-requests"] == "2"
    assert status == 429 and 1 <= int(headers["Retry-After"]) <= 20


def test_retry_after_is_sent_where_it_is_configured():
    async def run(faults: Faults) -> dict:
        async with serve(faults) as server, aiohttp.ClientSession() as session:
            return (await post(session, server.base_url, body()))[1]

    assert asyncio.run(run(Faults(rate_429=1, retry_after=0.5)))["Retry-After"] == "0.5"
    assert "Retry-After" not in asyncio.run(run(Faults(rate_429=1)))


def test_a_limit_refills_steadily():
    now = [0.0]
    bucket = Bucket(60, lambda: now[0])
    assert bucket.take(60) == 0
    assert bucket.take(2) == pytest.approx(2)
    now[0] = 2
    assert bucket.take(2) == 0


def test_it_is_a_command_and_starts_anew_on_reset():
    async def run(url: str) -> list[dict]:
        async with aiohttp.ClientSession() as session:
            await post(session, url, body())
            async with session.get(url.replace("/v1", "/requests")) as response:
                counted = await response.json()
            async with session.post(url.replace("/v1", "/reset")) as response:
                return [*counted, await response.json()]

    command = [sys.executable, str(BENCH / "model_server.py"), "--latency", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            counted, after = asyncio.run(run(process.stdout.readline().strip()))
        finally:
            process.terminate()
    assert counted["count"] == 1 and len(counted["digest"]) == 64
    assert after["requests"] == 0


def test_each_fault_is_an_option():
    faults, port = parse(
        ["--port", "8001", "--rate-429", "0.1", "--retry-after", "2", "--slots", "8", "--rpm", "60", "--seed", "3"]
    )
    assert port == 8001
    assert faults == Faults(rate_429=0.1, retry_after=2, slots=8, rpm=60, seed=3)


def test_a_body_that_is_no_json_is_refused():
    async def run() -> int:
        async with (
            serve() as server,
            aiohttp.ClientSession() as session,
            session.post(f"{server.base_url}/chat/completions", data=b"{") as response,
        ):
            return response.status

    assert asyncio.run(run()) == 400


def test_batches_are_listed_newest_first_by_pages_and_can_be_cancelled():
    async def run() -> None:
        async with serve(Faults(batch_delay=60)) as server, aiohttp.ClientSession(server.base_url + "/") as session:

            async def ask(method: str, path: str, **more) -> dict:
                async with session.request(method, path, **more) as response:
                    return await response.json()

            for number in range(3):
                line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body(str(number))}
                form = aiohttp.FormData({"purpose": "batch"})
                form.add_field("file", json.dumps(line).encode(), filename="batch.jsonl")
                file = await ask("POST", "files", data=form)
                created = await ask("POST", "batches", json={"input_file_id": file["id"]})
                assert created["status"] == "validating"
            page = await ask("GET", "batches", params={"limit": "2"})
            assert page["has_more"] and page["data"][0]["id"] == created["id"]
            rest = await ask("GET", "batches", params={"limit": "2", "after": page["last_id"]})
            assert not rest["has_more"] and len(rest["data"]) == 1
            cancelled = await ask("POST", f"batches/{created['id']}/cancel")
            assert cancelled["status"] == "cancelled" and cancelled["output_file_id"] is None
            async with session.get(f"files/{cancelled['error_file_id']}/content") as response:
                assert "batch_cancelled" in await response.text()
            assert server.stats()["answered"] == 0 and server.stats()["requests"] == 3

    asyncio.run(run())

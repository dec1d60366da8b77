"""Batch mode: calls gathered into the provider's batch jobs, against the model server."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from model_server import ModelServer, serve
from model_server_faults import Faults
from pydantic import BaseModel
from warm_python import PROCESSES

from arf_programs.config.models import BatchConfig, ModelConfig
from arf_programs.models.batch.client import BatchClient
from arf_programs.models.batch.lines import BatchJournal, chunk, key_of_line
from arf_programs.models.batch.sender import BatchSender
from arf_programs.models.providers.litellm import import_litellm
from signatures.exceptions import ConfigError

MODEL = "hosted_vllm/test"
QUICK = {"quiet": 0.05, "poll": 0.05}


class Verdict(BaseModel):
    supported: Literal["yes", "no"]
    turns: list[int]


def request(text: str, **more: Any) -> dict[str, Any]:
    """What DSPy hands to `litellm.acompletion`."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "temperature": 0.0, **more}


def text_of(response: Any) -> str:
    return response.choices[0].message.content


async def sent_until_it_passes(sender: BatchSender, text: str, **options: Any) -> Any:
    """The answer of the first batch that has one."""
    litellm = import_litellm()
    while True:
        with suppress(litellm.InternalServerError, litellm.Timeout):
            return await sender.send(request(text), **options)


class Bench:
    """A server, a journal's path, and senders over them."""

    def __init__(self, server: ModelServer, path: Path) -> None:
        self.server = server
        self.path = path

    def sender(self, **settings: Any) -> BatchSender:
        client = BatchClient(settings.pop("model", MODEL), api_base=self.server.base_url, api_key="sk-secret")
        return BatchSender(client, BatchJournal(self.path), BatchConfig(**{**QUICK, **settings}))

    def most_often(self) -> int:
        """How often the request that was sent most often was sent."""
        return max(self.server.requests().values())


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """Runs `work(bench)` beside a server with some faults."""

    def run(work: Callable[[Bench], Awaitable[Any]], **faults: Any) -> Any:
        async def serving() -> Any:
            async with serve(Faults(**faults)) as server:
                return await asyncio.wait_for(work(Bench(server, tmp_path / "batches.jsonl")), 60)

        return asyncio.run(serving())

    return run


def jobs(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("model", ["hosted_vllm/test", "openai/gpt-4o-mini"])
def test_a_batch_says_and_answers_what_a_live_call_does(run, model):
    litellm = import_litellm()

    async def work(bench: Bench) -> None:
        asked = request(
            "so?",
            model=model,
            max_tokens=50,
            seed=3,
            n=2,
            response_format=Verdict,
            api_base=bench.server.base_url,
            api_key="sk-secret",
            timeout=9,
            num_retries=0,
            cache={"no-cache": True, "no-store": True},
            extra_headers={"x-team": "care"},
            extra_body={"priority": 3},
        )
        live = await litellm.acompletion(**asked)
        batched = await bench.sender(model=model).send(asked)
        assert bench.most_often() == 2 and len(bench.server.requests()) == 1
        assert [choice.message.content for choice in batched.choices] == [c.message.content for c in live.choices]
        assert batched.usage == live.usage
        Verdict.model_validate_json(text_of(batched))

    run(work)


def test_calls_go_in_batches_within_the_limits(run):
    async def work(bench: Bench) -> None:
        sender = bench.sender(max_requests=10)
        answers = await asyncio.gather(*(sender.send(request(f"row {number}")) for number in range(25)))
        assert len({text_of(answer) for answer in answers}) == 25
        assert bench.server.stats()["batches"] == 3
        assert bench.most_often() == 1
        assert sorted(len(job["keys"]) for job in jobs(bench.path) if job["state"] == "uploaded") == [5, 10, 10]

    run(work, batch_limit=10, batch_delay=0.1)


def test_a_chunk_is_bounded_by_its_size_and_never_empty():
    sizes = [("a", 400), ("b", 400), ("c", 400)]
    assert list(chunk(sizes, 10, 900)) == ["a", "b"]
    assert list(chunk(sizes, 10, 100)) == ["a"]
    assert list(chunk(sizes, 2, 10**6)) == ["a", "b"]


def test_no_more_batches_are_under_way_than_allowed(run):
    async def work(bench: Bench) -> None:
        sender = bench.sender(max_requests=2, max_batches=1)
        await asyncio.gather(*(sender.send(request(f"row {number}")) for number in range(6)))
        states = [job["state"] for job in jobs(bench.path)]
        assert states == ["uploaded", "submitted", "done"] * 3

    run(work)


def test_failed_and_expired_lines_are_sent_again_and_no_others(run):
    async def work(bench: Bench) -> None:
        sender = bench.sender()
        answers = await asyncio.gather(*(sent_until_it_passes(sender, f"row {number}") for number in range(60)))
        assert len({text_of(answer) for answer in answers}) == 60
        stats = bench.server.stats()
        assert stats["duplicates"] == 0 and stats["answered"] == 60
        assert stats["requests"] > 80

    run(work, batch_errors=0.25, batch_expired=0.25)


@pytest.mark.parametrize(("fault", "error"), [("batch_errors", "InternalServerError"), ("batch_expired", "Timeout")])
def test_a_call_that_fails_every_time_raises_what_a_live_call_would(run, fault, error):
    litellm = import_litellm()

    async def work(bench: Bench) -> None:
        with pytest.raises(getattr(litellm, error), match="in a batch"):
            await bench.sender().send(request("row"))
        assert bench.most_often() == 1

    run(work, **{fault: 1})


def test_a_batch_that_the_provider_refuses_is_an_error_with_its_reason(run):
    litellm = import_litellm()

    async def work(bench: Bench) -> None:
        sender = bench.sender()
        calls = (sender.send(request(f"row {number}")) for number in range(3))
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, litellm.BadRequestError)
            assert "more than 2 requests" in str(error)

    run(work, batch_limit=2)


def test_batches_wait_for_room_at_the_provider(run):
    async def work(bench: Bench) -> None:
        sender = bench.sender(max_requests=5)
        answers = await asyncio.gather(*(sender.send(request(f"row {number}")) for number in range(30)))
        assert len({text_of(answer) for answer in answers}) == 30
        assert bench.server.stats()["batches"] > 6 and bench.most_often() == 1

    run(work, batch_queue=10, batch_delay=1)


@pytest.mark.parametrize("fault", ["rate_500", "rate_reset"])
def test_a_provider_that_does_not_answer_fails_the_calls_as_a_live_one(run, monkeypatch, fault):
    litellm = import_litellm()
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    error = {"rate_500": litellm.InternalServerError, "rate_reset": litellm.APIConnectionError}[fault]

    async def work(bench: Bench) -> None:
        calls = (bench.sender().send(request(f"row {number}")) for number in range(2))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in found] == [error, error]

    run(work, **{fault: 1})


def test_chained_calls_go_as_waves(run):
    async def work(bench: Bench) -> None:
        sender = bench.sender(quiet=0.5)

        async def row(number: int) -> str:
            text = f"row {number}"
            for _ in range(3):
                text = text_of(await sender.send(request(text)))
            return text

        assert len(set(await asyncio.gather(*(row(number) for number in range(12))))) == 12
        assert bench.server.stats()["batches"] == 3
        assert bench.most_often() == 1

    run(work, batch_delay=0.1)


def test_a_program_gives_the_same_answer_as_live(run, call, monkeypatch):
    import dspy

    from arf_programs.models.calls.lm import build_lm

    class Judge(dspy.Signature):
        """Judge it."""

        text: str = dspy.InputField()
        verdict: Verdict = dspy.OutputField()

    def answer(server: ModelServer) -> Verdict:
        config = ModelConfig(model=MODEL, api_base=server.base_url, json_schema=True)
        with dspy.context(lm=build_lm(config, seed=1)):
            return call(dspy.Predict(Judge), text="fine").verdict

    async def work(bench: Bench) -> None:
        live = await asyncio.to_thread(answer, bench.server)
        shutil.rmtree(bench.path.parent / "calls")
        sender = bench.sender()
        monkeypatch.setattr("litellm.acompletion", lambda **request: sender.send(request))
        assert await asyncio.to_thread(answer, bench.server) == live
        assert bench.server.stats()["batches"] == 1
        assert list(bench.server.requests().values()) == [2]

    run(work)


def test_the_same_call_at_the_same_time_is_sent_once_and_a_key_tells_samples_apart(run):
    async def work(bench: Bench) -> None:
        sender = bench.sender()
        first, second = await asyncio.gather(sender.send(request("a")), sender.send(request("a")))
        assert text_of(first) == text_of(second) and first is not second
        assert bench.server.stats()["requests"] == 1
        await asyncio.gather(*(sender.send(request("b"), key=f"{number:064x}") for number in range(2)))
        assert bench.server.stats()["requests"] == 3

    run(work)


async def killed(sender: BatchSender, texts: list[str], when: Callable[[], bool]) -> None:
    """A run that dies at a moment, with all its tasks."""
    before = asyncio.all_tasks()
    rows = [asyncio.create_task(sender.send(request(text))) for text in texts]
    while not when():
        await asyncio.sleep(0.005)
    ours = [task for task in asyncio.all_tasks() - before if task in rows or "Batch" in repr(task)]
    for task in ours:
        task.cancel()
    await asyncio.gather(*ours, return_exceptions=True)
    sender.journal.close()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("state", ["uploaded", "submitted", "done"])
def test_a_killed_run_finds_its_jobs_again(run, state):
    """It dies when the journal says so; the provider may have heard more than that."""
    texts = [f"row {number}" for number in range(8)]

    async def work(bench: Bench) -> None:
        def reached() -> bool:
            return bench.path.exists() and any(job["state"] == state for job in jobs(bench.path))

        await killed(bench.sender(max_requests=4), texts, reached)
        sender = bench.sender(max_requests=4)
        answers = await asyncio.gather(*(sender.send(request(text)) for text in [*texts, "one more"]))
        assert len({text_of(answer) for answer in answers}) == 9
        assert bench.most_often() == 1
        assert bench.server.stats()["requests"] == 9

    run(work, batch_delay=0.2)


def _send_eight(base: str, path: Path) -> None:
    """Send the requests of eight rows, in a process of its own."""
    settings = BatchConfig(quiet=0.05, poll=0.05, max_requests=4)
    sender = BatchSender(BatchClient("hosted_vllm/test", api_base=base), BatchJournal(path), settings)

    async def send() -> None:
        await asyncio.gather(*(sender.send(request(f"row {number}")) for number in range(8)))

    asyncio.run(send())


def test_no_call_is_sent_twice_after_sigkill(run):
    async def work(bench: Bench) -> None:
        child = PROCESSES.Process(target=_send_eight, args=(bench.server.base_url, bench.path))
        child.start()
        while not bench.server.stats()["batches"]:
            assert child.exitcode is None
            await asyncio.sleep(0.001)
        child.kill()
        child.join()
        sender = bench.sender(max_requests=4)
        await asyncio.gather(*(sender.send(request(f"row {number}")) for number in range(8)))
        assert bench.server.stats()["requests"] == 8 and bench.most_often() == 1

    run(work, batch_delay=0.3)


@pytest.mark.parametrize("heard", [True, False])
def test_a_run_that_died_between_upload_and_answer_looks_whether_its_batch_exists(run, heard):
    async def work(bench: Bench) -> None:
        sender = bench.sender()
        client = sender.client
        body = client.body_of(request("row"))
        key = key_of_line(client.api_base, body)
        line = json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})
        file_id = await client.upload([line.encode() + b"\n"])
        sender.journal.record_upload(file_id, client.model, client.api_base, (key,))
        if heard:
            await client.submit(file_id, may_exist=False)
        answer = await bench.sender().send(request("row"))
        assert text_of(answer)
        assert bench.server.stats()["batches"] == 1 and bench.most_often() == 1

    run(work)


def test_answers_on_disk_need_no_server(run):
    async def first(bench: Bench) -> str:
        bench.server.base_url = "http://127.0.0.1:9/v1" if bench.path.exists() else bench.server.base_url
        return text_of(await bench.sender().send(request("row"), key="a" * 64))

    async def again(bench: Bench) -> str:
        bench.path.write_text(bench.path.read_text().replace(jobs(bench.path)[0]["api_base"], bench.server.base_url))
        answer = text_of(await bench.sender().send(request("row"), key="a" * 64))
        assert bench.server.stats()["requests"] == 0 and not bench.server.batches.calls
        return answer

    assert run(first) == run(again)


def test_a_job_of_another_endpoint_is_not_waited_for(run):
    async def work(bench: Bench) -> None:
        BatchJournal(bench.path).record_upload("file-elsewhere", MODEL, "http://127.0.0.1:9/v1", ("a" * 64,))
        await bench.sender().send(request("row"), key="a" * 64)
        assert bench.server.stats()["requests"] == 1
        assert [job["state"] for job in jobs(bench.path)] == ["uploaded", "uploaded", "submitted", "done"]

    run(work)


def test_a_batch_that_the_provider_has_forgotten_is_sent_anew(run):
    async def work(bench: Bench) -> None:
        journal = BatchJournal(bench.path)
        journal.record_submission(
            journal.record_upload("file-1", MODEL, bench.server.base_url, ("a" * 64,)), "batch_gone"
        )
        await sent_until_it_passes(bench.sender(), "row", key="a" * 64)
        assert bench.server.stats()["requests"] == 1
        assert [job["state"] for job in jobs(bench.path)][2:] == ["lost", "uploaded", "submitted", "done"]

    run(work)


def test_a_troubled_provider_gets_no_call_twice(run, monkeypatch):
    """A reset comes after the server has heard: what it was told must not be told again."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("arf_programs.models.batch.client._WAIT", 0.01)

    async def work(bench: Bench) -> None:
        sender = bench.sender(max_requests=2)
        await asyncio.gather(*(sender.send(request(f"row {number}")) for number in range(40)))
        assert bench.server.stats()["requests"] == 40 and bench.most_often() == 1
        create = "POST /v1/batches"
        drawn = [bench.server.faults.draw(create, n + 1)[0] for n in range(bench.server.batches.calls[create])]
        assert "reset" in drawn

    run(work, rate_429=0.05, rate_500=0.05, rate_reset=0.15, batch_delay=0.1)


def test_a_call_costs_the_discounted_price(run):
    async def work(bench: Bench) -> None:
        model = "openai/gpt-4o-mini"
        prices = []
        for discount in (1.0, 0.5):
            sender = bench.sender(model=model, discount=discount)
            response = await sender.send(request("row", model=model), key=f"{discount:064.0f}{discount}")
            prices.append(response._hidden_params["response_cost"])
        assert prices[0] > 0 and prices[1] == pytest.approx(prices[0] / 2)
        unpriced = await bench.sender(model="hosted_vllm/unpriced").send(request("row"))
        assert unpriced._hidden_params.get("response_cost") is None

    run(work)


def test_the_journal_holds_no_key_and_no_prompt_and_results_are_fetched_once(run):
    async def work(bench: Bench) -> None:
        await bench.sender().send(request("the secret recipe"))
        await asyncio.sleep(0.2)
        written = "".join(path.read_text() for path in bench.path.parent.rglob("*") if path.is_file())
        assert "sk-secret" not in written and "secret recipe" not in written
        fetched = {call: count for call, count in bench.server.batches.calls.items() if call.endswith("/content")}
        assert list(fetched.values()) == [1]

    run(work)


def test_a_half_written_line_of_the_journal_costs_that_line_alone(tmp_path):
    journal = BatchJournal(tmp_path / "batches.jsonl")
    journal.record_upload("file-1", MODEL, None, ("a" * 64,))
    journal.close()
    with (tmp_path / "batches.jsonl").open("a") as file:
        file.write('{"file_id": "file-2", "sta')
    again = BatchJournal(tmp_path / "batches.jsonl")
    assert again.job_of("a" * 64, MODEL, None).file_id == "file-1"
    again.record_upload("file-3", MODEL, None, ("b" * 64,))
    assert BatchJournal(tmp_path / "batches.jsonl").job_of("b" * 64, MODEL, None).file_id == "file-3"


def test_one_sender_serves_one_event_loop_after_another(tmp_path):
    """Each stage runs a loop of its own; what an interrupted one leaves behind is no hindrance."""
    from model_server import running_server

    with running_server() as server:
        sender = Bench(server, tmp_path / "batches.jsonl").sender()
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(sender.send(request("a")), 0.01))
        assert text_of(asyncio.run(sender.send(request("a"))))
        assert text_of(asyncio.run(sender.send(request("b"))))


def test_batch_mode_is_refused_where_there_is_no_batch_api():
    with pytest.raises(ValueError, match="leave out"):
        ModelConfig(model="embedded/smollm2-135m", mode="batch")
    with pytest.raises(ConfigError, match="batch mode speaks OpenAI's batch API"):
        BatchClient("anthropic/claude-sonnet-4-5")


GOOD = {"id": "1", "created": 1, "model": "m", "object": "chat.completion"} | {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]
}
ODD_RESULTS: dict[str, Any] = {
    "no choices": {"status_code": 200, "body": {**GOOD, "choices": []}},
    "choices of texts": {"status_code": 200, "body": {**GOOD, "choices": ["yes"]}},
    "choices as text": {"status_code": 200, "body": {**GOOD, "choices": "yes"}},
    "choices as number": {"status_code": 200, "body": {**GOOD, "choices": 5}},
    "message as text": {"status_code": 200, "body": {**GOOD, "choices": [{"message": "yes"}]}},
    "body as text": {"status_code": 200, "body": "<html>"},
    "body as list": {"status_code": 500, "body": [1]},
    "status as text": {"status_code": "many", "body": GOOD},
    "status as list": {"status_code": [200], "body": GOOD},
    "response as text": "none",
    "response as list": [1],
    "error as list": {"status_code": 400, "body": {"error": ["no"]}},
    "nothing": None,
}


class OddClient:
    """A provider whose first batch has the odd `lines`, and whose second one answers."""

    model, api_base, provider = MODEL, "http://127.0.0.1/v1", "hosted_vllm"

    def __init__(self, lines: Callable[[str], bytes]) -> None:
        self.lines, self.keys = lines, list[str]()

    def body_of(self, request: Any) -> Any:
        return dict(request)

    async def upload(self, lines: list[bytes]) -> str:
        self.keys.append(json.loads(lines[0])["custom_id"])
        return f"file-{len(self.keys)}"

    async def submit(self, file_id: str, *, may_exist: bool) -> str:
        return f"batch-{file_id}"

    async def retrieve(self, batch_id: str) -> Any:
        return SimpleNamespace(id=batch_id, status="completed")

    async def download(self, batch: Any) -> bytes:
        good = {"custom_id": self.keys[-1], "response": {"status_code": 200, "body": GOOD}}
        return self.lines(self.keys[-1]) if batch.id == "batch-file-1" else json.dumps(good).encode() + b"\n"


async def asked_twice(client: Any, path: Path) -> tuple[Exception, Any]:
    """The error of a first call, and the answer to a second one, in batches of the client."""
    sender = BatchSender(client, BatchJournal(path), BatchConfig(**QUICK))
    with pytest.raises(import_litellm().exceptions.openai.APIError) as failed:
        await asyncio.wait_for(sender.send(request("so?")), 20)
    return failed.value, await asyncio.wait_for(sender.send(request("so?")), 20)


@pytest.mark.parametrize("kind", ODD_RESULTS)
def test_an_odd_result_of_a_batch_fails_its_call_and_is_asked_again(tmp_path, kind):
    client = OddClient(lambda key: json.dumps({"custom_id": key, "response": ODD_RESULTS[kind]}).encode() + b"\n")
    error, answer = asyncio.run(asked_twice(client, tmp_path / "batches.jsonl"))
    assert "in a batch: " in str(error)
    assert text_of(answer) == "Yes." and len(client.keys) == 2


@pytest.mark.parametrize("line", [b"<html>", b"[1]", b"5", b"\xff\xfe{", b"[" * 100_000, b'{"custom_id": null}'])
def test_a_result_line_that_cannot_be_read_is_as_good_as_none(tmp_path, line):
    client = OddClient(lambda key: line + b"\n")
    error, answer = asyncio.run(asked_twice(client, tmp_path / "batches.jsonl"))
    assert "the results lack this request" in str(error)
    assert text_of(answer) == "Yes."


@pytest.mark.parametrize("usage", [None, "many", [1], {"prompt_tokens": "many"}, {"prompt_tokens": -1}])
def test_odd_usage_in_a_batch_leaves_the_answer_usable(tmp_path, usage):
    body = {**GOOD, "usage": usage}
    client = OddClient(
        lambda key: json.dumps({"custom_id": key, "response": {"status_code": 200, "body": body}}).encode()
    )
    sender = BatchSender(client, BatchJournal(tmp_path / "batches.jsonl"), BatchConfig(**QUICK))  # type: ignore[arg-type]
    assert text_of(asyncio.run(asyncio.wait_for(sender.send(request("so?")), 20))) == "Yes."

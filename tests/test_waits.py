"""The pause that an endpoint asks for, as it arrives through LiteLLM's exceptions."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from conftest import write_corpus
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.models.calls.refusals import asked_pause, canonical_error
from arf_programs.models.providers.litellm import import_litellm

PROVIDERS = (
    "hosted_vllm", "openai", "groq", "deepseek", "mistral", "openrouter", "together_ai", "anthropic", "gemini", "azure",
)  # fmt: skip
AHEAD = 3600  # the server's clock is an hour ahead


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + AHEAD + seconds, UTC).isoformat().replace("+00:00", "Z")


def refused(headers: dict[str, str], model: str = "hosted_vllm/m", message: str = "slow down") -> float | None:
    """The pause that is read from the refusal of a server with these headers."""

    async def refuse(request: web.Request) -> web.Response:
        dated = {"Date": formatdate(time.time() + AHEAD, usegmt=True), **headers}
        return web.json_response({"error": {"message": message, "code": 429}}, status=429, headers=dated)

    async def run() -> float | None:
        server = web.Application()
        server.router.add_post("/{path:.*}", refuse)
        runner = web.AppRunner(server, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        given: dict[str, Any] = {"api_version": "2024-10-21"} if model.startswith("azure") else {}
        try:
            await import_litellm().acompletion(
                model=model, messages=[{"role": "user", "content": "hi"}], api_key="sk-1", max_retries=0, num_retries=0,
                api_base=f"http://127.0.0.1:{runner.addresses[0][1]}/v1", **given,
            )  # fmt: skip
        except Exception as error:
            seconds: float | None = canonical_error(error, model).retry_after  # type: ignore[attr-defined]
            return seconds
        finally:
            await runner.cleanup()
        raise AssertionError("it was not refused")

    return asyncio.run(run())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refusal_of_every_provider_says_its_pause(provider):
    assert refused({"Retry-After": "7"}, f"{provider}/m") == 7


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "300"}, 0.3),
        ({"retry-after-ms": "300", "Retry-After": "1"}, 0.3),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "1000000000"}, 1e9),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "7 seconds"}, 7),
        ({"Retry-After": "1m30s"}, 90),
        ({"Retry-After": "1e400"}, None),
        ({"Retry-After": "-1", "x-ratelimit-reset-requests": "4s"}, 4),
        ({"Retry-After": "0", "x-ratelimit-reset-requests": "4s"}, None),
        ({"retry-after-ms": "x", "Retry-After": "3"}, 3),
        ({"x-ms-retry-after-ms": "2500"}, 2.5),
        ({"x-ratelimit-reset": "9"}, 9),
        ({"RateLimit-Reset": "12"}, 12),
        ({"RateLimit": '"default";r=0;t=13'}, 13),
        ({"RateLimit": "limit=100, remaining=0, reset=13"}, 13),
        ({"x-ratelimit-reset-requests-day": "1 minute 30 seconds"}, 90),
        ({"x-ratelimit-reset-requests": "1s"}, 1),
        ({"x-ratelimit-reset-requests": "20ms", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-reset-requests": "2s", "x-ratelimit-remaining-requests": "0",
          "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "900"}, 2),
        ({"x-rate-limit-reset": "9"}, 9),
        ({"X-Rate-Limit-Retry-After-Seconds": "9"}, 9),
        ({"x-ratelimit-timeremaining": "12"}, 12),
        ({}, None),
    ],
)  # fmt: skip
def test_every_form_of_a_pause_is_read(headers, seconds):
    assert refused(headers) == (None if seconds is None else pytest.approx(seconds))


class RefusalError(Exception):
    """A refusal with its headers where LiteLLM keeps them."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("slow down")
        self.litellm_response_headers = headers


FORMS = (
    *("90", "+90", "90.", "90.0", '"90"', "90s", "90 sec", "1m30s", "in 90s", "1 min 30 sec", "1 minute, 30 seconds"),
    *("1 minute and 30 seconds", "PT90S", "PT1M30S", "P0DT0H1M30S", "00:01:30", "90, 90", "90;comment=busy"),
)
DATES = ("%A, %d-%b-%y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S +0000", "%Y-%m-%d %H:%M:%S UTC")


@pytest.mark.parametrize(
    "header",
    [
        *("Retry-After", "retry_after", "X-Retry-After", "Retry-After-Seconds", "X-RateLimit-Retry-After"),
        *("x-ms-retry-after", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset", "x-ratelimit-reset-after"),
        *("x-ratelimit-reset-requests-day", "x-ratelimit-timeremaining", "anthropic-ratelimit-input-tokens-reset"),
    ],
)
def test_any_header_of_a_pause_may_have_any_form(header):
    moment = datetime.now(UTC) + timedelta(seconds=90)
    microseconds = str(int(moment.timestamp() * 1e6))
    for form in (*FORMS, microseconds, *(moment.strftime(date) for date in DATES)):
        assert asked_pause(RefusalError({header: form})) == pytest.approx(90, abs=2), form


def test_the_limit_that_is_used_up_decides():
    several = '"minute";r=0;t=12, "hour";r=50;t=3000'
    assert asked_pause(RefusalError({"RateLimit": several})) == 12
    assert asked_pause(RefusalError({"RateLimit": several, "RateLimit-Policy": '"minute";q=9;w=60'})) == 12


def test_dates_are_those_of_the_servers_clock():
    date = formatdate(time.time() + AHEAD + 30, usegmt=True)
    assert refused({"Retry-After": date}) == pytest.approx(30, abs=2)
    assert refused({"Retry-After": formatdate(time.time() + AHEAD - 30, usegmt=True)}) is None
    assert refused({"anthropic-ratelimit-tokens-reset": iso(30)}, "anthropic/m") == pytest.approx(30, abs=2)
    assert refused({"anthropic-ratelimit-tokens-reset": iso(-30)}, "anthropic/m") is None


@pytest.mark.parametrize("name", ["Retry-After", "x-ratelimit-reset", "anthropic-ratelimit-unified-reset"])
def test_a_moment_is_read_in_every_way_of_writing_it(name):
    now = time.time() + AHEAD
    at = datetime.fromtimestamp(now + 30, UTC)
    for form in (str(int(now + 30)), str(int((now + 30) * 1000)), iso(30), at.strftime("%a %b %d %H:%M:%S %Y")):
        assert refused({name: form}) == pytest.approx(30, abs=2), form


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 1m2.5s.", 62.5),
        ("Requests have exceeded the limit. Please retry after 12 seconds.", 12),
        ("Please retry in 26.5s", 26.5),
        ("Try again in 20 minutes", 1200),
        ("Please wait for 3 seconds before the next request", 3),
        ("Your rate limit resets in ~30s.", 30),
        ("Your quota will reset after 12s.", 12),
        ("Please retry in about 5 seconds", 5),
        ("Model is loading', 'estimated_time': 20.5}", 20.5),
        ('slow down, "retry_after": 1.5, "global": false', 1.5),
        ('slow down, "retryAfterMs": "2500"}', 2.5),
        ("Retry-After: 12", 12),
        ("{'retry_after': '7s', 'scope': 'shared'}", 7),
        ("Try again in 1 hr", 3600),
        ("Try again in 00:01:30", 90),
        ("Try again in 1,200 seconds", 1200),
        ("Try again in 3 minutes and 20 seconds", 200),
        ("Please try your request again in 45 seconds", 45),
        ("Retry your request within 10 seconds", 10),
        ("Wait for up to 20 seconds", 20),
        ("It failed. Try again in a few seconds", None),
        ("the answer of 'retry_after': 0, no pause", None),
        ("Retry after 2024 was over", None),
        ("Do not wait 3 more months", None),
    ],
)
def test_a_pause_in_the_text_of_a_refusal_is_read(message, seconds):
    assert refused({}, message=message) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("words", ["Your limit will reset at", "Please try again after"])
def test_a_moment_in_the_text_of_a_refusal_is_read(words):
    moment = datetime.fromtimestamp(time.time() + 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert asked_pause(Exception(f"{words} {moment}.")) == pytest.approx(30, abs=2)


def test_a_reset_in_the_body_of_a_refusal_is_read():
    at = int((time.time() + 30) * 1000)
    message = f"limited, 'metadata': {{'headers': {{'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '{at}'}}}}"
    assert refused({}, message=message) == pytest.approx(30, abs=2)


def test_no_call_is_sent_while_the_endpoint_has_asked_for_a_pause(tmp_path):
    """One call at a time: the other row does not take the place of the one that waits."""
    import threading

    times: list[float] = []
    ready = threading.Event()
    place: list[str] = []
    loop = asyncio.new_event_loop()

    async def complete(request: web.Request) -> web.Response:
        times.append(time.monotonic())
        if len(times) == 1:
            return web.json_response({"error": {"message": "no"}}, status=429, headers={"retry-after-ms": "600"})
        message = {"role": "assistant", "content": json.dumps({"summary": "The kettle broke."})}
        return web.json_response({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]})

    async def start() -> None:
        server = web.Application()
        server.router.add_post("/{path:.*}", complete)
        runner = web.AppRunner(server, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        place.append(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        ready.set()

    def serve() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    write_corpus(tmp_path / "conversations.jsonl", 2)
    (tmp_path / "arf.yaml").write_text(
        f"run_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        f"models: {{teacher: {{model: hosted_vllm/m, api_base: '{place[0]}', concurrency: 1}}}}\n"
    )
    try:
        result = CliRunner().invoke(app, ["draft", str(tmp_path / "arf.yaml")])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
    assert result.exit_code == 0, result.output
    assert times[1] - times[0] >= 0.55

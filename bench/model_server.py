"""A server that speaks OpenAI's chat completions, files and batches, without a model: for benchmarks and tests.

    python bench/model_server.py --latency 0.2 --rate-429 0.1 --rate-500 0.05 --rate-reset 0.02 --rate-hang 0.01

It prints its base URL as the first line. Answers depend on the request alone; faults are drawn by `--seed`. `GET
/v1/stats` counts requests, answers, duplicates and the peak in flight, `GET /v1/requests` counts by the digest of the
body, and `POST /v1/reset` starts anew. In tests: `with running_server(Faults(latency=0.1)) as server`, or `async with
serve(...)` in a loop that is running.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import math
import socket
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiohttp import web
from model_server_answers import Answer, Body, completion, digest_of, tokens_in
from model_server_batches import Batches
from model_server_faults import Bucket, Counts, Faults

FOREVER = 3600.0


class ModelServer:
    """The handlers and their counts. `base_url` ends in /v1, and is set once the server listens."""

    base_url: str = ""

    def __init__(self, faults: Faults, answer: Answer | None = None) -> None:
        self.faults = faults
        self.answer = answer
        self.slots = asyncio.Semaphore(faults.slots) if faults.slots else contextlib.nullcontext()
        self.batches = Batches(self)
        self.reset()

    def reset(self) -> None:
        """Forget all requests and batches; limits are full again."""
        self.counts = Counts()
        self.batches.forget()
        limits = (("requests", self.faults.rpm), ("tokens", self.faults.tpm))
        self.buckets = {kind: Bucket(limit) for kind, limit in limits if limit}

    def stats(self) -> dict[str, Any]:
        """What `GET /v1/stats` says."""
        return self.counts.stats()

    def requests(self) -> dict[str, int]:
        """How often each body was sent, by its digest."""
        return dict(self.counts.sent)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_get("/v1/models", self._models)
        self.batches.add_routes(app.router)
        for prefix in ("/v1", ""):
            app.router.add_get(f"{prefix}/stats", self._stats)
            app.router.add_get(f"{prefix}/requests", self._requests)
            app.router.add_post(f"{prefix}/reset", self._reset)
        return app

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """One chat completion, or the fault drawn for it."""
        try:
            body = json.loads(await request.read())
        except ValueError:
            return self.error(400, "the body is not JSON")
        digest = digest_of(body)
        attempt = self.counts.arrive(digest)
        self.counts.enter()
        try:
            return self._limited(body) or await self._work(request, body, digest, attempt)
        finally:
            self.counts.in_flight -= 1

    async def _work(self, request: web.Request, body: Body, digest: str, attempt: int) -> web.StreamResponse:
        fault, latency = self.faults.draw(digest, attempt)
        if time.monotonic() - self.counts.first < self.faults.outage_429:
            fault = "429"
        if fault == "429":
            after = self.faults.retry_after
            return self.error(429, "too many requests", {} if after is None else {"Retry-After": f"{after:g}"})
        if fault == "hang":
            self.counts.by_status["hang"] += 1
            await asyncio.sleep(FOREVER)
        async with self.slots:
            if latency:
                await asyncio.sleep(latency)
        if fault == "500":
            return self.error(500, "the server had an error")
        if fault == "reset":
            return self.cut(request)
        self.counts.answer(digest)
        return web.json_response(completion(body, self.answer), headers=self._headers())

    def _limited(self, body: Body) -> web.Response | None:
        """A 429 if a limit by the minute is exceeded."""
        if not self.buckets:
            return None
        tokens = tokens_in(json.dumps(body.get("messages"))) + int(body.get("max_tokens") or 0)
        wait = 0.0
        for kind, bucket in self.buckets.items():
            wait = max(wait, bucket.take(1 if kind == "requests" else tokens))
        if not wait:
            return None
        return self.error(
            429, "rate limit reached", {"Retry-After": str(math.ceil(wait)), "retry-after-ms": f"{wait * 1000:.0f}"}
        )

    def _headers(self) -> dict[str, str]:
        return {name: value for kind, bucket in self.buckets.items() for name, value in bucket.headers(kind).items()}

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
        """An error as OpenAI sends it, counted."""
        self.counts.by_status[str(status)] += 1
        kind = {429: "rate_limit_exceeded"}.get(status, "server_error" if status >= 500 else "invalid_request_error")
        error = {"error": {"message": message, "type": kind}}
        return web.json_response(error, status=status, headers={**self._headers(), **(headers or {})})

    def cut(self, request: web.Request) -> web.Response:
        """Drop the connection with a reset, not a polite end."""
        self.counts.by_status["reset"] += 1
        if request.transport is not None:
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        return web.Response(status=500)

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "test", "object": "model"}]})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _requests(self, _: web.Request) -> web.Response:
        return web.json_response([{"digest": digest, "count": count} for digest, count in self.requests().items()])

    async def _reset(self, _: web.Request) -> web.Response:
        self.reset()
        return web.json_response(self.stats())


@contextlib.asynccontextmanager
async def serve(faults: Faults = Faults(), answer: Answer | None = None, port: int = 0) -> AsyncIterator[ModelServer]:  # noqa: B008 - frozen
    """A server in this event loop, on this machine's own address; port 0 takes a free one."""
    server = ModelServer(faults, answer)
    # A client that goes away is no longer worked for, as with a real server behind a gateway.
    runner = web.AppRunner(server.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def running_server(faults: Faults = Faults(), answer: Answer | None = None) -> Iterator[ModelServer]:  # noqa: B008 - frozen
    """A server in a thread of its own, for code that runs event loops itself."""
    ready: threading.Event = threading.Event()
    state: dict[str, Any] = {}

    async def run() -> None:
        state["loop"], state["stop"] = asyncio.get_running_loop(), asyncio.Event()
        async with serve(faults, answer) as server:
            state["server"] = server
            ready.set()
            await state["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the model server did not start")
    try:
        yield state["server"]
    finally:
        state["loop"].call_soon_threadsafe(state["stop"].set)
        thread.join(10)


def parse(arguments: list[str]) -> tuple[Faults, int]:
    """Faults and port of a command line: one option for each field of Faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    for item in dataclasses.fields(Faults):
        kind = next(kind for kind in (float, int, str) if kind.__name__ in str(item.type))
        parser.add_argument(f"--{item.name.replace('_', '-')}", type=kind, default=item.default)
    values = vars(parser.parse_args(arguments))
    port = values.pop("port")
    return Faults(**values), port


async def main(arguments: list[str]) -> None:
    """Serve until interrupted."""
    faults, port = parse(arguments)
    async with serve(faults, port=port) as server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1:]))

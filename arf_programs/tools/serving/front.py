"""The server that callers of `arf serve` reach: it names the student, and asks the teacher where an answer is doubtful.

It stands before the server that has the weights. With a `Fallback` the doubt about each answer of the student is
measured, and a doubtful answer is replaced by the teacher's. All else is passed through as it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from arf_programs.corpus import parse_conversation
from arf_programs.text import read_user_text
from signatures.exceptions import ArfError, DataError, StageError
from signatures.records import Conversation

ANSWERED_BY, DOUBT = "x-arf-answered-by", "x-arf-doubt"
_LARGEST = 16 * 2**20  # bytes of a request
_PAUSE = 0.5  # seconds between two looks at the student's server
# Headers of one connection, and those that the copied body makes wrong.
_OF_THE_CONNECTION = {"connection", "content-encoding", "content-length", "date", "host", "server", "transfer-encoding"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fallback:
    """Measures how doubtful an answer is, and asks the teacher from the threshold on; without a threshold, never."""

    doubt: Callable[[Conversation, str], Awaitable[float]]
    teacher: Callable[[Conversation], Awaitable[str]]
    threshold: float | None


async def serve_front(
    names: Sequence[str],
    behind: str,
    *,
    host: str,
    port: int,
    process: subprocess.Popen[bytes],
    when_ready: Callable[[], None],
    fallback: Fallback | None = None,
) -> None:
    """Serve until this task is cancelled or `process`, the server at the address `behind`, ends.

    `names` are the models that are listed. `when_ready` is called once it listens. Raises StageError when the process
    ends by itself.
    """
    async with aiohttp.ClientSession(behind, timeout=aiohttp.ClientTimeout(total=None)) as session:
        runner = web.AppRunner(Front(names, session, fallback).application(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            when_ready()
            while process.poll() is None:
                await asyncio.sleep(_PAUSE)
        finally:
            await runner.cleanup()
    raise StageError(f"The server ended by itself (exit code {process.returncode}): its last words stand above.")


class Front:
    """Answers requests by the student's server, by the teacher, or itself (the list of models)."""

    def __init__(self, names: Sequence[str], session: aiohttp.ClientSession, fallback: Fallback | None = None) -> None:
        self._names = names
        self._session = session
        self._fallback = fallback

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST)
        application.router.add_get("/v1/models", self._models)
        if self._fallback is not None:
            application.router.add_post("/v1/chat/completions", self._chat)
        application.router.add_route("*", "/{path:.*}", self._pass)
        return application

    async def _models(self, request: web.Request) -> web.Response:
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": "arf"} for name in self._names]
        return web.json_response({"object": "list", "data": rows})

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """Pass a request and its answer through, piece by piece."""
        async with self._session.request(
            request.method, request.rel_url, headers=_kept(request.headers), data=await request.read()
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return await self._pass(request)
        asked = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
        async with self._session.post("/v1/chat/completions", json=asked) as answer:
            content = await answer.read()
            if answer.status != 200:
                return web.Response(status=answer.status, body=content, headers=_kept(answer.headers))
        completion: dict[str, Any] = json.loads(content)
        headers = await self._second_look(body, completion)
        if body.get("stream"):
            return await _stream(request, completion, headers)
        return web.json_response(completion, headers=headers)

    async def _second_look(self, body: Mapping[str, Any], completion: dict[str, Any]) -> dict[str, str]:
        """Put the teacher's answer into the completion if the student's answer is doubtful.

        Return headers that say so.
        """
        fallback = self._fallback
        conversation = _conversation(body)
        if fallback is None or conversation is None:
            return {ANSWERED_BY: "student"}
        message = completion["choices"][0]["message"]
        doubt = await fallback.doubt(conversation, str(message.get("content") or ""))
        headers = {DOUBT: f"{doubt:.3f}"}
        if fallback.threshold is None or doubt < fallback.threshold:
            return {ANSWERED_BY: "student", **headers}
        try:
            message["content"] = await fallback.teacher(conversation)
        except ArfError as error:
            _log.warning("The teacher gives no answer, so the student's stays: %s", error)
            return {ANSWERED_BY: "student; the teacher failed", **headers}
        completion["choices"][0]["finish_reason"] = "stop"
        completion.pop("usage", None)  # it is that of the student's answer
        return {ANSWERED_BY: "teacher", **headers}


def _conversation(body: Mapping[str, Any]) -> Conversation | None:
    """The conversation that a request asks to summarise; None for a request of another form."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    text = read_user_text(content) if isinstance(content, str) else None
    try:
        return None if text is None else parse_conversation(text)
    except DataError:
        return None


async def _stream(
    request: web.Request, completion: Mapping[str, Any], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send a whole answer as one event, since it has to be whole before it can be judged."""
    choice = completion["choices"][0]
    delta = {"role": "assistant", "content": choice["message"]["content"]}
    chunk = {
        "id": completion.get("id", ""),
        "object": "chat.completion.chunk",
        "created": completion.get("created", int(time.time())),
        "model": completion.get("model", ""),
        "choices": [{"index": 0, "delta": delta, "finish_reason": choice.get("finish_reason")}],
    }
    response = web.StreamResponse(headers={"content-type": "text/event-stream", **headers})
    await response.prepare(request)
    await response.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())
    await response.write_eof()
    return response


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION}

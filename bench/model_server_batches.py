"""Files and batches of the model server in OpenAI's form: uploaded JSONL is answered after a delay."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from model_server_answers import completion, digest_of

if TYPE_CHECKING:
    from model_server import ModelServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ENDED = ("completed", "expired", "failed", "cancelled")


@dataclass
class Batch:
    """A batch, its lines, and the fate of each line."""

    id: str
    input_file: str
    lines: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    began: float
    fates: list[str | None] = field(default_factory=list)
    status: str = "validating"
    output_file: str | None = None
    error_file: str | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """OpenAI's batch object."""
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": 0,
            "input_file_id": self.input_file,
            "status": self.status,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "output_file_id": self.output_file,
            "error_file_id": self.error_file,
            "request_counts": {"total": len(self.lines), "completed": 0, "failed": 0, **self.counts},
        }


class Batches:
    """The handlers of /v1/files and /v1/batches. The server's faults hit these requests, too, except for hangs."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.forget()

    def forget(self) -> None:
        """No file, no batch."""
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Batch] = {}
        self.calls: Counter[str] = Counter()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Make the handlers known."""
        router.add_post("/v1/files", self._guarded(self._upload))
        router.add_get("/v1/files/{id}/content", self._guarded(self._content))
        router.add_post("/v1/batches", self._guarded(self._create))
        router.add_get("/v1/batches", self._guarded(self._list))
        router.add_get("/v1/batches/{id}", self._guarded(self._retrieve))
        router.add_post("/v1/batches/{id}/cancel", self._guarded(self._cancel))

    def _guarded(self, handler: Handler) -> Handler:
        """Add faults: a 429 or 500 comes instead of the work, a reset after it, so that the client cannot know."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            call = f"{request.method} {request.path}"
            self.calls[call] += 1
            fault, _ = self.server.faults.draw(call, self.calls[call])
            if fault in ("429", "500"):
                return self.server.error(int(fault), "try again")
            response = await handler(request)
            return self.server.cut(request) if fault == "reset" else response

        return guarded

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        upload = form["file"]
        data = upload.file.read() if isinstance(upload, web.FileField) else str(upload).encode()
        return web.json_response(self._file(self._keep(data), len(data)))

    async def _content(self, request: web.Request) -> web.Response:
        data = self.files.get(request.match_info["id"])
        return self._missing("file") if data is None else web.Response(body=data)

    async def _create(self, request: web.Request) -> web.Response:
        name = (await request.json())["input_file_id"]
        if name not in self.files:
            return self._missing("file")
        lines = [json.loads(line) for line in self.files[name].splitlines() if line.strip()]
        batch = Batch(f"batch_{len(self.batches)}", name, lines, self._problems(lines), time.monotonic())
        self.batches[batch.id] = batch
        self.server.counts.batches += 1
        if not batch.errors:
            batch.fates = [self._fate(line["body"]) for line in lines]
        return self._reply(batch)

    async def _list(self, request: web.Request) -> web.Response:
        """Newest first, by pages."""
        names = list(reversed(self.batches))
        after, limit = request.query.get("after"), int(request.query.get("limit", 20))
        start = names.index(after) + 1 if after in names else 0
        page = [self._advanced(self.batches[name]).as_json() for name in names[start : start + limit]]
        more = len(names) > start + limit
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return web.json_response({"object": "list", "data": page, "has_more": more, **ends})

    async def _retrieve(self, request: web.Request) -> web.Response:
        return self._reply(self.batches.get(request.match_info["id"]))

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["id"])
        if batch is not None and self._advanced(batch).status not in ENDED:
            batch.fates = ["cancelled"] * len(batch.lines)
            self._finish(batch, "cancelled")
        return self._reply(batch)

    def _reply(self, batch: Batch | None) -> web.Response:
        return self._missing("batch") if batch is None else web.json_response(self._advanced(batch).as_json())

    def _missing(self, kind: str) -> web.Response:
        return self.server.error(404, f"no such {kind}")

    def _problems(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        limit = self.server.faults.batch_limit
        if len(lines) > limit:
            return [{"code": "too_many_requests", "message": f"more than {limit} requests", "line": None}]
        if len({line["custom_id"] for line in lines}) < len(lines):
            return [{"code": "duplicate_custom_id", "message": "a custom_id is used twice", "line": None}]
        queue = self.server.faults.batch_queue
        if queue and len(lines) + self._under_way() > queue:
            return [{"code": "token_limit_exceeded", "message": "enqueued token limit reached", "line": None}]
        return []

    def _under_way(self) -> int:
        going = (batch for batch in self.batches.values() if self._advanced(batch).status not in ENDED)
        return sum(len(batch.lines) for batch in going if not batch.errors)

    def _fate(self, body: dict[str, Any]) -> str | None:
        digest = digest_of(body)
        return self.server.faults.draw_line(digest, self.server.counts.arrive(digest))

    def _advanced(self, batch: Batch) -> Batch:
        """The batch with its status as of now."""
        age, delay = time.monotonic() - batch.began, self.server.faults.batch_delay
        if batch.status in ENDED:
            return batch
        if batch.errors:
            batch.status = "failed"
        elif age >= delay:
            self._finish(batch, "expired" if "expired" in batch.fates else "completed")
        elif age >= delay / 5:
            batch.status = "in_progress"
        return batch

    def _finish(self, batch: Batch, status: str) -> None:
        ended = [self._line(line, fate) for line, fate in zip(batch.lines, batch.fates, strict=True)]
        good = [line for line, fate in zip(ended, batch.fates, strict=True) if fate is None]
        bad = [line for line, fate in zip(ended, batch.fates, strict=True) if fate is not None]
        batch.output_file = self._keep(_jsonl(good)) if good else None
        batch.error_file = self._keep(_jsonl(bad)) if bad else None
        batch.counts = {"completed": len(good), "failed": len(bad)}
        batch.status = status

    def _line(self, line: dict[str, Any], fate: str | None) -> dict[str, Any]:
        response, error = None, None
        refused = self.server.faults.batch_refuses
        if fate is None and refused and line["body"].get(refused):
            message = f"{refused} is not supported with this model"
            response = {"status_code": 400, "request_id": "r", "body": {"error": {"message": message}}}
        elif fate is None:
            self.server.counts.answer(digest_of(line["body"]))
            response = {"status_code": 200, "request_id": "r", "body": completion(line["body"], self.server.answer)}
        elif fate == "error":
            body = {"error": {"message": "the server had an error", "type": "server_error"}}
            response = {"status_code": 500, "request_id": "r", "body": body}
        else:
            error = {"code": f"batch_{fate}", "message": f"the request was not worked on: {fate}"}
        return {"id": f"line_{line['custom_id']}", "custom_id": line["custom_id"], "response": response, "error": error}

    def _keep(self, data: bytes) -> str:
        name = f"file-{len(self.files)}-{hashlib.sha256(data).hexdigest()[:8]}"
        self.files[name] = data
        return name

    def _file(self, name: str, size: int) -> dict[str, Any]:
        return {
            "id": name,
            "object": "file",
            "bytes": size,
            "created_at": 0,
            "filename": "batch.jsonl",
            "purpose": "batch",
            "status": "processed",
        }


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()

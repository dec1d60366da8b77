"""A server that answers a chat completion with whatever bytes it is told to send, and counts what arrives."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


def completion(content: Any = "The customer called.", *, usage: Any = None, **choice: Any) -> Body:
    """A chat completion with one choice. Keywords replace fields of the choice."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120} if usage is None else usage,
    }


@dataclass
class OddServer:
    """What is sent: `answer(number, body)` gives bytes, or a JSON value. Every answer has `status` and `headers`."""

    url: str = ""
    answer: Callable[[int, Body], Any] = lambda number, body: completion()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0  # seconds between two bytes; 0 sends all at once
    calls: list[Body] = field(default_factory=list)


@contextmanager
def serving_oddly() -> Iterator[OddServer]:
    """A server on this machine. Its fields may be changed at any time."""
    odd = OddServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.loads(sent) if sent.startswith(b"{") else {}  # a file is no JSON
            odd.calls.append(body)
            answer = odd.answer(len(odd.calls), body)
            sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(odd.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            for name, value in odd.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if odd.drip:
                self._drip(sent)
            else:
                self.wfile.write(sent)

        def _drip(self, sent: bytes) -> None:
            try:
                for byte in sent:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(odd.drip)
            except OSError:
                pass  # the client has hung up

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    odd.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield odd
    finally:
        server.shutdown()
        server.server_close()

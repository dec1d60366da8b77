"""The life of a server: a process group of its own, which is waited for, and ended with all its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from arf_programs.config import environment_without_secrets
from arf_programs.models.served import guard

_ANSWER = 5.0  # seconds for one look
# A server sends no usage statistics.
_SILENT = {"HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1"}
LOOPBACK = "127.0.0.1"


def start_server(
    command: Sequence[str], folder: Path, *, environment: Mapping[str, str], output: int
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder`, under a guard that ends it when this process is gone.

    The command gets the environment without keys, and `environment` on top. Its output goes to the file descriptor
    `output`.
    """
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", guard.__file__, *command],
        cwd=folder,
        env={**environment_without_secrets(), **_SILENT, **environment},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def end_server(process: subprocess.Popen[bytes]) -> None:
    """End a process that `start_server` gave, with its whole group: first by SIGTERM, after 20 seconds by force."""
    for number, grace in ((signal.SIGTERM, guard.GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(grace)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue  # a second Ctrl-C does not wait
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def server_answers(url: str) -> bool:
    """Return whether `GET url` succeeds."""
    try:
        with urlopen(url, timeout=_ANSWER) as answer:  # noqa: S310 - http to a server that we started
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port

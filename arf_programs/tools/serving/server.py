"""Serve a model: choose a program, start it as a process group of its own, and end it with all its children."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from arf_programs.models import INSTALL_VLLM, LOOPBACK, end_server, find_vllm, free_port, server_answers, start_server
from arf_programs.tools.serving.front import Fallback, serve_front
from signatures.exceptions import ConfigError, MissingExtra, StageError

EngineName = Literal["vllm", "transformers"]
ENGINES: tuple[EngineName, ...] = ("vllm", "transformers")
_NEEDED = ("fastapi", "uvicorn", "openai")  # by `transformers serve`
_PAUSE = 0.2  # seconds between two looks


@dataclass(frozen=True)
class Engine:
    """A program that can serve here; `program` is how its command begins."""

    name: EngineName
    program: tuple[str, ...]


def find_engine(wanted: EngineName | None = None) -> Engine:
    """Find the engine of that name; without a name vLLM if it is installed, else transformers.

    Raises MissingExtra when the engine is not installed.
    """
    vllm = find_vllm()
    if wanted == "vllm" and vllm is None:
        raise MissingExtra(f"vLLM is not installed here: {INSTALL_VLLM}, or `--engine transformers`.")
    if vllm is not None and wanted != "transformers":
        return Engine("vllm", (vllm, "serve"))
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"`transformers serve` needs {', '.join(missing)}: pip install 'arf-programs[serve]', "
            "or install vLLM on a machine with a GPU."
        )
    # -P: it starts in the folder of the model, and must not import from there.
    return Engine("transformers", (sys.executable, "-P", "-m", "transformers.cli.transformers", "serve"))


@dataclass(frozen=True)
class Served:
    """What is served: models by their names, the folder and the command for an address, and the engine.

    `offline` keeps the server from the Hub.
    """

    names: tuple[str, ...]
    folder: Path
    command: Callable[[str, int], Sequence[str]]
    engine: EngineName
    offline: bool = True


def serve(
    served: Served,
    *,
    host: str,
    port: int,
    when_ready: Callable[[str], None],
    fallback: Fallback | None = None,
) -> None:
    """Serve until Ctrl-C; `when_ready` gets the address once it answers.

    With a `fallback`, or where the engine does not list what it serves, a server of ours stands before the engine.
    Raises KeyboardInterrupt on Ctrl-C, StageError when the server ends by itself.
    """
    address = f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}"  # noqa: S104
    if fallback is None and served.engine == "vllm":
        with running(served.command(host, port), served.folder, offline=served.offline) as process:
            wait_until_ready(process, f"{address}/health")
            when_ready(address)
            wait_for_end(process)
    behind = free_port()
    with running(served.command(LOOPBACK, behind), served.folder, offline=served.offline) as process:
        there = f"http://{LOOPBACK}:{behind}"
        wait_until_ready(process, f"{there}/health")
        front = serve_front(
            served.names,
            there,
            host=host,
            port=port,
            process=process,
            when_ready=lambda: when_ready(address),
            fallback=fallback,
        )
        asyncio.run(front)


def serve_command(engine: Engine, model: Path, *, host: str, port: int) -> list[str]:
    """Make the command that serves the folder `model` under its own name. Start it in the parent of `model`.

    `transformers serve` names a model by the path that it was given, so the path must be the name.
    """
    name = ["--served-model-name", model.name] if engine.name == "vllm" else []
    return [*engine.program, model.name, *name, "--host", host, "--port", str(port)]


def refuse_taken_port(host: str, port: int) -> None:
    """Raise ConfigError when nothing can listen there."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{host}:{port} cannot be listened on ({reason}): choose another with --port.") from None


@contextmanager
def running(command: Sequence[str], folder: Path, *, offline: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """Start `command` in `folder` and give its process. Its output goes to stderr. `offline` keeps it from the Hub.

    The end of the block ends its whole process group: first as by Ctrl-C, after 20 seconds by force. SIGTERM in this
    process counts as Ctrl-C.
    """
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    # `GET /v1/models` of transformers fails without a cache folder of the Hub, and a new machine has none.
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(folder.resolve())} if offline else {}
    process = start_server(command, folder, environment=environment, output=sys.stderr.fileno())
    try:
        yield process
    finally:
        end_server(process)
        signal.signal(signal.SIGTERM, before)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until `GET url` succeeds. Raises StageError when the server ends before."""
    while not server_answers(url):
        code = process.poll()
        if code is not None:
            raise StageError(f"The server ended while it started (exit code {code}): its last words stand above.")
        time.sleep(_PAUSE)


def wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Wait as long as the server runs. Raises StageError when it ends by itself, KeyboardInterrupt on Ctrl-C."""
    code = process.wait()
    raise StageError(f"The server ended by itself (exit code {code}): its last words stand above.")


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

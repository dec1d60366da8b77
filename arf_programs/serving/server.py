"""Serve a model: choose a program, start it as a process group of its own, and end it with all its children."""

from __future__ import annotations

import importlib.util
import os
import shutil
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
from urllib.error import URLError
from urllib.request import urlopen

from arf_programs.config import environment_without_secrets
from signatures.exceptions import ConfigError, MissingExtra, StageError

EngineName = Literal["vllm", "transformers"]
ENGINES: tuple[EngineName, ...] = ("vllm", "transformers")
_NEEDED = ("fastapi", "uvicorn", "openai")  # by `transformers serve`
_PAUSE = 0.2  # seconds between two looks
_ANSWER = 5.0  # seconds for one look
_GRACE = 20.0  # seconds to end by itself, before it is killed
# The server looks for nothing on the Hub, and sends no usage statistics.
_SILENT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1"}


@dataclass(frozen=True)
class Engine:
    """A program that can serve here; `program` is how its command begins."""

    name: EngineName
    program: tuple[str, ...]


def find_engine(wanted: EngineName | None = None) -> Engine:
    """Find the engine of that name; without a name vLLM if it is installed, else transformers.

    Raises MissingExtra when the engine is not installed.
    """
    vllm = _find_vllm()
    if wanted == "vllm" and vllm is None:
        raise MissingExtra("vLLM is not installed here: pip install vllm (it needs a GPU), or `--engine transformers`.")
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


def serve(engine: Engine, model: Path, *, host: str, port: int, when_ready: Callable[[str], None]) -> None:
    """Serve the folder `model` until Ctrl-C; `when_ready` gets the address once the server answers.

    Raises KeyboardInterrupt on Ctrl-C, StageError when the server ends by itself.
    """
    with running(serve_command(engine, model, host=host, port=port), model.parent) as process:
        address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104
        wait_until_ready(process, f"{address}/health")
        when_ready(address)
        wait_for_end(process)


def serve_command(engine: Engine, model: Path, *, host: str, port: int) -> list[str]:
    """Make the command that serves the folder `model` under its own name. Start it in the parent of `model`.

    `transformers serve` names a model by the path that it was given, so the path must be the name.
    """
    name = ["--served-model-name", model.name] if engine.name == "vllm" else []
    return [*engine.program, model.name, *name, "--host", host, "--port", str(port)]


def _find_vllm() -> str | None:
    """Find the command `vllm` in this environment, else on the search path."""
    beside = Path(sys.executable).parent / "vllm"
    return str(beside) if beside.is_file() else shutil.which("vllm")


def refuse_taken_port(host: str, port: int) -> None:
    """Raise ConfigError when nothing can listen there."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{host}:{port} cannot be listened on ({reason}): choose another with --port.") from None


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start `command` in `folder` and give its process. Its output goes to stderr.

    The end of the block ends its whole process group: first as by Ctrl-C, after 20 seconds by force. SIGTERM in this
    process counts as Ctrl-C.
    """
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    # `GET /v1/models` of transformers fails without a cache folder of the Hub, and a new machine has none.
    environment = {**environment_without_secrets(keep="HF_"), **_SILENT, "HF_HUB_CACHE": str(folder.resolve())}
    process = subprocess.Popen(  # noqa: S603
        list(command), cwd=folder, env=environment, stdout=sys.stderr.fileno(), start_new_session=True
    )
    try:
        yield process
    finally:
        _end(process)
        signal.signal(signal.SIGTERM, before)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until `GET url` succeeds. Raises StageError when the server ends before."""
    while not _answers(url):
        code = process.poll()
        if code is not None:
            raise StageError(f"The server ended while it started (exit code {code}): its last words stand above.")
        time.sleep(_PAUSE)


def wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Wait as long as the server runs. Raises StageError when it ends by itself, KeyboardInterrupt on Ctrl-C."""
    code = process.wait()
    raise StageError(f"The server ended by itself (exit code {code}): its last words stand above.")


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=_ANSWER) as answer:  # noqa: S310 - http to the server that we started
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, grace in ((signal.SIGINT, _GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(grace)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue  # a second Ctrl-C does not wait
    process.wait()


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

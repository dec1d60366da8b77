"""Serve a student: find it in its run, choose a program, start it, and end it with all its children.

The program is a process group of its own. A student is merged into its base where the server needs that.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
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

from arf_programs.models import (
    INSTALL_VLLM,
    LOOPBACK,
    Serving,
    end_server,
    find_vllm,
    free_port,
    is_adapter,
    resolve_weights,
    server_answers,
    start_server,
)
from arf_programs.runs import RunFolder, digest_file, private_files, write_text_atomic
from arf_programs.stages import BASE, adapter_rank, run_training_module, student_name, template_of, training_log
from arf_programs.tools.serving.front import Fallback, serve_front
from signatures.exceptions import ConfigError, DataError, MissingExtra, StageError

EngineName = Literal["vllm", "transformers"]
_NEEDED = ("fastapi", "uvicorn", "openai")  # by `transformers serve`
_PAUSE = 0.2  # seconds between two looks
_MADE_FROM = "made_from.json"
_LOG = "training_log.json"  # written last, so a folder that has it holds a whole student
# Callers reach the server before this one, so what uvicorn says about its own address would lead them astray.
_TRANSFORMERS = (
    "import logging; from transformers.cli.transformers import main; "
    "logging.getLogger('uvicorn.error').addFilter(lambda record: record.levelno > logging.INFO); main()"
)


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
    return Engine("transformers", (sys.executable, "-P", "-c", _TRANSFORMERS, "serve"))


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

    The end of the block ends its whole process group: first by SIGTERM, after 20 seconds by force. SIGTERM in this
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


def _whole_students(folder: RunFolder) -> list[str]:
    """Return the arms whose training has ended, in the order of the alphabet."""
    return sorted(path.parent.name for path in folder.student.glob(f"*/{_LOG}"))


def find_student(folder: RunFolder, arm: str) -> Path:
    """Return the folder of a whole student. Raises DataError that names the trained students."""
    whole = _whole_students(folder)
    if arm not in whole:
        there = f"trained are {', '.join(whole)}" if whole else "none is trained: `arf train` does it"
        raise DataError(f"{folder.student}: no student of arm {arm!r}; {there}.")
    return folder.student / arm


def students_with_base(folder: RunFolder, arms: Sequence[str]) -> Serving:
    """Return the base and the students of these arms (none: of all that are whole), for one vLLM.

    Raises DataError for an arm without a student, and for a student that vLLM cannot load beside others.
    """
    whole = _whole_students(folder)
    students = {arm: find_student(folder, arm).resolve() for arm in arms or whole or ("arf",)}
    ranks = {arm: adapter_rank(student) if is_adapter(student) else None for arm, student in students.items()}
    for arm, rank in ranks.items():
        if rank is None:
            raise DataError(
                f"{folder.student / arm} cannot share its base with others at vLLM: serve it alone, with --arm {arm}."
            )
    return Serving(
        model=str(resolve_weights(str(training_log(folder, next(iter(students)))["base"]))),
        name=BASE,
        adapters={student_name(arm): student for arm, student in students.items()},
        rank=max(rank or 0 for rank in ranks.values()),
        template=template_of(students.values()),
    )


@private_files()
def merged_student(folder: RunFolder, arm: str) -> Path:
    """Return the folder `merged/student_<arm>`, made anew when it is missing or was made from another student.

    Raises DataError for an arm without a student, StageError when merging fails.
    """
    digest = digest_file(find_student(folder, arm))
    output = folder.merged / student_name(arm)
    if _merged_digest(output) != digest:
        where = ("--run-dir", str(folder.path), "--arm", arm, "--output", str(output))
        run_training_module("training.export", *where, "--merged")
        write_text_atomic(output / _MADE_FROM, json.dumps({"student": digest}) + "\n")
    return output


def _merged_digest(output: Path) -> str | None:
    """The digest of the student from which the folder was made."""
    try:
        return str(json.loads((output / _MADE_FROM).read_bytes())["student"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

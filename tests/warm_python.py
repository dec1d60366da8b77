"""Python processes that have imported already what takes ten seconds, for tests that start `python -m MODULE`.

Each process is forked from a server, which Python's `multiprocessing` starts once for each process of pytest. A test
for which it matters how a process begins, by its environment or its imports, starts one by `subprocess` instead.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import reduction
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any, TextIO

from huggingface_hub import constants

# The server of Python 3.11 looks for what it has to import in PYTHONPATH alone. What it does not find, it leaves out.
_HERE = str(Path(__file__).parent)
if _HERE not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_HERE, os.environ.get("PYTHONPATH"))))

IMPORTED = [
    "without_garbage_collection",
    "arf_programs.pipeline",
    "arf_programs.models.providers.scripted_llm",
    "training.build",
    "training.loop.assemble",
    "training.loop.run",
    "transformers.models.llama.modeling_llama",
    "litellm.litellm_core_utils.default_encoding",
    "litellm.proxy.openai_files_endpoints.common_utils",
    "arf_programs.cli.app",
    "scripted_team",
    "conftest",
    "with_frozen_heap",
]
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(IMPORTED)


class WarmPopen:
    """Stands in for `subprocess.Popen` of Python with a module or a script, whose stdout is text in a pipe."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdout: int,
        text: bool,
        stderr: TextIO | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        python, *words = command
        assert (python, stdout, text) == (sys.executable, subprocess.PIPE, True)
        read, write = os.pipe()
        self.stdout = os.fdopen(read, encoding="utf-8")
        self._process = start_python(words, env or os.environ, write, stderr.fileno() if stderr else 2)
        os.close(write)
        self.terminate, self.kill = self._process.terminate, self._process.kill

    def __enter__(self) -> WarmPopen:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()

    def wait(self) -> int:
        """Its exit code, negative for a signal."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


def run_python(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ...` or `python SCRIPT ...` to its end."""
    with TemporaryFile("w+", encoding="utf-8") as stdout, TemporaryFile("w+", encoding="utf-8") as stderr:
        process = start_python(words, env, stdout.fileno(), stderr.fileno())
        process.join()
        said = []
        for file in (stdout, stderr):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(words, process.exitcode or 0, *said)


def start_python(words: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int) -> BaseProcess:
    """Start `python -m MODULE ...` or `python SCRIPT ...`, which writes to these file descriptors."""
    given = (list(words), dict(env), str(Path.cwd()), _Sent(stdout), _Sent(stderr))
    process = PROCESSES.Process(target=_run, args=given)
    process.start()
    return process


class _Sent:
    """A file descriptor that is sent to the new process."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.number),)


def _received(descriptor: Any) -> int:
    return int(descriptor.detach())


def _run(words: list[str], environment: dict[str, str], folder: str, stdout: int, stderr: int) -> None:
    for descriptor, number in ((stdout, 1), (stderr, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(constants)  # the Hub's client reads its variables once, when it is imported
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")


SUBPROCESS = SimpleNamespace(Popen=WarmPopen, PIPE=subprocess.PIPE)
"""What a module that starts `python -m MODULE` uses of `subprocess`."""

MULTIPROCESSING = SimpleNamespace(get_context=lambda _: PROCESSES)
"""What a module that starts `multiprocessing` processes by "spawn" uses of it."""

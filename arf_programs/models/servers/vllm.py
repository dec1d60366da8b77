"""vLLM: where it is, how it is started with a base and its adapters, and one server that starts at its first question.

A server has a process group of its own, which is ended with all its children.

The flags are those of `vllm serve` in vLLM's documentation: docs.vllm.ai/en/v0.8.5, pages "Engine Arguments"
(serving/engine_args.html) and "LoRA Adapters" (features/lora.html: `--enable-lora`, `--lora-modules name=path`, and the
adapters beside the base under `/v1/models`). They are the same in the newest source that was looked at
(vllm/entrypoints/openai/cli_args.py and vllm/config/lora.py of release 0.26).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from arf_programs.config import environment_without_secrets, mask_message
from arf_programs.models.servers import guard
from signatures.exceptions import EndpointError

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


INSTALL_VLLM: Final = "pip install vllm (it needs a GPU)"
LARGEST_RANK: Final = 512
# The values that vLLM takes for --max-lora-rank, without the newest, 1 (`MaxLoRARanks` in vllm/config/lora.py).
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, LARGEST_RANK)
_SHARE: Final = 0.9  # of the free memory; vLLM's own default is this share of all memory
_PATIENCE: Final = 1800.0  # seconds until the first answer: the weights are read, and kernels are compiled
_PAUSE: Final = 0.5  # seconds between two looks
_SHOWN: Final = 15  # lines of a log in a message
_LOOK_AT_GPU: Final = """
import torch
if torch.cuda.is_available():
    free, total = torch.cuda.mem_get_info()
    print(free / total)
"""


def find_vllm() -> str | None:
    """Find the command `vllm` in this environment, else on the search path."""
    beside = Path(sys.executable).parent / "vllm"
    return str(beside) if beside.is_file() else shutil.which("vllm")


@lru_cache(maxsize=1)
def has_gpu() -> bool:
    """Return whether this machine has a CUDA GPU that torch can use."""
    return free_gpu_share() is not None


def free_gpu_share() -> float | None:
    """Return the free share (0 to 1) of the first CUDA GPU's memory; None if there is no GPU.

    Another process looks, so that this one takes no memory of the GPU.
    """
    look = [sys.executable, "-I", "-c", _LOOK_AT_GPU]
    try:
        shown = subprocess.run(look, capture_output=True, text=True, check=False, timeout=300).stdout  # noqa: S603
        return float(shown)
    except (ValueError, subprocess.TimeoutExpired):
        return None


@dataclass(frozen=True)
class Serving:
    """What one vLLM serves.

    Attributes:
        model: a folder or the id of a model on the Hub.
        name: the name under which it is asked.
        adapters: folders of LoRA adapters on the model, by the names under which they are asked.
        rank: the largest rank of the adapters.
        template: the file of the chat template; None: that of the model.
        max_length: the most tokens of a prompt with its answer; None: the context of the model.
    """

    model: str
    name: str
    adapters: Mapping[str, Path] = field(default_factory=dict)
    rank: int = 0
    template: Path | None = None
    max_length: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which it can be asked."""
        return (self.name, *self.adapters)


def vllm_command(program: str, serving: Serving, *, host: str, port: int, memory: float | None = None) -> list[str]:
    """Write the command that serves it. `memory` is the share of the GPU's memory to use; None: vLLM's default.

    Only safetensors are read. `--generation-config vllm` keeps the model's own sampling parameters out, such as a
    penalty for repetition, which would hold for greedy answers too; its stop tokens still hold. An adapter is written
    as JSON, since a path may have an equals sign.
    """
    command = [program, "serve", serving.model, "--served-model-name", serving.name]
    command += ["--host", host, "--port", str(port)]
    command += ["--load-format", "safetensors", "--generation-config", "vllm"]
    if serving.adapters:
        modules = [json.dumps({"name": name, "path": str(path)}) for name, path in serving.adapters.items()]
        rank = next(rank for rank in _RANKS if rank >= serving.rank)
        command += ["--enable-lora", "--max-loras", str(len(modules)), "--max-lora-rank", str(rank)]
        command += ["--lora-modules", *modules]
    if serving.template is not None:
        command += ["--chat-template", str(serving.template), "--chat-template-content-format", "string"]
    if serving.max_length is not None:
        command += ["--max-model-len", str(serving.max_length)]
    if memory is not None:
        command += ["--gpu-memory-utilization", f"{memory:.2f}"]
    return command


def context_of(model: str | Path) -> int | None:
    """Return the tokens that a model reads at most, by its configuration; None if it does not say."""
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError):
        return None
    tokens: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    return tokens


class VllmServer:
    """One vLLM on a free port of the loopback address. It starts when `address` is first asked for, and not before.

    Args:
        program: the command `vllm`.
        serving: what it serves.
        folder: the folder in which it is started.
        log: the file to which its output is appended.
        say: prints a line for the user.
        note: shows how long it has been starting.
        patience: seconds that it may take to start.
    """

    def __init__(
        self,
        program: str,
        serving: Serving,
        *,
        folder: Path,
        log: Path,
        say: Callable[[str], None] = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
        patience: float = _PATIENCE,
    ) -> None:
        self.serving = serving
        self._program, self._folder, self._log = program, folder, log
        self._say, self._note, self._patience = say, note, patience
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._began = 0.0
        self._offset = 0
        self._ready = self._looking = False
        self._failure: EndpointError | None = None

    async def address(self) -> str:
        """Return the address of its API. Start it and wait until it answers, if it was not asked before.

        Raises EndpointError with the last lines of its log if it does not start, or has ended.
        """
        if self._process is None:
            self._start()
        while True:
            self._check()
            if self._ready:
                return f"{self._url}/v1"
            if not self._looking:
                await self._look()
            await asyncio.sleep(_PAUSE)

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            end_server(self._process)
            self._process = None
            self._ready = False

    def _start(self) -> None:
        port = free_port()
        share = free_gpu_share()
        memory = None if share is None else max(0.01, int(_SHARE * share * 100) / 100)
        command = vllm_command(self._program, self.serving, host=LOOPBACK, port=port, memory=memory)
        self._say(f"  vLLM starts with {', '.join(self.serving.names)}: see {self._log}")
        with self._log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            self._offset = log.tell()
            self._process = start_server(
                command, self._folder, environment=_offline(self.serving.model), output=log.fileno()
            )
        self._url, self._began = f"http://{LOOPBACK}:{port}", time.monotonic()

    async def _look(self) -> None:
        """Look once whether it answers, and serves what was asked for."""
        self._looking = True
        try:
            if await asyncio.to_thread(server_answers, f"{self._url}/health"):
                missing = set(self.serving.names) - await asyncio.to_thread(_served_names, self._url)
                if missing:
                    self._fail(f"vLLM does not serve {', '.join(sorted(missing))}")
                self._ready = True
                self._say(f"  vLLM answers after {self._seconds():.0f} s")
        finally:
            self._looking = False

    def _check(self) -> None:
        """Raise EndpointError if it has ended, or takes too long to start."""
        if self._failure is not None:
            raise self._failure
        code = self._process.poll() if self._process is not None else None
        if code is not None:
            self._fail(f"vLLM {'ended by itself' if self._ready else 'did not start'} (exit code {code})")
        if self._ready:
            return
        if self._seconds() > self._patience:
            self._fail(f"vLLM did not answer within {self._patience:.0f} seconds")
        self._note(f"vLLM is starting, {self._seconds():.0f} s")

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _fail(self, what: str) -> None:
        with self._log.open("rb") as log:
            log.seek(self._offset)
            lines = log.read().decode(errors="replace").splitlines()[-_SHOWN:]
        last = mask_message("\n".join(f"    {line}" for line in lines)) if lines else "    (nothing)"
        self._failure = EndpointError(
            f"{what}. Mend it and run the same command again, or set evaluate.engine to embedded. "
            f"The last lines of {self._log}:\n{last}"
        )
        raise self._failure


def _offline(model: str) -> dict[str, str]:
    """The variables of a server of a folder, which looks for nothing on the Hub."""
    return {"HF_HUB_OFFLINE": "1"} if Path(model).is_dir() else {}


def _served_names(url: str) -> set[str]:
    try:
        with urlopen(f"{url}/v1/models", timeout=30) as answer:  # noqa: S310 - http to a server that we started
            return {str(item["id"]) for item in json.load(answer)["data"]}
    except (OSError, ValueError, LookupError, TypeError):
        return set()

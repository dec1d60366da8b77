"""Base and students at a vLLM that stage `evaluate` starts by itself, where vLLM is installed and there is a GPU.

One server holds the base and every student that is a LoRA adapter on it. A student that is a whole model gets a server
of its own, after the others. A student that vLLM cannot load (DoRA, a rank above 512) answers in this process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arf_programs.config import AUTO, Config, ModelConfig
from arf_programs.models import (
    EMBEDDED,
    INSTALL_VLLM,
    LARGEST_RANK,
    Serving,
    VllmServer,
    context_of,
    find_vllm,
    has_gpu,
    is_adapter,
    resolve_weights,
    weights_digest,
)
from arf_programs.runs import Run, digest, digest_file
from arf_programs.stages.train import student_name
from signatures.exceptions import MissingExtra

BASE = "base"
# The key of a stored answer has this address. The port, which is another one each time, is added when a call is sent.
_ADDRESS = "http://127.0.0.1/v1"
_AT_ONCE = 256  # calls in flight; vLLM batches what it gets
_TIMEOUT = 600.0  # seconds for one call, with its wait in vLLM's queue
_TEMPLATE_TOKENS = 512  # room for what the chat template writes around a prompt


@dataclass(frozen=True)
class ServedSystem:
    """How a system is asked at vLLM, and the server that has it."""

    model: ModelConfig
    server: VllmServer


def refuse_missing_vllm(config: Config) -> None:
    """Raise MissingExtra if the configuration asks for vLLM, and it is not installed."""
    if config.evaluate.engine == "vllm" and find_vllm() is None:
        raise MissingExtra(
            f"evaluate.engine: vLLM is not installed here: {INSTALL_VLLM}, or set evaluate.engine to auto."
        )


def vllm_to_use(config: Config) -> str | None:
    """Return the command of the vLLM that base and students are asked at; None if they answer in this process.

    Raises what `refuse_missing_vllm` raises.
    """
    refuse_missing_vllm(config)
    evaluate = config.evaluate
    if evaluate.engine == "vllm":
        return find_vllm()
    if evaluate.engine == "embedded" or (evaluate.device, evaluate.dtype) != (AUTO, AUTO):
        return None  # a device or a precision is that of this process
    program = find_vllm()
    return program if program is not None and has_gpu() else None


@contextmanager
def served_systems(run: Run) -> Iterator[Mapping[str, ServedSystem]]:
    """Give the systems that vLLM answers for, by name. A server starts at its first question.

    The server ends when a system of another server is looked up, and with the block. Raises what `vllm_to_use` raises.
    """
    program = vllm_to_use(run.config)
    systems = _Systems(_plan(run, program)) if program else _Systems({})
    try:
        yield systems
    finally:
        systems.close()


class _Systems(Mapping[str, ServedSystem]):
    """The systems by name. At most one server runs: looking up a system of another one ends it."""

    def __init__(self, systems: dict[str, ServedSystem]) -> None:
        self._systems = systems
        self._running: VllmServer | None = None

    def __getitem__(self, name: str) -> ServedSystem:
        system = self._systems[name]
        if self._running is not system.server:
            self.close()
            self._running = system.server
        return system

    def __iter__(self) -> Iterator[str]:
        return iter(self._systems)

    def __len__(self) -> int:
        return len(self._systems)

    def close(self) -> None:
        if self._running is not None:
            self._running.close()


def _plan(run: Run, program: str) -> dict[str, ServedSystem]:
    """Say which systems vLLM answers for: the base, the students that are adapters, then those that are whole."""
    elsewhere = run.config.evaluate.serve
    students = {student_name(arm): run.folder.student / arm for arm in run.config.train.students()}
    ours = {system: folder.resolve() for system, folder in students.items() if system not in elsewhere}
    adapters = {system: folder for system, folder in ours.items() if is_adapter(folder)}
    ranks = {system: rank for system, folder in adapters.items() if (rank := adapter_rank(folder)) is not None}
    base = run.config.train.base
    weights = resolve_weights(base)
    template = template_of(students.values())
    length = _longest(run, weights)
    run.folder.vllm_log.unlink(missing_ok=True)
    planned: dict[str, ServedSystem] = {}
    if BASE not in elsewhere or ranks:
        names = {BASE: _name(BASE, _digest_of(str(weights)), template)}
        names |= {system: _name(system, names[BASE], *_files(adapters[system]), template) for system in ranks}
        serving = Serving(
            model=str(weights),
            name=names[BASE],
            adapters={names[system]: adapters[system] for system in ranks},
            rank=max(ranks.values(), default=0),
            template=template,
            max_length=length,
        )
        server = _server(run, program, serving)
        planned |= {system: _system(run, names[system], server) for system in names if system not in elsewhere}
    for system, folder in ours.items():
        if system not in adapters:
            serving = Serving(str(folder), _name(system, _digest_of(str(folder)), template), {}, 0, template, length)
            planned[system] = _system(run, serving.name, _server(run, program, serving))
    return planned


def _server(run: Run, program: str, serving: Serving) -> VllmServer:
    return VllmServer(
        program,
        serving,
        folder=run.folder.path,
        log=run.folder.vllm_log,
        say=run.progress.say,
        note=run.progress.refresh,
    )


def _system(run: Run, name: str, server: VllmServer) -> ServedSystem:
    model = ModelConfig(
        model=f"hosted_vllm/{name}",
        api_base=_ADDRESS,
        max_tokens=run.config.evaluate.max_tokens,
        json_schema=False,
        logprobs=False,
        input_price=0,
        output_price=0,
        concurrency=_AT_ONCE,
        timeout=_TIMEOUT,
    )
    return ServedSystem(model, server)


def adapter_rank(adapter: Path) -> int | None:
    """Return the rank of an adapter; None for one that vLLM cannot load."""
    config: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    rank = int(config["r"])
    return None if config.get("use_dora") or rank > LARGEST_RANK else rank


def _name(system: str, *parts: str | Path | None) -> str:
    """Name a system by its weights and its chat template, since stored answers are found by this name."""
    hashes = [digest_file(part) if isinstance(part, Path) else part for part in parts]
    return f"{system}-{digest(hashes)}"


def _files(adapter: Path) -> tuple[Path, Path]:
    return adapter / "adapter_model.safetensors", adapter / "adapter_config.json"


def _digest_of(model: str) -> str:
    """Return the hash of the weights in a folder, or the id of a model on the Hub."""
    return weights_digest(f"{EMBEDDED}{model}") or model


def template_of(students: Iterable[Path]) -> Path | None:
    """Return the chat template that the students were trained with: it is the same for all, and for their base."""
    files = (folder.resolve() / "chat_template.jinja" for folder in students)
    return next((file for file in files if file.is_file()), None)


def _longest(run: Run, weights: Path | str) -> int | None:
    """Return the most tokens that a prompt and its answer may have, so that vLLM reserves no more; None: unknown.

    A token stands for a byte at least.
    """
    context = context_of(weights)
    if context is None:
        return None
    longest = max((len(item.as_text().encode()) for item in run.conversations("holdout").values()), default=0)
    instruction = len(run.config.summarize.instruction.encode())
    return min(context, longest + instruction + run.config.evaluate.max_tokens + _TEMPLATE_TOKENS)

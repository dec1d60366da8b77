"""Fixtures that most tests share: no network, no key, no state left behind."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import gc
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from hypothesis import HealthCheck, settings

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# The models of the tests are tiny: a second thread waits, and takes a core from the other process of pytest.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import warm_python

from arf_programs.config.load import load_config
from arf_programs.models import scripted
from arf_programs.runs.folder import RunFolder
from arf_programs.runs.progress import Progress
from arf_programs.runs.run import Run
from signatures.records import Conversation, Turn

# Property tests try the same examples in every run, and write none down. The fixtures that run for every test (no
# network, no scripts) have nothing to reset between the examples of one.
settings.register_profile(
    "arf",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("arf")

# Typer makes all commands anew whenever a test runs one, in 30 milliseconds.
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[attr-defined]

_LOCAL = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections leave this machine for no test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in _LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def forget_scripts() -> Iterator[None]:
    """Scripted models start and end each test without answers and calls."""
    scripted.clear()
    yield
    scripted.clear()


@pytest.fixture
def conversation() -> Conversation:
    """A short one, with a refund that is offered and a replacement that is chosen."""
    return Conversation(
        id="kettle",
        channel="teammate_chat",
        turns=(
            Turn(speaker="Customer", text="Hi, the kettle I got on Monday leaks. Order 88214."),
            Turn(speaker="Agent", text="Sorry! A replacement, or a refund of 39.90?"),
            Turn(speaker="Customer", text="A replacement, please."),
            Turn(speaker="Agent", text="Done. It arrives by Thursday."),
        ),
        references=("The customer's kettle leaked and the agent sent a replacement, which arrives by Thursday.",),
    )


def write_corpus(path: Path, count: int = 12) -> None:
    """`count` different small conversations over two channels, as JSONL."""
    things = [
        "kettle",
        "lamp",
        "drill",
        "scarf",
        "router",
        "tent",
        "piano",
        "mirror",
        "stove",
        "ladder",
        "camera",
        "desk",
    ]
    rows = []
    for n in range(count):
        thing = things[n % len(things)]
        rows.append({
            "id": f"c{n:02d}",
            "channel": ("email", "bot_chat")[n % 2],
            "conversation": [
                {"speaker": "Customer", "text": f"My {thing} from order {4000 + n * 7} came broken on day {n}, help!"},
                {"speaker": "Agent", "text": f"Sorry about the {thing}. Number {n} in the queue gets a new {thing}."},
                {"speaker": "Customer", "text": f"Thanks, {thing} fans like me wait {n + 2} weeks gladly."},
            ],
            "references": [f"The customer's {thing} came broken and the agent sent a new {thing}."],
        })  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Makes a Run over a small corpus whose roles are all `scripted/model`; keyword `overrides` are --set strings."""
    write_corpus(tmp_path / "conversations.jsonl")
    config = tmp_path / "arf.yaml"
    config.write_text(
        "name: test\ncorpus: {path: conversations.jsonl, holdout: 0.25}\nmodels: {teacher: scripted/model}\n",
        encoding="utf-8",
    )

    def make(*overrides: str) -> Run:
        from rich.console import Console

        resolved = load_config(config, [f"run_dir={tmp_path / 'run'}", *overrides])
        return Run(resolved, tmp_path, RunFolder(resolved.run_dir), Progress(Console(stderr=True), quiet=True))

    return make


@contextmanager
def stored_calls(folder: Path, *, stage: str = "test", **settings: Any) -> Iterator[Any]:
    """Calls to models in this block are stored and booked in `folder`; it gives their context."""
    from arf_programs.models import CallContext, Session, calling, open_store

    with open_store(folder / "calls", folder / "calls.jsonl") as store:
        session = Session(store, background=True, **settings)
        with calling(CallContext(session, stage=stage)) as context:
            yield context


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., Any]:
    """Calls a program as a stage does: typed answers, and a call store of its own."""
    import dspy

    from arf_programs.programs import TypedAnswers

    def call(program: Any, **inputs: Any) -> Any:
        with (
            stored_calls(tmp_path),
            dspy.context(adapter=TypedAnswers(), disable_history=True),
        ):
            return asyncio.run(program.acall(**inputs))

    return call


@pytest.fixture
def lm() -> Any:
    """The language model `scripted/model`."""
    from arf_programs.config.models import ModelConfig
    from arf_programs.models.calls.lm import build_lm

    return build_lm(ModelConfig(model="scripted/model"), seed=17)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that fail transiently are tried again at once."""
    monkeypatch.setattr("dspy.clients.execution._delay", lambda *_: 0)
    monkeypatch.setattr("arf_programs.models.calls.pacing.retry_delay", lambda *_: 0)


def pytest_collection() -> None:
    """No garbage is collected while tests and libraries are imported, and no file waits for the disk.

    Garbage collections would make imports a quarter slower. No test cuts the power, after which `fsync` would count.
    """
    gc.disable()
    os.fsync = lambda fd: None


def pytest_collection_finish() -> None:
    """Garbage collections leave out what was imported until now, some millions of objects, and become rare."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    gc.enable()


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """All objects are subject to garbage collection, as in a process that froze none."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Training and workers begin in processes that have imported their libraries, once a test can start them."""
    if starter := sys.modules.get("arf_programs.stages.train"):
        starter.subprocess = warm_python.SUBPROCESS  # type: ignore[attr-defined]
    for name in ("arf_programs.runner.workers", "arf_programs.runner.stream"):
        if starter := sys.modules.get(name):
            starter.multiprocessing = warm_python.MULTIPROCESSING  # type: ignore[attr-defined]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so that no process of pytest waits for another.

    One process begins by making the finished project, and all else that needs it comes last. The slow tests come early:
    at the end, one of them alone would leave the other process without work.
    """
    needy = [item for item in items if "finished_project" in getattr(item, "fixturenames", ())]
    slow = [item for item in items if item.get_closest_marker("slow") and item not in needy]
    items[:] = [*needy[:1], *slow, *(item for item in items if item not in needy and item not in slow), *needy[1:]]


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, its corpus and its run, whole to the report: made once for all processes.

    Its roles are played by `scripted_team.join_troubled`, its students are really trained, from a tiny model with
    random weights.
    """
    return made_once(tmp_path_factory, "finished", _finish)


def made_once(factory: pytest.TempPathFactory, name: str, finish: Callable[[Path], None]) -> Path:
    """The folder of a project that `finish` runs to its report; made once for all processes."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    project = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (project / "run" / "report.html").exists():
            finish(project)
    return project


def _finish(project: Path) -> None:
    import scripted_team
    from tiny_model import save_tiny_model

    from arf_programs import pipeline

    base = save_tiny_model(project / "tiny")
    write_corpus(project / "conversations.jsonl")
    with (project / "conversations.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.writelines(json.dumps(row) + "\n" for row in scripted_team.TROUBLESOME)
    (project / "arf.yaml").write_text(
        f"""
name: test
corpus: {{path: conversations.jsonl, holdout: 0.25, max_tokens: 400}}
models: {{teacher: scripted/model, analyst: scripted/model, editor: scripted/model, judge: scripted/model}}
train: {{base: {base}, epochs: 1, lora: {{r: 2}}}}
evaluate: {{max_tokens: 16, samples: 100}}
""",
        encoding="utf-8",
    )
    scripted_team.join_troubled()
    pipeline.run_until(open_project(project), "report")


def open_project(project: Path, *overrides: str) -> Run:
    """The run of a project's folder."""
    from rich.console import Console

    config = load_config(project / "arf.yaml", [f"run_dir={project / 'run'}", *overrides])
    return Run(config, project, RunFolder(config.run_dir), Progress(Console(stderr=True), quiet=True))


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    """A copy of the finished project, to be changed at will."""
    return shutil.copytree(finished_project, tmp_path / "project", ignore=shutil.ignore_patterns("tiny"))

"""Every command asks models alike: within their rates, from one store, and without a trace in the process."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import dspy
import pytest
import scripted_team
import served_team
import test_cli_plant
from compile_project import CompileTeam, make_project
from model_server import ModelServer
from model_server_faults import Faults
from typer.testing import CliRunner
from virtual_clock import VirtualClock, clock

from arf_programs.cli.app import app
from arf_programs.cli.check import preflight
from arf_programs.cli.session import open_run
from arf_programs.models import CallBudget, CallContext, NoStore, Session, build_lm, calling, scripted
from arf_programs.models.answers.store import request_key
from arf_programs.models.calls import engine, sender
from arf_programs.models.calls.dspy_internals import TRUNCATION_LOGGER
from arf_programs.models.calls.session import current_context
from arf_programs.pipeline import run_until
from arf_programs.runs import Run
from arf_programs.tools.compiling import compile_program
from arf_programs.tools.compiling.task import asking_context
from arf_programs.tools.estimating import estimate_run
from arf_programs.tools.probing import check_judge

__all__ = ["clock"]
RATE = 6  # calls a minute
SPACE = 9.0  # seconds between two calls at that rate; the first of a stage may come a second early
MODELS = {role: role for role in ("teacher", "analyst", "editor", "judge")} | {"prompt": "judge", "reflection": "judge"}


@dataclass(frozen=True)
class Command:
    """A command over a small project.

    Attributes:
        words: the command and its options.
        roles: the models that it asks.
        waves: how often it opens its endpoints anew, at most: a stage or a step of one does.
    """

    words: tuple[str, ...]
    roles: tuple[str, ...]
    waves: int = 1


TO_EVALUATE = ("teacher", "analyst", "editor", "judge", "served")
COMMANDS = {
    "draft": Command(("draft",), ("teacher",)),
    "taxonomy": Command(("taxonomy",), ("teacher", "analyst"), 2),
    "analyze": Command(("analyze",), ("teacher", "analyst"), 3),
    "revise": Command(("revise",), ("teacher", "analyst", "editor"), 3),
    "evaluate": Command(("evaluate",), TO_EVALUATE, 5),
    "run": Command(("run",), TO_EVALUATE, 5),
    # Prompt and reflection model have the judge's endpoint here, so all of them share its rate.
    "compile with a prompt model": Command(("compile", "judge", "--optimizer", "simba", "--force"), ("judge",)),
    "compile with a reflection model": Command(("compile", "judge", "--optimizer", "gepa", "--force"), ("judge",)),
    "compile with an analyst": Command(
        ("compile", "revise", "--optimizer", "bootstrap", "--force"), ("editor", "analyst")
    ),
    "plant": Command(("plant", "--set", "plant.naturalize=true"), ("editor",)),
    "probe": Command(("probe",), ("analyst", "editor"), 2),
    "calibrate": Command(("calibrate",), ("judge",)),
}

CHECK = Command(("check",), ("judge",))


def project(folder: Path, command: Command, **sections: Any) -> Path:
    """A project with one endpoint for each role, all of which the same team answers."""
    team = CompileTeam() if command.words[0] == "compile" else scripted_team.Team()
    pace = {"concurrency": 4, "requests_per_minute": RATE}
    for name in (*MODELS, "served"):
        scripted.register(name, team)
    served = {"model": "scripted/served", **pace}
    config = make_project(
        folder,
        count=12 if command.words[0] == "compile" else 8,
        models={role: {"model": f"scripted/{name}", **pace} for role, name in MODELS.items()},
        evaluate={"samples": 100, "similarity": None, "serve": {"base": served, "student_arf": served}},
        train={"arms": ["arf"], "base": "tiny"},
        plant={"per_kind": 1, "per_summary": 1},
        **sections,
    )
    if command.words[0] in ("plant", "probe"):
        rows = [test_cli_plant._row(number, thing) for number, thing in enumerate(test_cli_plant._THINGS[:6])]
        (folder / "conversations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if command.words[0] not in ("compile", "calibrate"):
        settings = json.loads(config.read_text(encoding="utf-8"))
        del settings["labeled"]
        config.write_text(json.dumps(settings), encoding="utf-8")
    return config


def arf(config: Path, words: tuple[str, ...]) -> Any:
    verb = 2 if words[0] == "compile" else 1
    result = CliRunner().invoke(app, [*words[:verb], str(config), *words[verb:]])
    assert result.exit_code == 0, (result.output, result.exc_info)
    return result


@pytest.fixture(autouse=True)
def training_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training makes no weights: another endpoint answers for the student."""

    def pretend(run: Any, module: str, *arguments: str, label: str = "") -> None:
        if module == "training.build":
            run.folder.train.mkdir(parents=True, exist_ok=True)
            (run.folder.train / "arf.jsonl").write_text("{}\n", encoding="utf-8")
        else:
            (run.folder.student / "arf").mkdir(parents=True, exist_ok=True)
            (run.folder.student / "arf" / "training_log.json").write_text(
                json.dumps({"examples": 1, "losses": []}), encoding="utf-8"
            )

    monkeypatch.setattr("arf_programs.stages.train._run_module", pretend)


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages do not collect garbage before they begin, which takes most of the time of these tests."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


@pytest.fixture
def sent(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """The times at which calls are sent, by model."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    original = sender.send_by_litellm

    async def send(question: Any, anew: bool) -> Any:
        times[question.request["model"]].append(clock.now)
        return await original(question, anew)

    monkeypatch.setattr(sender, "send_by_litellm", send)
    return times


def assert_spaced(sent: dict[str, list[float]], command: Command) -> None:
    assert set(sent) == {f"scripted/{role}" for role in command.roles}
    for model, times in sent.items():
        close = [later for earlier, later in pairwise(times) if later - earlier < SPACE]
        assert len(close) < min(command.waves, len(times) - 1), (model, times)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_keeps_to_the_rates_and_stores_all_answers(name: str, tmp_path: Path, sent: dict[str, list[float]]):
    command, shared = COMMANDS[name], tmp_path / "shared"
    first = project(tmp_path / "first", command, calls_dir=str(shared))
    arf(first, command.words)
    assert_spaced(sent, command)
    assert any(shared.iterdir()) and not (first.parent / "run" / "calls").exists()
    sent.clear()
    second = project(tmp_path / "second", command, calls_dir=str(shared))
    arf(second, command.words)
    assert not sent, "every answer is stored"
    assert not (second.parent / "run" / "calls").exists()


def test_a_check_keeps_the_rate_of_an_endpoint_that_several_roles_share(tmp_path: Path, sent: dict[str, list[float]]):
    config = project(tmp_path, CHECK, calls_dir=str(tmp_path / "shared"))
    words = [f"models.{role}.model=scripted/judge" for role in MODELS]
    warmer = [f"models.{role}.temperature={0.1 * n}" for n, role in enumerate(("teacher", "analyst", "editor"))]
    arf(config, ("check", *(f"--set={item}" for item in [*words, *warmer])))
    assert_spaced(sent, CHECK)
    assert not (tmp_path / "shared").exists() and not (tmp_path / "run").exists(), "what works now is not stored"


def test_an_estimate_asks_nobody_and_reads_the_answers_in_calls_dir(tmp_path: Path, sent: dict[str, list[float]]):
    shared = str(tmp_path / "shared")
    draft = COMMANDS["draft"]
    config = project(tmp_path / "first", draft, calls_dir=shared)
    unasked = json.loads(arf(config, ("estimate", "--json", "--sample", "2")).stdout)
    assert not sent and not (tmp_path / "shared").exists()
    arf(config, draft.words)
    sent.clear()
    asked = json.loads(
        arf(project(tmp_path / "second", draft, calls_dir=shared), ("estimate", "--json", "--sample", "2")).stdout
    )
    shares = [{line["stage"]: line["stored"] for line in made["lines"]}["draft"] for made in (unasked, asked)]
    assert shares == [0, 1]
    assert not sent


def test_threads_of_a_compilation_send_equal_calls_in_flight_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One thread awaits a program, the other calls a model as DSPy's optimizers do."""
    run = open_run(project(tmp_path, Command(("compile",), ())))
    scripted.register("judge", lambda messages, params: "fine")
    sent, second, begun = [], threading.Event(), threading.Event()
    send = sender.send_by_litellm

    async def hold(question: Any, anew: bool) -> Any:
        sent.append(question.key)
        begun.set()
        while not second.is_set():
            await asyncio.sleep(0)
        return await send(question, anew)

    def count(body: Any) -> str:
        if begun.is_set():
            second.set()
        return request_key(body)

    monkeypatch.setattr(sender, "send_by_litellm", hold)
    monkeypatch.setattr(engine, "request_key", count)
    with asking_context(run, run.config.models.judge, CallBudget(), "compile judge") as calls:
        lm = build_lm(run.config.models.prompt, seed=run.config.seed, context=calls.context)
        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(lambda: calls.run(lm.acall("Are you there?")))
            assert begun.wait(10)
            other = threads.submit(lm, "Are you there?")
            assert one.result(10) == other.result(10) == ["fine"]
    assert len(sent) == 1


def test_a_compilation_pauses_for_an_endpoint_that_only_fails_and_gives_up(tmp_path: Path, clock: VirtualClock):
    command = COMMANDS["compile with a reflection model"]
    config = project(tmp_path, command)
    scripted.register("judge", lambda messages, params: scripted.ScriptedAnswer(error="server", answer="down"))
    endless = ("--set", "models.judge.requests_per_minute=null", "--set", "models.judge.retries=20")
    result = CliRunner().invoke(app, ["compile", "judge", str(config), *command.words[2:], *endless])
    assert result.exit_code == 1, result.output
    assert "scripted/judge has only failed for 10 minutes" in result.stderr
    assert clock.now - 1000 > 300, "it waited before it gave up"


def served(tmp_path: Path, faults: Faults) -> tuple[int, str]:
    """Exit code and messages of `arf draft` against a server with these faults."""
    with served_team.serving(faults) as server:
        config = served_team.write_project(tmp_path, server.base_url, 8)
        result = CliRunner().invoke(app, ["draft", str(config)])
    return result.exit_code, result.stderr


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_refuses_a_call_is_asked_again_after_the_pause_it_names(
    form: str, tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
):
    error = ModelServer.error

    def name_date(self: ModelServer, status: int, message: str, headers: dict[str, str] | None = None) -> Any:
        date = {"Retry-After": formatdate(time.time() + float((headers or {})["Retry-After"]), usegmt=True)}
        return error(self, status, message, date)

    if form == "date":
        monkeypatch.setattr(ModelServer, "error", name_date)
    assert served(tmp_path, Faults(rate_429=0.5, retry_after=300.0))[0] == 0
    assert max(clock.slept) >= 297 and max(clock.slept) <= 330, "a call that comes meanwhile waits for the rest"


def test_a_server_that_names_a_pause_beyond_all_patience_ends_the_run(tmp_path: Path, clock: VirtualClock):
    code, said = served(tmp_path, Faults(rate_429=1.0, retry_after=86400.0))
    assert code == 1 and "refuses all calls for 86400 seconds" in said
    assert clock.now == 1000, "nobody waits for a day"


def process_state() -> dict[str, Any]:
    """What a command could leave changed in the process."""
    from litellm._internal_context import is_internal_call

    return {
        "garbage collection": (gc.get_threshold(), gc.get_freeze_count()),
        "internal": is_internal_call.get(),
        "log filters": list(logging.getLogger(TRUNCATION_LOGGER).filters),
        "environment": dict(os.environ),
        "cache": id(dspy.cache),
        "settings": {name: id(value) for name, value in dspy.settings.copy().items()},
        "warnings": list(warnings.filters),
        "context": current_context(),
    }


WORK: dict[str, Callable[[Run], Any]] = {
    "stages": lambda run: run_until(run, "revise"),
    "compile": lambda run: compile_program(run, "judge", "labeled_fewshot", force=True),
    "calibrate": check_judge,
    "estimate": lambda run: estimate_run(run, sample=2, history=[]),
    "check": preflight,
}


@pytest.mark.parametrize("name", WORK)
def test_what_is_asked_in_this_process_leaves_it_as_it_was(
    name: str, tmp_path: Path, clock: VirtualClock, nothing_frozen: None
):
    command = Command(({"stages": "revise", "estimate": "estimate", "check": "check"}.get(name, name),), ())
    config = project(tmp_path, command)
    scripted.register("first", scripted_team.Team())
    WORK[name](open_run(config, run_dir=tmp_path / "first"))  # libraries are imported
    before, during = process_state(), []
    team = scripted_team.Team()

    def look(messages: Any, params: Any) -> Any:
        during.append(process_state())
        return team(messages, params)

    for model in MODELS:
        scripted.register(model, look)
    before = process_state()
    WORK[name](open_run(config, run_dir=tmp_path / "second"))
    assert process_state() == before
    assert {state["cache"] for state in during} <= {before["cache"]}
    assert bool(during) == (name != "estimate")
    if name == "stages":
        assert all(state["garbage collection"] != before["garbage collection"] for state in during[:1])
    assert all(state["internal"] and len(state["log filters"]) > len(before["log filters"]) for state in during)


def test_litellm_logs_again_what_others_call_after_an_answer(lm: dspy.LM):
    from litellm._internal_context import is_internal_call

    scripted.register("model", ["fine"])

    async def main() -> bool:
        with calling(CallContext(Session(NoStore()), stage="test")):
            assert await lm.acall("Are you there?") == ["fine"]
        return is_internal_call.get()

    assert asyncio.run(main()) is False

"""Ctrl-C and SIGKILL in every stage: what was returned is kept, and the same command goes on to the same end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import scripted_team
from conftest import write_corpus
from warm_python import PROCESSES

from arf_programs.cli.app import app
from arf_programs.models import scripted

_BOUND = 90.0  # seconds after which a test has failed
_FILES = ("conversations.jsonl", "drafts.jsonl", "taxonomy.yaml", "errors.jsonl", "revisions.jsonl")


def _child(arguments: list[str], log: Path, at: tuple[str, int] | None, what: int) -> None:
    """`arf` with a scripted team that notes each question in `log`, and strikes itself at the n-th of a kind."""
    os.setsid()
    # Whoever runs the tests in the background may have them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(log.with_suffix(".out"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    team = scripted_team.Team()

    def answer(messages: scripted.Messages, params: dict[str, Any]) -> Any:
        with log.open("a", encoding="utf-8") as lines:
            asked = json.dumps([messages, params["temperature"]])
            lines.write(hashlib.sha256(asked.encode()).hexdigest() + "\n")
        kind, _ = scripted_team.read_question(messages)
        if at is not None and (kind, team.asked[kind] + 1) == at:
            os.kill(os.getpid(), what)
        return team(messages, params)

    scripted.register("model", answer)
    app(arguments)


class Project:
    """A folder with an arf.yaml whose roles are asked one question at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.starts = 0

    def make(self, **sections: object) -> Project:
        write_corpus(self.folder / "conversations.jsonl")
        model = {"model": "scripted/model", "concurrency": 1}
        config = {"name": "test", "run_dir": str(self.run), "corpus": {"path": "conversations.jsonl", "holdout": 0.25}}
        # Every wrong sentence is asked about, so that there is a question at which to interrupt.
        config["revise"] = {"candidates": 2, "edits": "one_by_one", "values": False}
        text = json.dumps({**config, "models": {"teacher": model}, **sections})
        (self.folder / "arf.yaml").write_text(text, encoding="utf-8")
        return self

    def start(self, command: str, *options: str, at: tuple[str, int] | None = None, what: int = 0) -> BaseProcess:
        self.starts += 1
        arguments = [command, str(self.folder / "arf.yaml"), *options]
        process = PROCESSES.Process(target=_child, args=(arguments, self.log(self.starts), at, what))
        process.start()
        return process

    def arf(self, command: str, *options: str, at: tuple[str, int] | None = None, what: int = 0) -> int:
        """The exit code of a command, negative for a signal."""
        process = self.start(command, *options, at=at, what=what)
        return self.end(process)

    def end(self, process: BaseProcess) -> int:
        process.join(_BOUND)
        assert process.exitcode is not None, "it hangs"
        return process.exitcode

    def log(self, start: int) -> Path:
        return self.folder / f"asked-{start}.txt"

    def asked(self, start: int) -> list[str]:
        """The questions of a start, as hashes."""
        return self.log(start).read_text(encoding="utf-8").splitlines() if self.log(start).exists() else []

    def said(self) -> str:
        return self.log(self.starts).with_suffix(".out").read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        return {name: (self.run / name).read_bytes() for name in _FILES}


def wait_for(found: Callable[[], object], process: BaseProcess, project: Project) -> None:
    """Wait until something is there, for as long as the process lives."""
    end = time.monotonic() + _BOUND
    while not found():
        assert process.is_alive(), project.said()
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that nobody interrupted."""
    project = Project(tmp_path_factory.mktemp("whole")).make()
    assert project.arf("revise") == 0, project.said()
    return project.files()


@pytest.mark.parametrize("at", [("summary", 6), ("find", 8)], ids=str)
def test_after_ctrl_c_the_same_command_goes_on_and_asks_nothing_twice(tmp_path, whole, at):
    project = Project(tmp_path).make()
    assert project.arf("revise", at=at, what=signal.SIGINT) == 130, project.said()
    assert "the same command goes on from there" in project.said()
    assert "Traceback" not in project.said()
    assert project.arf("revise") == 0, project.said()
    assert_one_question_asked_again(project)
    assert project.files() == whole


KILLS = [("summary", 4), ("summary", 4), ("notes", 5), ("induce", 1), ("find", 5), ("sentence", 1), ("find", 3)]


def test_killed_again_and_again_it_still_ends_and_asks_nothing_twice(tmp_path, whole):
    project = Project(tmp_path).make()
    for at in KILLS:
        assert project.arf("revise", at=at, what=signal.SIGKILL) == -signal.SIGKILL, project.said()
    assert project.arf("revise") == 0, project.said()
    assert_one_question_asked_again(project)
    assert project.files() == whole


def assert_one_question_asked_again(project):
    """Only the question at which a start was killed, whose answer never arrived, may be asked by a later one."""
    starts = [project.asked(start) for start in range(1, project.starts + 1)]
    for number, questions in enumerate(starts, start=1):
        later = {question for after in starts[number:] for question in after}
        assert not set(questions[:-1]) & later
        assert len(set(questions)) == len(questions)


def test_a_stage_that_was_killed_is_missing_not_whole(tmp_path):
    project = Project(tmp_path).make()
    project.arf("revise", at=("find", 3), what=signal.SIGKILL)
    assert not (project.run / "errors.jsonl").exists()
    assert not (project.run / "manifests" / "analyze.json").exists()
    assert project.arf("status", "--json") == 0
    stages = json.loads(project.said())["stages"]
    assert [stages[name]["state"] for name in ("draft", "taxonomy", "analyze")] == ["whole", "whole", "missing"]


def test_a_training_that_was_interrupted_goes_on_from_its_checkpoint(tmp_path):
    """First Ctrl-C, as a terminal sends it to all of its processes, then SIGKILL to all of them."""
    from tiny_model import save_tiny_model  # torch takes seconds, which no child has to spend

    base = save_tiny_model(tmp_path / "tiny")
    train = {"base": str(base), "arms": ["arf"], "epochs": 6, "lora": {"r": 2}}
    project = Project(tmp_path).make(train=train)
    checkpoints = project.run / "student" / "arf" / "checkpoints"

    process = project.start("train")
    wait_for((project.run / "train" / "arf.json").exists, process, project)
    os.killpg(process.pid, signal.SIGINT)
    assert project.end(process) == 130, project.said()
    process = project.start("train")
    wait_for(lambda: list(checkpoints.rglob("whole.json")), process, project)
    os.killpg(process.pid, signal.SIGKILL)
    assert project.end(process) == -signal.SIGKILL
    assert not (project.run / "student" / "arf" / "training_log.json").exists()
    assert project.arf("train") == 0, project.said()
    assert "resuming after step" in (project.run / "train" / "log.txt").read_text(encoding="utf-8")
    log = json.loads((project.run / "student" / "arf" / "training_log.json").read_text(encoding="utf-8"))
    assert [item["step"] for item in log["losses"]] == list(range(1, log["steps"] + 1))
    assert not checkpoints.exists()


def test_an_evaluation_that_was_killed_goes_on(project, finished_project):
    """Predictions and ratings that had arrived are not made again."""
    options = ["--run-dir", str(project / "run"), "--set", "models.judge.concurrency=1"]
    options += ["--set", "models.judge.temperature=0.5"]
    again = Project(project)
    again.run = project / "run"
    assert again.arf("run", *options, at=("rate", 5), what=signal.SIGKILL) == -signal.SIGKILL, again.said()
    predicted = (again.run / "calls.jsonl").read_text(encoding="utf-8").count('"embedded/')
    assert again.arf("run", *options) == 0, again.said()
    assert not set(again.asked(1)[:-1]) & set(again.asked(2))
    calls = [json.loads(line) for line in (again.run / "calls.jsonl").read_text(encoding="utf-8").splitlines()]
    embedded = [call for call in calls if call["model"].startswith("embedded/")]
    assert all(call["cached"] for call in embedded[predicted:])
    assert json.loads((again.run / "summary.json").read_text(encoding="utf-8"))["finished"] is True

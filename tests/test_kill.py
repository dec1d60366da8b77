"""A run killed at any moment loses no answer that was stored, and sends again only what was in flight."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from model_server import ModelServer
from model_server_faults import Faults
from served_team import serving, write_project
from tiny_model import save_tiny_model
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.stages import train
from signatures.records import Revision, Score

CONVERSATIONS, TRAINING, IN_FLIGHT = 60, 54, 16
# Kills at so many requests, wherever they fall; and as soon as a file is there: the stages that ask no model.
pytestmark = pytest.mark.slow
KILLS_AT_CALLS = 3
KILLS_AT_FILES = ("config.yaml", "train/log.txt", "student/arf/checkpoints/checkpoint-*", "summary.json")
OUTPUTS = (
    "conversations.jsonl",
    "drafts.jsonl",
    "taxonomy.yaml",
    "errors.jsonl",
    "revisions.jsonl",
    "train/arf.jsonl",
    "student/arf/adapter_model.safetensors",
    "predictions.jsonl",
    "scores.jsonl",
    "comparisons.jsonl",
)
SYSTEMS = {"base", "teacher", "reviser", "student_arf"}
Moment = Callable[[], bool]


def start(config: Path) -> int:
    """`arf run` in a forked process, which has all modules loaded; its process id."""
    child = os.fork()
    if child:
        return child
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    train.subprocess = subprocess  # not forked from a server of the parent
    try:
        app(["run", str(config)], standalone_mode=False)
    except BaseException:
        os._exit(1)
    os._exit(0)


def kill_at_first(moments: Sequence[Moment], config: Path) -> Moment:
    """Kill `arf run` at the first of these moments, and return it."""
    child = start(config)
    while not (reached := next((moment for moment in moments if moment()), None)):
        ended, _ = os.waitpid(child, os.WNOHANG)
        assert not ended, "the run ended before it was killed"
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    time.sleep(0.06)  # what was on its way arrives
    return reached


def stored(run: Path) -> int:
    """Answers in the store, which is there from the first call on."""
    file = run / "calls" / "cache.db"
    if not file.exists():
        return 0
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as store:
        return int(store.execute("select count(*) from Cache").fetchone()[0])


def project(folder: Path, server: ModelServer, base: Path) -> Path:
    """A project of all stages: the students are trained really, and answered for by the server."""
    served = f"{{model: hosted_vllm/m, api_base: '{server.base_url}', logprobs: false, concurrency: {IN_FLIGHT}}}"
    extra = (
        f"train: {{base: {base}, arms: [arf], epochs: 1, batch_size: 16}}\n"
        f"evaluate: {{similarity: null, samples: 100, serve: {{base: {served}, student_arf: {served}}}}}\n"
    )
    return write_project(folder, server.base_url, CONVERSATIONS, extra, model=f", concurrency: {IN_FLIGHT}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_run_killed_in_every_stage_equals_one_never_killed(tmp_path):
    base = save_tiny_model(tmp_path / "base")
    with serving(Faults(latency=0.02, jitter=0.02)) as server:
        whole = project(tmp_path / "whole", server, base)
        result = CliRunner().invoke(app, ["run", str(whole)])
        assert result.exit_code == 0, result.output
        calls = server.stats()["requests"]
        server.reset()
        killed = project(tmp_path / "killed", server, base)
        run = killed.parent / "run"
        lost: list[int] = []

        def at_call(number: int) -> Moment:
            return lambda: server.stats()["requests"] >= number + sum(lost)

        def at_file(name: str) -> Moment:
            return lambda: any(run.glob(name))

        moments = [at_file(name) for name in KILLS_AT_FILES]
        moments += [at_call(number) for number in random.Random(17).sample(range(1, calls), KILLS_AT_CALLS)]
        while moments:
            moments.remove(kill_at_first(moments, killed))
            lost.append(server.stats()["requests"] - stored(run) - sum(lost))
        result = CliRunner().invoke(app, ["run", str(killed)])
        assert result.exit_code == 0, result.output
        sent = server.stats()["requests"]
    for name in OUTPUTS:
        assert (run / name).read_bytes() == (whole.parent / "run" / name).read_bytes(), name
    assert len(list(read_jsonl(run / "revisions.jsonl", Revision))) == TRAINING
    assert {score.system for score in read_jsonl(run / "scores.jsonl", Score)} == SYSTEMS
    assert len(lost) == KILLS_AT_CALLS + len(KILLS_AT_FILES)
    assert max(lost) <= IN_FLIGHT
    assert sum(lost) > 0, "no kill met a call in flight"
    assert sent == calls + sum(lost), "a call whose answer was stored was sent again"
    assert not (run / "parts").exists() or not list((run / "parts").iterdir())


def test_a_run_of_two_workers_that_is_killed_equals_one_never_killed(tmp_path):
    with serving(Faults(latency=0.05)) as server:
        whole, killed = (
            write_project(tmp_path / name, server.base_url, 60, "workers: 2\n", model=f", concurrency: {IN_FLIGHT}")
            for name in ("whole", "killed")
        )
        command = [sys.executable, "-c", "from arf_programs.cli.app import main; main()", "revise"]
        subprocess.run([*command, str(whole)], check=True, capture_output=True)
        calls = server.stats()["requests"]
        server.reset()
        for number in (calls // 3, 2 * calls // 3):
            with subprocess.Popen([*command, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
                while server.stats()["requests"] < number:
                    assert run.poll() is None, "the run ended before it was killed"
                    time.sleep(0.002)
                run.kill()
        subprocess.run([*command, str(killed)], check=True, capture_output=True)
        sent = server.stats()["requests"]
    for name in ("drafts.jsonl", "errors.jsonl", "revisions.jsonl"):
        assert (killed.parent / "run" / name).read_bytes() == (whole.parent / "run" / name).read_bytes(), name
    assert calls <= sent <= calls + 2 * IN_FLIGHT

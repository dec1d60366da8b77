"""A run killed at any moment loses no answer that was stored, and sends again only what was in flight."""

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from model_server_faults import Faults
from served_team import serving, write_project
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.jsonl import read_jsonl
from signatures.records import Revision

CONVERSATIONS, KILLS, IN_FLIGHT = 300, 20, 16
OUTPUTS = ("conversations.jsonl", "drafts.jsonl", "taxonomy.yaml", "errors.jsonl", "revisions.jsonl")


def start(config: Path) -> int:
    """`arf revise` in a forked process, which has all modules loaded; its process id."""
    child = os.fork()
    if child:
        return child
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    try:
        app(["revise", str(config)], standalone_mode=False)
    except BaseException:
        os._exit(1)
    os._exit(0)


def finished(child: int) -> int | None:
    """The exit code of a process that has ended."""
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def stored(config: Path) -> int:
    with sqlite3.connect(f"file:{config.parent / 'run' / 'calls' / 'cache.db'}?mode=ro", uri=True) as store:
        return int(store.execute("select count(*) from Cache").fetchone()[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_run_killed_at_twenty_moments_equals_one_never_killed(tmp_path):
    with serving(Faults(latency=0.02, jitter=0.02)) as server:
        model = f", concurrency: {IN_FLIGHT}"
        whole = write_project(tmp_path / "whole", server.base_url, CONVERSATIONS, model=model)
        result = CliRunner().invoke(app, ["revise", str(whole)])
        assert result.exit_code == 0, result.output
        calls = server.stats()["requests"]
        server.reset()
        killed = write_project(tmp_path / "killed", server.base_url, CONVERSATIONS, model=model)
        moments = sorted(random.Random(17).sample(range(1, calls), KILLS))
        lost: list[int] = []
        for moment in moments:
            child = start(killed)
            while server.stats()["requests"] < moment + sum(lost) and finished(child) is None:
                time.sleep(0.002)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            time.sleep(0.06)  # what was on its way arrives
            lost.append(server.stats()["requests"] - stored(killed) - sum(lost))
        result = CliRunner().invoke(app, ["revise", str(killed)])
        assert result.exit_code == 0, result.output
        sent = server.stats()
    for name in OUTPUTS:
        assert (tmp_path / "killed/run" / name).read_bytes() == (tmp_path / "whole/run" / name).read_bytes(), name
    assert len(list(read_jsonl(killed.parent / "run/revisions.jsonl", Revision))) == 270
    assert max(lost) <= IN_FLIGHT
    assert sum(lost) > 0, "no kill met a call in flight"
    assert sent["requests"] == calls + sum(lost), "a call whose answer was stored was sent again"
    assert not (killed.parent / "run/parts").exists() or not list((killed.parent / "run/parts").iterdir())

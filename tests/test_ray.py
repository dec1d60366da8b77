"""`engine: ray` on a cluster of two nodes on this machine: the same records and caps, and a node that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import served_team
import test_secrets
from model_server import running_server
from model_server_faults import Faults
from quickstart_script import ASKING_MORE, QUICKSTART, RECORDS, write_script
from served_team import serving, write_project
from test_secrets import planted as planted
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.runner.cluster import run as cluster_run
from arf_programs.runs.ledger import read_ledger

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray")

pytestmark = pytest.mark.slow
ON_RAY = "engine: ray\nray: {workers: 2, cpus: 1, batch: 8}\n"
MEMORY = 120_000_000  # bytes of a node's object store


def arf(*arguments, code=0):
    result = CliRunner().invoke(app, [str(item) for item in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture(scope="module")
def cluster():
    """The head, on which the runs are started, and room for one more node."""
    from ray.cluster_utils import Cluster

    at_termination = signal.getsignal(signal.SIGTERM)  # a node sets its own
    with pytest.MonkeyPatch.context() as patch:  # as in the shell of somebody who has keys
        for name, value in test_secrets.ENVIRONMENT.items():
            patch.setenv(name, value)
        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 2, "object_store_memory": MEMORY, "include_dashboard": False},
        )
    ray.init(made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()
    signal.signal(signal.SIGTERM, at_termination)


@pytest.fixture
def second_node(cluster):
    """A further node, gone after the test."""
    node = cluster.add_node(num_cpus=2, object_store_memory=MEMORY)
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node, allow_graceful=False)


def test_the_quickstart_gives_the_same_records_as_on_one_machine(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_run, "_ROWS_A_ROUND", 20)  # 30 drafts take two
    model = f"models={{teacher: 'scripted/{write_script(tmp_path / 'answers.jsonl')}'}}"
    local, over_ray = tmp_path / "local", tmp_path / "ray"
    common = ["revise", QUICKSTART, "--limit", 30, *(word for key in (model, *ASKING_MORE) for word in ("--set", key))]
    arf(*common, "--run-dir", local)
    more = ["engine=ray", "ray.batch=5", "ray.workers=1"]
    arf(*common, "--run-dir", over_ray, *(item for key in more for item in ("--set", key)))
    for name in RECORDS:
        assert (over_ray / name).read_bytes() == (local / name).read_bytes(), name
    failed = Counter(json.loads(line)["stage"] for line in (over_ray / "failures.jsonl").read_text().splitlines())
    assert failed["analyze"] > 0
    assert not failed["revise"], "what failed at one step went on to the next"
    assert not list((over_ray / "parts").iterdir())
    booked = [Counter(call.stage for call in read_ledger(run / "calls.jsonl")) for run in (local, over_ray)]
    assert booked[0] == booked[1]
    assert "verified" in (over_ray / "revisions.jsonl").read_text()


def test_drafts_of_a_column_are_read_there_too_and_a_second_model_writes_the_others(cluster, tmp_path):
    rows = [json.loads(line) for line in (QUICKSTART.parent / "conversations.jsonl").read_text().splitlines()[:12]]
    given = [row | {"draft": row["draft"] if number % 4 else None} for number, row in enumerate(rows)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    second = f"scripted/{write_script(tmp_path / 'answers.jsonl')}"
    settings = (
        f"models={{teacher: {{column: draft, name: people, otherwise: '{second}'}}, editor: '{second}'}}",
        f"corpus.path={tmp_path / 'corpus.jsonl'}",
        "labeled.path=null",
        "engine=ray",
        "ray.workers=1",
    )
    run = tmp_path / "run"
    arf("draft", QUICKSTART, "--run-dir", run, *(word for key in settings for word in ("--set", key)))
    models = Counter(json.loads(line)["model"] for line in (run / "drafts.jsonl").read_text().splitlines())
    assert models == {"people": 9, second: 3}


def test_a_killed_node_loses_nothing_and_pays_twice_only_for_what_was_in_flight(cluster, second_node, tmp_path):
    in_flight: list[int] = []
    asked: Counter[str] = Counter()

    def kill() -> None:
        in_flight.append(server.counts.in_flight)
        cluster.remove_node(second_node, allow_graceful=False)

    def answer(body):
        asked["all"] += 1
        if asked["all"] == 60:
            threading.Thread(target=kill).start()
        return served_team.answer(body)

    with running_server(Faults(latency=0.05), answer) as server:
        config = write_project(tmp_path / "ray", server.base_url, 90, extra=ON_RAY, model=", concurrency: 8")
        arf("draft", config)
        sent = server.requests()
    with serving() as server:
        here = write_project(tmp_path / "here", server.base_url, 90)
        arf("draft", here)
        assert sent.keys() == server.requests().keys()
    assert (config.parent / "run/drafts.jsonl").read_bytes() == (here.parent / "run/drafts.jsonl").read_bytes()
    assert in_flight, "the node was not killed"
    again = sum(sent.values()) - len(sent)
    assert again <= 8, "what was answered is asked again"
    assert sum(not call.cached for call in read_ledger(config.parent / "run/calls.jsonl")) == 90
    sys.stderr.write(f"in flight at the kill: {in_flight}, sent again: {again}\n")


def test_a_cap_is_never_passed_and_the_run_goes_on_when_it_is_raised(cluster, tmp_path):
    with serving(Faults(latency=0.01)) as server:
        config = write_project(tmp_path, server.base_url, 40, extra=ON_RAY)
        told = arf("draft", config, "--set", "budget.calls=25", code=3)
        assert server.stats()["requests"] == 25
        assert "25 calls are sent, and no more may be: raise the cap in `budget`" in told.stderr
        assert "Traceback" not in told.stderr
        assert len(read_ledger(tmp_path / "run/calls.jsonl")) == 25, "an answer that was paid for is lost"
        arf("draft", config)
        assert server.stats()["requests"] == 40
    assert len((tmp_path / "run/drafts.jsonl").read_text().splitlines()) == 40


def test_no_file_of_ray_or_of_the_run_holds_a_secret(cluster, planted, tmp_path):
    with test_secrets.echoing() as address:
        config = test_secrets.write_project(tmp_path, address)
        config.write_text(config.read_text() + ON_RAY)
        result = CliRunner().invoke(app, ["draft", str(config), "-v"])
        config.unlink()
    said = test_secrets.assert_clean(tmp_path, result.output, result.stderr)
    assert "bad request" in said, "no answer has echoed the secrets"
    written = [path for path in Path(cluster.head_node.get_session_dir_path()).rglob("*") if path.is_file()]
    assert len(written) > 20
    found = {path.name: test_secrets.found_in(path.read_bytes().decode(errors="replace")) for path in written}
    assert {name: secrets for name, secrets in found.items() if secrets} == {}


def test_workers_ask_once_for_the_same(cluster, tmp_path):
    with serving(Faults(latency=0.05)) as server:
        config = write_project(
            tmp_path, server.base_url, 12, extra=ON_RAY.replace("batch: 8", "batch: 1, format: jsonl")
        )
        corpus = tmp_path / "conversations.jsonl"
        first = json.loads(corpus.read_text().splitlines()[0])
        twins = [json.dumps({**first, "id": f"again{n}"}) + "\n" for n in range(12)]
        corpus.write_text(corpus.read_text() + "".join(twins))
        arf("draft", config)
        assert server.stats()["requests"] == 12


def test_when_the_owner_of_the_answers_dies_the_run_ends_and_says_so(cluster, tmp_path, monkeypatch):
    start, owners = cluster_run._start_owner, []
    asked: Counter[str] = Counter()

    def noting(*arguments):
        owners.append(start(*arguments))
        return owners[-1]

    def answer(body):
        asked["all"] += 1
        if asked["all"] == 20:
            ray.kill(owners[0])
        return served_team.answer(body)

    monkeypatch.setattr(cluster_run, "_start_owner", noting)
    with running_server(Faults(latency=0.02), answer) as server:
        config = write_project(tmp_path, server.base_url, 40, extra=ON_RAY)
        told = arf("draft", config, code=1).stderr
        assert "the Ray cluster failed" in told
        assert "Traceback" not in told


def test_without_the_package_the_error_gives_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    config = write_project(tmp_path, "http://127.0.0.1:1/v1", 4, extra="engine: ray\n")
    told = arf("draft", config, code=2).stderr
    assert "`engine: ray` needs the package ray: pip install 'arf-programs[ray]'" in told


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere"])
def test_without_a_cluster_the_error_says_how_to_start_one(tmp_path, address):
    arguments = ["draft", str(write_project(tmp_path, "http://127.0.0.1:9/v1", 4, extra="engine: ray\n"))]
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from arf_programs.cli.app import main; main()",
            *arguments,
            "--set",
            f"ray.address={address}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 1, told.stderr
    assert f"no cluster at {address}" in told.stderr
    assert "ray start --head" in told.stderr
    assert "Traceback" not in told.stderr


def test_batch_mode_is_refused(tmp_path):
    config = write_project(tmp_path, "http://127.0.0.1:1/v1", 4, extra="engine: ray\n", model=", mode: batch")
    told = arf("draft", config, code=2).stderr
    assert "`engine: ray` does not go with `mode: batch` (models.teacher)" in told

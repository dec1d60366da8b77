"""`bench/gpu.py` runs on a CPU with tiny shapes: each part gives figures, and one in trouble stops no other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    output = tmp_path_factory.mktemp("gpu") / "figures.json"
    command = [sys.executable, str(BENCH / "gpu.py"), "--tiny", "--output", str(output)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=BENCH.parent), output


@pytest.fixture(scope="module")
def figures(done):
    return json.loads(done[0].stdout.splitlines()[-1])


def test_all_parts_end_well_and_print_tables_and_an_object(done, figures):
    process, output = done
    assert process.returncode == 0, process.stderr
    assert json.loads(output.read_text(encoding="utf-8")) == figures
    assert "| engine, batch 4 |" in process.stdout


def test_answers_and_speed_of_the_engine(figures):
    answers = figures["a"]["answers of GPU and CPU"]
    assert {answers[kind] for kind in ("greedy", "schema", "sampled", "logprobs")} == {"24 of 24 the same"}
    assert figures["a"]["engine, batch 4"]["tokens_s"] > 0


def test_both_sides_train_on_the_same_tokens(figures):
    for name in ("4 x 128", "packed 256"):
        sides = [figures["b"][f"{name}, {side}"] for side in ("ours", "trl_defaults", "trl_bfloat16")]
        assert len({side["tokens"] for side in sides}) == 1
        assert all(side["tokens_s"] > 0 for side in sides)
        assert sides[0]["estimate by use, GiB"].keys() >= {"weights", "activations"}


def test_adapters_answer_as_merged_ones(figures):
    adapters = figures["c"]["answers of adapters, switched against merged"]
    assert adapters["the same"] == "32 of 32, asked at once"
    assert adapters["adapters differ"]
    assert figures["c"]["adapters on the 8B"]["ms of a switch"] < 1000


def test_a_part_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import gpu

    assert gpu.run_part("a", tiny=True, limit=0.3) == {"part": {"error": "stopped after 0 seconds"}}

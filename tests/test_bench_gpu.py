"""`bench/gpu.py` runs on a CPU with tiny shapes: every measurement gives figures, and a failure stops no other."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parent.parent / "bench"


def run(*arguments):
    command = [sys.executable, str(BENCH / "gpu.py"), "--tiny", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=BENCH.parent)
    return done, json.loads(done.stdout.splitlines()[-1])


def test_the_parts_that_ask_the_engine(tmp_path):
    done, figures = run("--parts", "a", "c", "--output", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stderr
    answers = figures["a"]["answers of GPU and CPU"]
    assert {answers[kind] for kind in ("greedy", "schema", "sampled", "logprobs")} == {"24 of 24 the same"}
    assert figures["a"]["engine, batch 4"]["tokens_s"] > 0
    adapters = figures["c"]["answers of adapters, switched against merged"]
    assert adapters["the same"] == "32 of 32, asked at once"
    assert adapters["adapters differ"]
    assert figures["c"]["adapters on the 8B"]["ms of a switch"] < 1000
    assert "| engine, batch 4 |" in done.stdout
    assert json.loads((tmp_path / "figures.json").read_text()) == figures


def test_the_part_that_trains():
    done, figures = run("--parts", "b")
    assert done.returncode == 0, done.stderr
    for name in ("4 x 128", "packed 256"):
        for side in ("ours", "trl_defaults", "trl_bfloat16"):
            assert figures["b"][f"{name}, {side}"]["tokens_s"] > 0
        counts = {figures["b"][f"{name}, {side}"]["tokens"] for side in ("ours", "trl_defaults")}
        assert len(counts) == 1  # both train on the same tokens
        assert figures["b"][f"{name}, ours"]["estimate by use, GiB"].keys() >= {"weights", "activations"}


def test_a_part_that_takes_too_long_is_stopped_and_the_next_one_runs():
    done, figures = run("--parts", "a", "c", "--limit", "0.5")
    assert done.returncode == 1
    assert figures["a"]["part"] == figures["c"]["part"] == {"error": "stopped after 0 seconds"}

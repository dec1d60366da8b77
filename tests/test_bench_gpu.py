"""`bench/gpu.py` runs on a CPU with tiny shapes: each part gives figures, and one in trouble stops no other."""

import io
import json
import sys
from contextlib import redirect_stdout

import gpu
import pytest
import warm_python


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    output, said = tmp_path_factory.mktemp("gpu") / "figures.json", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr(sys, "argv", ["gpu.py", "--tiny", "--output", str(output)])
        patch.setattr(gpu, "subprocess", warm_python.SUBPROCESS)
        code = gpu.main()
    return code, said.getvalue(), output


@pytest.fixture(scope="module")
def figures(done):
    return json.loads(done[1].splitlines()[-1])


def test_all_parts_end_well_and_print_tables_and_an_object(done, figures):
    code, said, output = done
    assert code == 0, said
    assert json.loads(output.read_text(encoding="utf-8")) == figures
    assert "| engine, batch 4 |" in said


def test_answers_and_speed_of_the_engine(figures):
    answers = figures["a"]["answers of GPU and CPU"]
    assert {answers[kind] for kind in ("greedy", "schema", "sampled", "logprobs")} == {"4 of 4 the same"}
    assert figures["a"]["engine, batch 4"]["tokens_s"] > 0


def test_both_sides_train_on_the_same_tokens(figures):
    for name in ("4 x 128", "packed 256"):
        sides = [figures["b"][f"{name}, {side}"] for side in ("ours", "trl_defaults", "trl_bfloat16")]
        assert len({side["tokens"] for side in sides}) == 1
        assert all(side["tokens_s"] > 0 for side in sides)
        assert sides[0]["estimate by use, GiB"].keys() >= {"weights", "activations"}


def test_adapters_answer_as_merged_ones(figures):
    adapters = figures["c"]["answers of adapters, switched against merged"]
    assert adapters["the same"] == "8 of 8, asked at once"
    assert adapters["adapters differ"]
    assert figures["c"]["adapters on the 8B"]["ms of a switch"] < 1000


def test_a_part_that_takes_too_long_is_stopped():
    assert gpu.run_part("a", tiny=True, limit=0.3) == {"part": {"error": "stopped after 0 seconds"}}

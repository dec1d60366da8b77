"""The comparison of `bench/train_speed.py` is fair: both sides learn the same from the same rows."""

import importlib.util
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from test_training_sft import make_rows
from tiny_model import save_tiny_model

from arf_programs.runs.jsonl import write_jsonl_atomic

PATH = Path(__file__).parent.parent / "bench" / "train_speed.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("train_speed", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rows_are_the_quickstarts_with_their_references(bench):
    rows = bench.quickstart_rows(None)
    assert len(rows) == 63
    assert len(bench.quickstart_rows(6)) == 6
    assert all(row.completion for row in rows)


def test_both_sides_train_the_same_weights_on_the_same_tokens_to_the_same_loss(bench, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    write_jsonl_atomic(tmp_path / "rows.jsonl", make_rows(20))
    base = str(save_tiny_model(tmp_path / "tiny"))
    given = {"rows": tmp_path / "rows.jsonl", "base": base, "epochs": 2.0, "last_layers": 1, "learning_rate": 0.01}
    ours, theirs = (bench.train(Namespace(side=side, **given)) for side in ("ours", "trl_float32"))
    torch.set_num_threads(threads)
    for name in ("rows", "tokens", "steps", "trainable"):
        assert ours[name] == theirs[name], name
    assert (ours["rows"], ours["steps"]) == (16, 4)
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-3)

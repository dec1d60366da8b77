"""A batch that does not fit the memory is made smaller, and the training stays the same."""

import json

import pytest
import torch
from safetensors.torch import load_file
from test_training_sft import base, data, one_thread, read_log  # noqa: F401 - fixtures
from transformers import LlamaForCausalLM

from training import sft
from training.loop import run as loop
from training.loop.fitting import FittedBatch, train_fitting
from training.loop.hardware import Hardware
from training.settings import TrainSettings

GPU = Hardware("cuda", "a GPU in name", memory=2**40, bf16=False)
FLAGS = ["--epochs", "2", "--batch-size", "4", "--gradient-accumulation", "1", "--learning-rate", "0.01"]
FLAGS += ["--lora-r", "2", "--lora-alpha", "4", "--lora-dropout", "0"]


@pytest.fixture
def gpu(monkeypatch):
    """Training takes this machine for one with a GPU, so several rows share a batch."""
    monkeypatch.setattr(loop, "find_hardware", lambda: GPU)


@pytest.fixture
def memory(monkeypatch):
    """Sets how many rows fit the memory at once, and from which call on; gives the rows of each call."""
    forward, calls, limit = LlamaForCausalLM.forward, [], {"rows": 99, "from": 0}

    def bounded(self, *args, **kwargs):
        rows = kwargs["input_ids"].shape[0]
        calls.append(rows)
        if rows > limit["rows"] and len(calls) > limit["from"]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(LlamaForCausalLM, "forward", bounded)
    return limit, calls


def train(data, base, output, *more):  # noqa: F811
    return sft.main(["--data", str(data), "--output", str(output), "--base", base, *FLAGS, *more])


def weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def assert_same_training(first, second):
    (one, other) = (read_log(folder) for folder in (first, second))
    assert [step["step"] for step in one["losses"]] == [step["step"] for step in other["losses"]]
    for a, b in zip(one["losses"], other["losses"], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
    for name, tensor in weights(first).items():
        torch.testing.assert_close(tensor, weights(second)[name], rtol=1e-2, atol=1e-4)


def test_a_batch_that_does_not_fit_is_made_smaller_and_the_training_stays_the_same(
    data, base, tmp_path, gpu, memory, capfd  # noqa: F811
):  # fmt: skip
    limit, calls = memory
    assert train(data, base, tmp_path / "large") == 0
    assert max(calls) == 4 and read_log(tmp_path / "large")["smaller_batch"] is None
    capfd.readouterr()
    calls.clear()
    limit["rows"] = 1
    assert train(data, base, tmp_path / "small") == 0
    assert [rows for rows in calls if rows > 1] == [4, 2]
    said = "4 rows at once do not fit the memory: 1 at once, gathered 4 times (an update stays at 4 rows)"
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["say"] for line in lines if "say" in line][-1] == said
    assert read_log(tmp_path / "small")["smaller_batch"] == said
    assert read_log(tmp_path / "small")["settings"]["batch_size"] == 4
    assert_same_training(tmp_path / "small", tmp_path / "large")


def test_memory_that_runs_out_late_costs_the_steps_since_the_last_checkpoint(
    data, base, tmp_path, gpu, memory, capfd, monkeypatch  # noqa: F811
):  # fmt: skip
    limit, calls = memory
    assert train(data, base, tmp_path / "large") == 0
    whole = len(calls)
    calls.clear()
    capfd.readouterr()
    limit |= {"rows": 2, "from": whole - 1}
    assert train(data, base, tmp_path / "small") == 0
    steps = [line["step"] for line in map(json.loads, capfd.readouterr().out.splitlines()) if "step" in line]
    assert steps == list(range(1, steps[-1] + 1))  # no step is done twice
    assert_same_training(tmp_path / "small", tmp_path / "large")
    tokens = [read_log(tmp_path / name)["tokens"] for name in ("small", "large")]
    assert tokens[0] == tokens[1]


def test_a_single_row_that_does_not_fit_is_an_error_that_says_what_to_change(
    data, base, tmp_path, gpu, memory, capfd  # noqa: F811
):  # fmt: skip
    memory[0]["rows"] = 0
    assert train(data, base, tmp_path / "none") == 1
    assert "Out of memory with one row at once: set train.gradient_checkpointing" in capfd.readouterr().err
    assert memory[1] == [4, 2, 1]


def test_another_error_is_raised_at_once():
    def fail(_: TrainSettings) -> None:
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        train_fitting(TrainSettings(), GPU, fail, print)


@pytest.mark.parametrize(
    ("rows", "gathered", "tried"),
    [(8, 1, [8, 4, 2, 1]), (6, 2, [6, 3, 1]), (5, 1, [5, 1]), (1, 4, [1])],
)
def test_the_rows_of_an_update_stay_the_same(rows, gathered, tried):
    seen = []

    def attempt(settings: TrainSettings) -> None:
        seen.append(settings.batch_size)
        assert settings.batch_size * settings.gradient_accumulation == rows * gathered
        if settings.batch_size > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    said: list[FittedBatch] = []
    train_fitting(TrainSettings(batch_size=rows, gradient_accumulation=gathered), GPU, attempt, said.append)
    assert seen == tried
    assert [fitted.rows for fitted in said] == tried[1:]


def test_one_of_several_processes_does_not_try_again():
    tried = []

    def attempt(settings: TrainSettings) -> None:
        tried.append(settings.batch_size)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    launched = Hardware("cuda", "one of two", memory=0, bf16=True, visible=2, launched=True)
    with pytest.raises(Exception, match="Out of memory"):
        train_fitting(TrainSettings(batch_size=4), launched, attempt, print)
    assert tried == [4]

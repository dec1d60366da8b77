"""Training by several processes, in the environment that `accelerate launch` makes for each, here on the CPU."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file
from test_serving import free_port
from test_training_sft import make_rows, read_log
from tiny_model import save_tiny_model
from warm_python import run_python

from arf_programs.runs.jsonl import write_jsonl_atomic
from training import sft


def launch(*words):
    """What two processes printed that `accelerate launch --multi_gpu --num_processes 2` could have started.

    They find each other by the variables that torchrun sets, and talk by gloo, since there is no GPU. The launcher
    itself only sets these variables, and would import torch three times.
    """
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    shared |= {"TORCHELASTIC_RUN_ID": "none", "ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_DYNAMO_BACKEND": "NO"}

    def start(rank):
        return run_python("-m", *words, env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(start, range(2)))
    assert [process.returncode for process in done] == [0, 0], [process.stderr for process in done]
    return "".join(process.stdout for process in done)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


def train_with(processes, base, folder, rows):
    """Eight rows in updates of four: one process takes four rows a step, two take two each."""
    data, config = folder / "arf.jsonl", folder / f"{processes}.json"
    write_jsonl_atomic(data, rows)
    settings = {"base": base, "epochs": 3, "batch_size": 4 // processes, "learning_rate": 0.01}
    config.write_text(json.dumps({**settings, "lora": {"r": 2, "alpha": 4, "dropout": 0}}))
    output = folder / f"student{processes}"
    arguments = ["--data", str(data), "--output", str(output), "--config", str(config)]
    if processes == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        assert sft.main(arguments) == 0
        torch.set_num_threads(threads)
        return output, ""
    return output, launch("training.sft", *arguments)


def test_two_processes_give_the_loss_curve_of_one_at_the_same_global_batch(base, tmp_path):
    alone, _ = train_with(1, base, tmp_path, make_rows(8))
    together, said = train_with(2, base, tmp_path, make_rows(8))
    logs = [read_log(folder) for folder in (alone, together)]
    curves = [[step["loss"] for step in log["losses"]] for log in logs]
    assert len(curves[0]) == 6
    # Sums of float32 in another order: the losses agree to about their fifth digit.
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
    assert logs[1]["tokens"] == logs[0]["tokens"]
    adapters = [load_file(folder / "adapter_model.safetensors") for folder in (alone, together)]
    for name, weight in adapters[0].items():
        torch.testing.assert_close(adapters[1][name], weight, rtol=1e-2, atol=1e-4, msg=name)
    assert [json.loads(line)["step"] for line in said.splitlines()] == [1, 2, 3, 4, 5, 6]  # told by one of them

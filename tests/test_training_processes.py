"""Training by several processes, as `accelerate launch` starts them, here on the CPU."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from test_training_sft import make_rows, read_log
from tiny_model import save_tiny_model

from arf_programs.runs.jsonl import write_jsonl_atomic
from training import sft

# Without MPI, accelerate starts one process for `--cpu`. `--multi_gpu` starts two by torchrun, which talk by gloo where
# there is no GPU.
LAUNCH = [
    sys.executable,
    "-m",
    "accelerate.commands.launch",
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
]
LAUNCH += [
    "--main_process_port",
    "0",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
    "--num_cpu_threads_per_process",
    "1",
]


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
    command = [*LAUNCH, "-m", "training.sft", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return output, done.stdout


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

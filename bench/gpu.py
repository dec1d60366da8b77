"""Measure ARF on a GPU: the embedded engine, the training, and adapters on one base, with a random 8B in Llama's shape.

    python bench/gpu.py                 # a GPU with 80 GB: about five minutes
    python bench/gpu.py --parts a c     # some parts alone
    python bench/gpu.py --tiny          # the same on a CPU with tiny shapes, to test this script

No weights are needed or written: they are random, made on the device. Each part runs in a process of its own with a
time limit, prints its results as it goes, and one that fails prints its error. The parts:

- a: The answers of the engine on the GPU against those on the CPU (a tiny model in float32, greedy, with and without
  schema). Tokens a second of the 8B in bfloat16 by size of batch, against transformers' `generate`.
- b: LoRA training of the 8B at 4 x 1024 tokens, and on short rows packed to 8192 tokens: useful tokens a second, model
  FLOPs utilisation, peak memory against the dry run's estimate; and TRL's SFTTrainer on the same rows. Also with
  activations kept instead of computed again, and with Liger's kernels if they are installed.
- c: Adapters on one base: time to load one, time of a switch, answers against merged weights, tokens a second.

Useful tokens are those of prompt and completion, without padding. The FLOPs of a model with a frozen base are 4 for
each weight and token (2 forward, 2 backward for the activations), without those of checkpointing. Utilisation is
their share of the rate of a large matrix product measured in the same process. Prints tables, and as the last line one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_adapters import part_c
from gpu_common import MARK
from gpu_engine import part_a
from gpu_training import part_b

PARTS = ("a", "b", "c")
LIMITS = {"a": 150, "b": 330, "c": 120}  # seconds
RUN: dict[str, Callable[[dict[str, Any], bool], None]] = {"a": part_a, "b": part_b, "c": part_c}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--tiny", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument("--limit", type=float, help="seconds for each part, instead of the usual limits")
    parser.add_argument("--output", type=Path, help="also write the JSON object to this file, after each part")
    parser.add_argument("--one", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        RUN[options.one]({}, options.tiny)
        return 0
    every: dict[str, Any] = {"machine": machine(options.tiny)}
    for part in options.parts:
        every[part] = run_part(part, options.tiny, options.limit or LIMITS[part])
        show(part, every[part])
        if options.output:
            options.output.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(every))
    failed = [name for part in options.parts for name, figures in every[part].items() if "error" in figures]
    return 1 if failed else 0


def machine(tiny: bool) -> dict[str, str]:
    """Name the device and the versions."""
    from importlib.metadata import version

    import torch

    name = "CPU" if tiny or not torch.cuda.is_available() else torch.cuda.get_device_name(0)
    return {"device": name} | {package: version(package) for package in ("torch", "transformers", "trl", "peft")}


def run_part(part: str, tiny: bool, limit: float) -> dict[str, Any]:
    """Run one part in a process of its own, and return what it has printed until its end or its limit."""
    command = [sys.executable, __file__, "--one", part, *(["--tiny"] if tiny else [])]
    results: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        late = threading.Timer(limit, process.kill)
        late.start()
        for line in process.stdout or ():
            if line.startswith(MARK):
                results |= json.loads(line.removeprefix(MARK))
        code = process.wait()
        in_time = late.is_alive()
        late.cancel()
    if not in_time:
        results["part"] = {"error": f"stopped after {limit:.0f} seconds"}
    elif code:
        results["part"] = {"error": f"exit code {code}"}
    return results


def show(part: str, results: dict[str, Any]) -> None:
    """Print the figures of a part as a table."""
    print(f"\n| part {part} | figures |\n| --- | --- |")
    for name, figures in results.items():
        told = ", ".join(f"{key}: {value}" for key, value in figures.items())
        print(f"| {name} | {told} |")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())

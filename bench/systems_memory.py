"""Measure the peak memory of answering with a base and with adapters on it, as `evaluate` does, one after the other.

    python bench/systems_memory.py --adapters 4

The adapters have random weights on every linear layer. Each system answers the same prompts. Prints the peak memory of
the process (MB) before any model, and after each system.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOKENS, ANSWER = 700, 60


def peak_mb() -> float:
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def save_adapters(base: str, count: int, place: Path) -> list[str]:
    """Write adapters with random weights. This process never holds them, since another one makes them."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from arf_programs.models.local.weights import resolve_weights

    names = []
    for number in range(count):
        torch.manual_seed(number)
        model = AutoModelForCausalLM.from_pretrained(resolve_weights(base))
        config = LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear", init_lora_weights=False)
        folder = place / f"adapter{number}"
        get_peft_model(model, config).save_pretrained(folder)
        written = json.loads((folder / "adapter_config.json").read_text("utf-8")) | {"base_model_name_or_path": base}
        (folder / "adapter_config.json").write_text(json.dumps(written), encoding="utf-8")
        names.append(str(folder))
    return names


def answer(name: str, base: str, rows: int) -> dict[str, Any]:
    """Ask one system all prompts at once."""
    from arf_programs.models.embedded import engine as engine_module
    from arf_programs.models.embedded.row import Request

    engine, chance = engine_module.get_engine(name), random.Random(0)
    asked = [tuple(chance.randrange(100, 20_000) for _ in range(TOKENS)) for _ in range(rows)]
    started = time.monotonic()
    texts = [future.result().text for future in [engine.submit(Request(prompt, ANSWER)) for prompt in asked]]
    seconds = time.monotonic() - started
    if close := getattr(engine_module, "close_engines", None):  # versions before it kept every engine
        close(keep=[base])
    return {"system": Path(name).name, "peak_mb": round(peak_mb()), "seconds": round(seconds, 1), "texts": texts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--adapters", type=int, default=4)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help="write the answers to this file")
    options = parser.parse_args()
    if options.write:
        save_adapters(options.base, options.adapters, options.write)
        return
    with tempfile.TemporaryDirectory() as place:
        import subprocess

        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--write", place], check=True)
        results = []
        for name in [options.base, *sorted(str(path) for path in Path(place).iterdir())]:
            results.append(answer(name, options.base, options.rows))
            print({key: value for key, value in results[-1].items() if key != "texts"}, flush=True)
    if options.texts:
        options.texts.write_text(json.dumps([result["texts"] for result in results]), encoding="utf-8")
    print(json.dumps({"peak_mb": results[-1]["peak_mb"], "seconds": sum(result["seconds"] for result in results)}))


if __name__ == "__main__":
    main()

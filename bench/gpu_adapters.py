"""Part c of bench/gpu.py: adapters that are switched on one base."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_common import GIB, Results, Sizes, device_of, free, make_tokenizer, measured, peak, random_model, sizes, wait
from gpu_engine import TINY_SHAPE, engine_of, prompts, speed_of

if TYPE_CHECKING:
    from arf_programs.models.local.placement import Placement


def save_adapter(folder: Path, size: Sizes, placement: Placement, seed: int) -> Path:
    """Write a LoRA adapter with random weights on every linear layer of the model."""
    import torch
    from peft import LoraConfig
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    shape = size.shape
    hidden, head = shape["hidden_size"], shape.get("head_dim") or shape["hidden_size"] // shape["num_attention_heads"]
    queries, keys = shape["num_attention_heads"] * head, shape["num_key_value_heads"] * head
    wide = shape["intermediate_size"]
    modules = {
        "self_attn.q_proj": (hidden, queries),
        "self_attn.k_proj": (hidden, keys),
        "self_attn.v_proj": (hidden, keys),
        "self_attn.o_proj": (queries, hidden),
        "mlp.gate_proj": (hidden, wide),
        "mlp.up_proj": (hidden, wide),
        "mlp.down_proj": (wide, hidden),
    }
    weights = {}
    for layer in range(shape["num_hidden_layers"]):
        for name, (entering, leaving) in modules.items():
            key = f"base_model.model.model.layers.{layer}.{name}"
            made = {"lora_A": (size.rank, entering), "lora_B": (leaving, size.rank)}
            for part, form in made.items():
                weights[f"{key}.{part}.weight"] = 0.05 * torch.randn(form, device=placement.device)
    folder.mkdir()
    halves = {name: weight.to(placement.torch_dtype).cpu() for name, weight in weights.items()}
    save_file(halves, folder / "adapter_model.safetensors")
    targets = [name.rpartition(".")[2] for name in modules]
    LoraConfig(task_type="CAUSAL_LM", r=size.rank, lora_alpha=2 * size.rank, target_modules=targets).save_pretrained(
        folder
    )
    return folder


def part_c(results: Results, tiny: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        adapters_answer(results, tiny, Path(place))
        adapters_of_the_large(results, sizes(tiny), device_of(tiny), Path(place))


def adapters_answer(results: Results, tiny: bool, place: Path) -> None:
    """Compare the answers of two adapters on one tiny base in float32 with those of merged weights."""
    from dataclasses import replace

    from peft import PeftModel

    from arf_programs.models.embedded.base import SharedBase
    from arf_programs.models.embedded.row import Request
    from arf_programs.models.local.placement import Placement

    with measured(results, "answers of adapters, switched against merged") as figures:
        placement = Placement(device_of(tiny).device, "float32")
        size = replace(sizes(True), shape=TINY_SHAPE | {"head_dim": 16})
        folders = [save_adapter(place / f"tiny{number}", size, placement, number) for number in (1, 2)]
        tokenizer, asked = make_tokenizer(1024), prompts(min(16, sizes(tiny).compared), 60, 1024)
        merged = {}
        for folder in folders:
            model = PeftModel.from_pretrained(random_model(size.shape, placement), folder).merge_and_unload()
            alone = engine_of(model, tokenizer, placement)
            merged[folder] = [alone.submit(Request(prompt, 48)).result(timeout=60).text for prompt in asked]
            alone.close()
        base = SharedBase(random_model(size.shape, placement), tokenizer, placement)
        engines = dict(zip(folders, engines_on(base, [base.add(folder) for folder in folders]), strict=True))
        futures = {
            (folder, number): engine.submit(Request(prompt, 48))
            for number, prompt in enumerate(asked)
            for folder, engine in engines.items()
        }
        same = sum(future.result(timeout=60).text == merged[key[0]][key[1]] for key, future in futures.items())
        figures["the same"] = f"{same} of {len(futures)}, asked at once"
        figures["adapters differ"] = merged[folders[0]] != merged[folders[1]]
        for engine in engines.values():
            engine.close()


def engines_on(base: Any, names: Sequence[str]) -> list[Any]:
    """Make an engine for each of these adapters on one base."""
    from arf_programs.models.embedded.base import Weights
    from arf_programs.models.embedded.engine import Engine

    base.users += len(names)
    return [Engine(Weights(name, base, name, base.tokenizer)) for name in names]


def adapters_of_the_large(results: Results, size: Sizes, placement: Placement, place: Path) -> None:
    """Load three adapters on the large model, switch between them, and let all answer."""
    rows = size.batches[-2]
    asked = prompts(rows, size.prompt, size.shape["vocab_size"])
    with measured(results, "adapters on the 8B") as figures:
        tokenizer = make_tokenizer(size.shape["vocab_size"])
        folders = [save_adapter(place / f"large{number}", size, placement, number) for number in range(3)]
        free(placement)
        model = random_model(size.shape, placement)
        alone = engine_of(model, tokenizer, placement)
        speed_of(alone, asked[:2], 4)
        figures["base"] = speed_of(alone, asked, size.answer // 2)
        base = alone.model.weights.base
        before = peak(placement)
        loads, names = [], []
        for folder in folders:
            started = time.perf_counter()
            names.append(base.add(folder))
            wait(placement)
            loads.append(round(time.perf_counter() - started, 3))
        figures["seconds to load each"] = loads
        figures["GiB of the base with caches"] = round(before / GIB, 2)
        switches = []
        for name in [*names, None] * 3:
            started = time.perf_counter()
            with base.using(name):
                wait(placement)
            switches.append(time.perf_counter() - started)
        figures["ms of a switch"] = round(1000 * sorted(switches)[len(switches) // 2], 2)
        figures["base, adapters loaded"] = speed_of(alone, asked, size.answer // 2)
        engines = engines_on(base, names)
        speed_of(engines[0], asked[:2], 4)
        figures["adapter"] = speed_of(engines[0], asked, size.answer // 2)
        figures["peak GiB"] = round(peak(placement) / GIB, 2)

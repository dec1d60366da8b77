"""Part a of bench/gpu.py: the answers of the embedded engine on a GPU, and its speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpu_common import GIB, Results, Sizes, device_of, free, make_tokenizer, measured, random_model, sizes, wait

if TYPE_CHECKING:
    from arf_programs.models.local.placement import Placement


def engine_of(model: Any, tokenizer: Any, placement: Placement) -> Any:
    """Make an engine of a model in memory."""
    from arf_programs.models.embedded.base import SharedBase, Weights
    from arf_programs.models.embedded.engine import Engine

    base = SharedBase(model, tokenizer, placement)
    base.users += 1
    return Engine(Weights("random", base, None, tokenizer))


def prompts(count: int, length: int, vocabulary: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Make different prompts of random tokens."""
    import random

    chance = random.Random(seed)
    return [tuple(chance.randrange(2, min(vocabulary, 258)) for _ in range(length)) for _ in range(count)]


SCHEMA = {
    "type": "object",
    "properties": {"flagged": {"type": "boolean"}, "reason": {"type": "string", "maxLength": 60}},
    "required": ["flagged", "reason"],
    "additionalProperties": False,
}
TINY_SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 1024,
    "max_position_embeddings": 2048,
    "initializer_range": 0.1,
}


def same_answers(results: Results, sizes: Sizes, tiny: bool) -> None:
    """Ask a tiny model in float32 on both devices, many requests at once and one alone."""
    from arf_programs.models.embedded.row import Request
    from arf_programs.models.local.placement import CPU, Placement

    with measured(results, "answers of GPU and CPU") as figures:
        asked = prompts(sizes.compared, 60, 1024)
        kinds: dict[str, dict[str, Any]] = {
            "greedy": {},
            "schema": {"schema": SCHEMA},
            "sampled": {"temperature": 0.8, "top_p": 0.95, "seed": 5},
            "logprobs": {"top_logprobs": 5},
        }
        answers: dict[str, dict[str, Any]] = {}
        for place in (CPU, CPU if tiny else Placement(device_of(tiny).device, "float32")):
            model = random_model(TINY_SHAPE, CPU).to(place.device)
            engine = engine_of(model, make_tokenizer(1024), place)
            answers[f"{place.device}{len(answers)}"] = {
                name: [
                    future.result(timeout=100)
                    for future in [engine.submit(Request(prompt, 64, **kind)) for prompt in asked]
                ]
                for name, kind in kinds.items()
            }
            engine.close()
        first, second = answers.values()
        for name in kinds:
            pairs = list(zip(first[name], second[name], strict=True))
            figures[name] = f"{sum(a.text == b.text for a, b in pairs)} of {len(pairs)} the same"
        figures["largest difference of log-probabilities"] = max(
            abs(x.logprob - y.logprob)
            for a, b in zip(first["logprobs"], second["logprobs"], strict=True)
            if a.text == b.text
            for x, y in zip(a.logprobs, b.logprobs, strict=True)
        )


def speed_of(engine: Any, asked: Sequence[tuple[int, ...]], answer: int, **settings: Any) -> dict[str, float]:
    """Answer all prompts at once. Prompts are read one after the other, then the answers are written together."""
    from arf_programs.models.embedded.row import Request

    engine.model.prefixes.forget(engine.model)
    started = time.perf_counter()
    futures = [engine.submit(Request(prompt, answer, **settings)) for prompt in asked]
    tokens = sum(future.result(timeout=250).completion_tokens for future in futures)
    seconds = time.perf_counter() - started
    return {"tokens_s": round(tokens / seconds, 1), "tokens": tokens, "seconds": round(seconds, 2)}


def plain_speed(model: Any, asked: Sequence[tuple[int, ...]], answer: int, placement: Placement) -> dict[str, float]:
    """The same by `generate` of transformers."""
    import torch

    ids = torch.tensor(asked, device=placement.device)
    wait(placement)
    started = time.perf_counter()
    with torch.inference_mode():
        made = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=answer, min_new_tokens=answer, do_sample=False
        )
    wait(placement)
    seconds = time.perf_counter() - started
    tokens = made.shape[0] * (made.shape[1] - ids.shape[1])
    return {"tokens_s": round(tokens / seconds, 1), "tokens": tokens, "seconds": round(seconds, 2)}


def part_a(results: Results, tiny: bool) -> None:
    size, placement = sizes(tiny), device_of(tiny)
    same_answers(results, size, tiny)
    with measured(results, "8B in memory") as figures:
        started = time.perf_counter()
        model = random_model(size.shape, placement)
        wait(placement)
        figures["seconds to make it"] = round(time.perf_counter() - started, 2)
        figures["GiB"] = round(sum(w.numel() * w.element_size() for w in model.parameters()) / GIB, 2)
        tokenizer = make_tokenizer(size.shape["vocab_size"])
    plain: dict[int, dict[str, float]] = {}
    for rows in size.batches:  # before the engine replaces the attention of the model
        with measured(results, f"transformers, batch {rows}") as figures:
            asked = prompts(rows, size.prompt, size.shape["vocab_size"], seed=rows)
            plain_speed(model, asked, 2, placement)
            plain[rows] = plain_speed(model, asked, size.answer // 2, placement)
            figures |= plain[rows]
    engine = engine_of(model, tokenizer, placement)
    speed_of(engine, prompts(2, size.prompt, 999), 4)
    for rows in size.batches:
        with measured(results, f"engine, batch {rows}") as figures:
            asked = prompts(rows, size.prompt, size.shape["vocab_size"], seed=rows)
            figures |= speed_of(engine, asked, size.answer)
            figures["steps are recorded"] = engine.model.weights.base.records
            free(placement)
    for rows in size.batches[-2:]:
        with measured(results, f"engine, schema, batch {rows}") as figures:
            asked = prompts(rows, size.prompt, size.shape["vocab_size"], seed=rows)
            figures |= speed_of(engine, asked, size.answer, schema=SCHEMA)
    with measured(results, "engine, prompts read") as figures:
        figures |= speed_of(engine, prompts(16, 4 * size.prompt, 999), 1)
        figures["prompt_tokens_s"] = round(16 * 4 * size.prompt / figures["seconds"], 1)
    engine.close()

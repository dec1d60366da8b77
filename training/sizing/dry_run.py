"""What the rows of a training come to: tokens, padding, steps, and the largest batch. Pure.

How long training takes, roughly: operations counted from the shape, over the speed that the device shows.

What a training would do and take, found out in seconds: no weights are read, nothing is written.

A dry run in words, and as what a command prints.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict

from arf_programs.config import Method
from arf_programs.models import is_adapter, resolve_weights
from signatures.exceptions import ArfError, DataError
from signatures.records import TrainingExample
from training.loop.base_model import saved_architecture, stop_ids, without_weights
from training.loop.hardware import Hardware, check_hardware, find_hardware, is_bf16, is_checkpointed
from training.loop.lengths import RowLength, longer, measure, rows_that_fit, token_limit
from training.settings import TrainSettings, run_command
from training.sizing.memory import GIB, USABLE, Batch, How, Memory, Shape, measure_shape, memory

Row = tuple[RowLength, ...]  # one side, or both of a pair


@dataclass(frozen=True)
class Load:
    """Rows, and their positions in one epoch, with padding and (`tokens`) without."""

    rows: int
    tokens: int
    positions: int
    steps: int
    largest: Batch


def load_of(settings: TrainSettings, rows: Sequence[Row], *, gpu: bool) -> Load:
    """How the rows are batched: one at a time on a CPU; on a GPU longest first, pairs as they come, or packed (as if
    without gaps).
    """
    size = settings.batch_size if gpu else 1
    tokens = sum(side.total for row in rows for side in row)
    longest = max(side.completion for row in rows for side in row)
    if settings.packing:
        packs = math.ceil(tokens / settings.max_length)
        largest = Batch(min(tokens, size * settings.max_length), min(tokens, settings.max_length))
        return Load(len(rows), tokens, tokens, _steps(settings, packs), largest)
    sides, totals = len(rows[0]), [max(side.total for side in row) for row in rows]
    order = totals if sides > 1 else sorted(totals, reverse=True)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    positions = sum(sides * max(batch) * len(batch) for batch in batches)
    at_once = sides * len(batches[0])
    largest = Batch(at_once * max(totals), at_once * longest)
    return Load(len(rows), tokens, positions, _steps(settings, len(rows)), largest)


def _steps(settings: TrainSettings, rows: int) -> int:
    """Updates of all epochs, as transformers counts them: the last batch of an epoch may be smaller."""
    return math.ceil(settings.epochs * math.ceil(rows / (settings.batch_size * settings.gradient_accumulation)))


# What training reaches of the speed of large matrix products: 46% for PaLM (Chowdhery et al. 2022, arXiv 2204.02311).
_REACHED = 0.4
_SIZE = {"cuda": 4096, "cpu": 1024}
_TRIES = 4


def operations(shape: Shape, how: How, *, tokens: int, distinct: int) -> float:
    """Floating-point operations for `tokens` positions in all epochs, `distinct` of them in one.

    Two for each weight and token forwards, two more for the gradients of activations, and two for those of weights that
    learn (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); checkpointing goes forwards twice, and a reference once.
    Without them, layers below the first adapted one are gone through once for all epochs, as `training.loop.adapter`
    does on a CPU.
    """
    below = shape.linear - shape.above
    passes = 2 + (how.method == "full") + how.checkpointing + how.reference
    through = tokens * (1 + how.reference) if how.checkpointing or how.fused_head else distinct
    return 2.0 * (
        shape.above * passes * tokens + below * through + 3 * shape.trainable * tokens * (how.method != "full")
    )


def seconds(work: float, speed: float) -> float:
    """The time for so many operations on a device that multiplies matrices at `speed` operations a second."""
    return work / (_REACHED * speed)


def measured_speed(hardware: Hardware, *, bf16: bool) -> float:
    """Floating-point operations a second of a large matrix product, the best of a few: about half a second of work."""
    import torch

    size, dtype = _SIZE[hardware.kind], torch.bfloat16 if bf16 else torch.float32
    matrix = torch.ones(size, size, device=hardware.kind, dtype=dtype)
    best = float("inf")
    for _ in range(_TRIES):
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


Sides = Sequence[Sequence[TrainingExample]]  # the examples; or the chosen and, of the same length, the rejected


class DryRun(BaseModel):
    """The outlook of a training. What depends on rows is null where there are none yet; memory then is that of the
    longest rows allowed. With `pairs` the rows are those of the preference stage. `problems` is empty when nothing
    speaks against starting."""

    model_config = ConfigDict(frozen=True)

    base: str
    method: Method
    device: str
    device_memory: int
    precision: str
    checkpointing: bool
    pairs: bool = False
    parameters: int | None = None
    trainable: int | None = None
    targets: tuple[str, ...] = ()
    rows: int | None = None
    tokens: int | None = None
    steps: int | None = None
    padding_share: float | None = None
    memory: dict[str, int] | None = None
    seconds: float | None = None
    problems: tuple[str, ...] = ()


def dry_run(settings: TrainSettings, examples: Sequence[TrainingExample] | None) -> DryRun:
    """The outlook of a training of `examples`; None: there are no rows yet. What stands in its way is in `problems`."""
    return _outlook(settings, None if examples is None else (examples,))


def dry_run_of_pairs(settings: TrainSettings, sides: Sides | None) -> DryRun:
    """The outlook of the preference stage, as `dry_run`; `sides` are the chosen and the rejected of each pair."""
    return _outlook(settings, sides, pairs=True)


def _outlook(settings: TrainSettings, sides: Sides | None, *, pairs: bool = False) -> DryRun:
    hardware = find_hardware()
    problems: list[str] = []
    found: dict[str, Any] = {}
    try:
        check_hardware(settings, hardware)
    except ArfError as error:
        problems.append(str(error))
    try:
        found = _look(settings, hardware, sides, problems, pairs=pairs)
    except ArfError as error:
        problems.append(str(error))
    return DryRun(
        base=settings.base,
        method=settings.method,
        device=hardware.name,
        device_memory=hardware.memory,
        precision="bf16" if is_bf16(settings, hardware) else "fp32",
        checkpointing=is_checkpointed(settings, hardware),
        pairs=pairs,
        problems=tuple(problems),
        **found,
    )


def _look(
    settings: TrainSettings, hardware: Hardware, sides: Sides | None, problems: list[str], *, pairs: bool
) -> dict[str, Any]:
    if is_adapter(resolve_weights(settings.base)):
        raise DataError(f"{settings.base} is an adapter: merge it first with `python -m training.export`.")
    config = saved_architecture(settings.base)
    limit = token_limit(settings.max_length, config)
    shape = measure_shape(without_weights(config), settings)
    how = _how(settings, hardware, pairs=pairs)
    found: dict[str, Any] = {"parameters": shape.parameters, "trainable": shape.trainable, "targets": shape.targets}
    load = None
    if sides is not None:
        load = load_of(settings, _rows(settings, sides, limit, problems), gpu=hardware.is_gpu)
        found |= _of_rows(settings, shape, how, load, measured_speed(hardware, bf16=how.bf16))
    longest = (1 + pairs) * (settings.batch_size if hardware.is_gpu else 1) * limit
    taken = memory(shape, how, load.largest if load else Batch(longest, limit))
    if hardware.memory and not taken.fits(hardware.memory):
        problems.append(_too_large(taken, hardware, settings))
    return found | {"memory": {**asdict(taken), "total": taken.total}}


def _how(settings: TrainSettings, hardware: Hardware, *, pairs: bool) -> How:
    return How(
        method=settings.method,
        bf16=is_bf16(settings, hardware),
        checkpointing=is_checkpointed(settings, hardware),
        dropout=settings.lora.dropout > 0,
        fused_head=hardware.is_gpu or pairs,
        reference=pairs,
    )


def _rows(settings: TrainSettings, sides: Sides, limit: int, problems: list[str]) -> list[Row]:
    """The lengths of the rows that would be trained on; rows that stop the training are a problem, and stay in."""
    from transformers import AutoTokenizer

    weights = resolve_weights(settings.base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"The tokenizer of the base model {settings.base!r} cannot be loaded: {error}") from error
    stops = stop_ids(_generation_config(weights), tokenizer)
    rows = list(zip(*(measure(tokenizer, side, stops) for side in sides), strict=True))
    try:
        return [rows[index] for index in rows_that_fit(longer(rows), limit, settings.on_overflow)]
    except DataError as error:
        problems.append(str(error))
        return rows


def _generation_config(weights: Path | str) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(weights)
    except OSError:  # a model need not have one
        return None


def _of_rows(settings: TrainSettings, shape: Shape, how: How, load: Load, speed: float) -> dict[str, Any]:
    work = operations(shape, how, tokens=round(settings.epochs * load.positions), distinct=load.positions)
    return {
        "rows": load.rows,
        "tokens": round(settings.epochs * load.tokens),
        "steps": load.steps,
        "padding_share": round(1 - load.tokens / load.positions, 4),
        "seconds": round(seconds(work, speed), 3),
    }


def _too_large(taken: Memory, hardware: Hardware, settings: TrainSettings) -> str:
    size = f"{taken.total / GIB:.1f} GiB"
    room = f"{USABLE * hardware.memory / GIB:.1f} of the {hardware.memory / GIB:.1f} GiB of {hardware.name}"
    if taken.total - taken.activations <= USABLE * hardware.memory:
        mend = "lower train.batch_size (and raise gradient_accumulation), or set gradient_checkpointing to true"
    elif settings.method == "full":
        mend = "set train.method to lora"
    else:
        mend = "set train.method to qlora (on a GPU), or choose a smaller base"
    return f"Training takes about {size}, more than {room}: {mend}."


def tell(look: Callable[[], DryRun], *, as_json: bool) -> int:
    """Print the outlook that `look` gives, and return the exit code: 2 when something stands in the training's way."""
    problems: list[str] = []

    def work(machine: TextIO) -> None:
        outlook = look()
        problems.extend(outlook.problems)
        text = as_text(outlook)
        both = {"figures": outlook.model_dump(mode="json"), "text": text}
        machine.write(json.dumps(both) + "\n" if as_json else text)

    return run_command(work) or (2 if problems else 0)


def as_text(outlook: DryRun) -> str:
    """The outlook for people, a line for each thing."""
    unknown = "unknown"
    rows = "none yet" if outlook.rows is None else f"{outlook.rows:,}; {outlook.steps:,} steps"
    tokens = unknown if outlook.tokens is None else f"{outlook.tokens:,}, padding {outlook.padding_share:.0%}"
    about = unknown if outlook.seconds is None else f"about {_duration(outlook.seconds)}"
    size = f"{outlook.device_memory / GIB:.1f} GiB" if outlook.device_memory else "memory unknown"
    kept = ", activations computed again" if outlook.checkpointing else ""
    lines = [
        ("base", outlook.base),
        ("device", f"{outlook.device}, {size}"),
        ("method", f"{outlook.method}, {outlook.precision}{kept}"),
    ]
    if outlook.parameters is not None and outlook.trainable is not None:
        share = outlook.trainable / outlook.parameters
        lines.append(("parameters", f"{outlook.parameters:,}; trainable {outlook.trainable:,} ({share:.2%})"))
    lines += [("pairs" if outlook.pairs else "rows", rows), ("tokens", tokens)]
    if outlook.memory:
        parts = ", ".join(f"{name} {size / GIB:.2f}" for name, size in outlook.memory.items())
        lines.append(("GiB", parts))
    lines.append(("time", about))
    lines += [("problem", problem) for problem in outlook.problems]
    return "".join(f"{name:<11} {text}\n" for name, text in lines)


def _duration(length: float) -> str:
    return (
        f"{length:.0f} s" if length < 120 else f"{length / 60:.0f} min" if length < 7200 else f"{length / 3600:.1f} h"
    )

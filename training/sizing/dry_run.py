"""Estimate in seconds the rows, memory and time of a training. No weights are read, nothing is written."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict

from arf_programs.config import Method
from arf_programs.models import refuse_template
from arf_programs.runs import duration_text
from signatures.exceptions import ArfError, DataError
from signatures.records import TrainingExample
from training.loop.base_model import BaseTokenizer, load_tokenizer, saved_architecture, without_weights
from training.loop.fitting import FittedBatch, smaller_batches
from training.loop.hardware import Hardware, check_hardware, find_hardware, is_bf16, is_checkpointed, takes_liger
from training.loop.lengths import RowLength, longer_sides, measure, rows_that_fit, token_limit
from training.settings import TrainSettings, quiet_libraries, run_command
from training.sizing.cost import (
    GIB,
    USABLE,
    Batch,
    Memory,
    Mode,
    count_operations,
    estimate_memory,
    estimate_seconds,
    measure_shape,
)

_MATRIX = {"cuda": 4096, "cpu": 1024}  # rows and columns of the matrix whose product is timed
_TRIES = 4
Sides = Sequence[Sequence[TrainingExample]]  # the examples; or the chosen and, of the same length, the rejected
Row = tuple[RowLength, ...]  # one side, or both of a pair


class DryRun(BaseModel):
    """The rows, memory and time of a training, and the problems that prevent it.

    Fields that depend on rows are null while there are no rows; memory is then that of the longest rows allowed. With
    `pairs` the rows are those of the preference stage. `smaller_batch` says what batch is taken where the configured
    one does not fit; memory is then that of the smaller one. `template` says what is mended in the chat template of the
    base. `warnings` say what does not fit now. `problems` is empty when training can start.
    """

    model_config = ConfigDict(frozen=True)

    base: str
    method: Method
    device: str
    device_memory: int
    free_memory: int = 0
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
    smaller_batch: str | None = None
    template: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def run_dry(look: Callable[[], DryRun], *, as_json: bool) -> int:
    """Print what `look` finds out, and return the exit code: 2 when a problem prevents the training."""
    problems: list[str] = []

    def work(machine: TextIO) -> None:
        result = look()
        problems.extend(result.problems)
        text = as_text(result)
        both = {"figures": result.model_dump(mode="json"), "text": text}
        machine.write(json.dumps(both) + "\n" if as_json else text)

    return run_command(work) or (2 if problems else 0)


def dry_run(settings: TrainSettings, sides: Sides | None, *, pairs: bool = False, later: bool = False) -> DryRun:
    """Find out what a training on `sides` would do and take; None: there are no rows yet.

    It has to fit the memory that is free now. With `later` it has to fit the whole memory, and what does not fit now is
    a warning.
    """
    quiet_libraries()
    hardware = find_hardware()
    if settings.gradient_checkpointing is None and hardware.is_gpu:
        kept, again = (
            dry_run(settings.model_copy(update={"gradient_checkpointing": on}), sides, pairs=pairs, later=later)
            for on in (False, True)
        )
        if not (kept.problems or kept.warnings) and kept.smaller_batch is None:
            return kept
        return kept if again.problems and not kept.problems else again
    problems: list[str] = []
    figures: dict[str, Any] = {}
    try:
        check_hardware(settings, hardware)
    except ArfError as error:
        problems.append(str(error))
    try:
        figures = _figures(settings, hardware, sides, problems, pairs=pairs, later=later)
    except ArfError as error:
        problems.append(str(error))
    return DryRun(
        base=settings.base,
        method=settings.method,
        device=hardware.name,
        device_memory=hardware.memory,
        free_memory=hardware.free,
        precision="bf16" if is_bf16(settings, hardware) else "fp32",
        checkpointing=is_checkpointed(settings, hardware),
        pairs=pairs,
        problems=tuple(problems),
        **figures,
    )


def decide_checkpointing(settings: TrainSettings, sides: Sides, *, pairs: bool = False) -> TrainSettings:
    """Decide whether activations are computed again, where the settings leave it open: on a GPU, if they do not fit."""
    if settings.gradient_checkpointing is not None or not find_hardware().is_gpu:
        return settings
    foreseen = dry_run(settings, sides, pairs=pairs)
    return settings.model_copy(update={"gradient_checkpointing": foreseen.checkpointing})


def _figures(
    settings: TrainSettings, hardware: Hardware, sides: Sides | None, problems: list[str], *, pairs: bool, later: bool
) -> dict[str, Any]:
    base = load_tokenizer(settings.base)
    refuse_template(base.tokenizer)
    config = saved_architecture(settings.base)
    limit = token_limit(settings.max_length, config)
    shape = measure_shape(without_weights(config), settings)
    mode = Mode(
        method=settings.method,
        bf16=is_bf16(settings, hardware),
        checkpointing=is_checkpointed(settings, hardware),
        dropout=settings.lora.dropout > 0,
        fused_head=hardware.is_gpu or pairs,
        fused_layers=takes_liger(settings, hardware),
        reference=pairs,
    )
    figures: dict[str, Any] = {
        "parameters": shape.parameters,
        "trainable": shape.trainable,
        "targets": shape.targets,
        "template": base.notes,
    }
    longest = (1 + pairs) * (settings.batch_size if hardware.is_gpu else 1) * limit
    largest = Batch(longest, limit)
    if sides is not None:
        load = load_of(settings, _measure_rows(settings, base, sides, limit, problems), gpu=hardware.is_gpu)
        largest = load.largest
        tokens = round(settings.epochs * load.positions)
        operations = count_operations(shape, mode, tokens=tokens, distinct=load.positions)
        figures |= {
            "rows": load.rows,
            "tokens": round(settings.epochs * load.tokens),
            "steps": load.steps,
            "padding_share": round(1 - load.tokens / load.positions, 4),
            "seconds": round(estimate_seconds(operations, measured_speed(hardware, bf16=mode.bf16)), 3),
        }
    need = partial(estimate_memory, shape, mode)
    fit = _fit(settings, hardware, need, largest, later=later)
    problems += fit.problems
    if fit.smaller:
        figures["smaller_batch"] = str(fit.smaller)
    return figures | {"memory": {**asdict(fit.memory), "total": fit.memory.total}, "warnings": fit.warnings}


@dataclass(frozen=True)
class _Fit:
    """The memory that training would take, the smaller batch if it takes one, and what does not fit."""

    memory: Memory
    smaller: FittedBatch | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _fit(
    settings: TrainSettings, hardware: Hardware, need: Callable[[Batch], Memory], largest: Batch, *, later: bool
) -> _Fit:
    """Compare the memory that training needs with what is free now, or with the whole memory if it is for `later`."""
    found = _fit_into(hardware.memory if later else hardware.free or hardware.memory, settings, hardware, need, largest)
    if not later or found.problems or not hardware.free or found.memory.fits(hardware.free):
        return found
    size, free = (f"{size / GIB:.1f} GiB" for size in (found.memory.total, hardware.free))
    now = f"Training takes about {size}, and {free} of {hardware.name} are free now: free the rest before `arf train`."
    return replace(found, warnings=(now,))


def _fit_into(
    room: int, settings: TrainSettings, hardware: Hardware, need: Callable[[Batch], Memory], largest: Batch
) -> _Fit:
    memory = need(largest)
    if not room or memory.fits(room):
        return _Fit(memory)
    for fitted in smaller_batches(settings, hardware):
        share = fitted.rows / settings.batch_size
        memory = need(Batch(round(share * largest.tokens), round(share * largest.completion)))
        if memory.fits(room):
            return _Fit(memory, fitted)
    memory = need(largest)
    return _Fit(memory, problems=(_too_large(memory, room, hardware, settings),))


def _measure_rows(
    settings: TrainSettings, base: BaseTokenizer, sides: Sides, limit: int, problems: list[str]
) -> list[Row]:
    """Measure the rows that would be trained on. Rows that prevent the training are a problem, and stay in."""
    measured = [measure(base.tokenizer, side, base.stops) for side in sides]
    rows = list(zip(*measured, strict=True))
    try:
        return [rows[index] for index in rows_that_fit(longer_sides(measured), limit, settings.on_overflow)]
    except DataError as error:
        problems.append(str(error))
        return rows


@dataclass(frozen=True)
class Load:
    """Rows, and their positions in one epoch, with padding (`positions`) and without (`tokens`)."""

    rows: int
    tokens: int
    positions: int
    steps: int
    largest: Batch


def load_of(settings: TrainSettings, rows: Sequence[Row], *, gpu: bool) -> Load:
    """Batch the rows as training does, and count their positions.

    On a CPU a batch is one row. On a GPU the longest rows come first, pairs keep their order, and packed rows count as
    if there were no gaps between them.
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
    """Count the updates of all epochs as transformers does: the last batch of an epoch may be smaller."""
    return math.ceil(settings.epochs * math.ceil(rows / (settings.batch_size * settings.gradient_accumulation)))


def measured_speed(hardware: Hardware, *, bf16: bool) -> float:
    """Measure the floating-point operations a second of a large matrix product, the best of a few: half a second."""
    import torch

    size, dtype = _MATRIX[hardware.kind], torch.bfloat16 if bf16 else torch.float32
    matrix = torch.ones(size, size, device=hardware.kind, dtype=dtype)
    best = float("inf")
    for _ in range(_TRIES):
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


def _too_large(memory: Memory, room: int, hardware: Hardware, settings: TrainSettings) -> str:
    size = f"{memory.total / GIB:.1f} GiB"
    whole = f"{hardware.memory / GIB:.1f} GiB of {hardware.name}"
    if room < hardware.memory and memory.fits(hardware.memory):
        return (
            f"Training takes about {size}, and {room / GIB:.1f} of the {whole} are free now: end what else uses it, "
            "such as a server of models."
        )
    if memory.total - memory.activations <= USABLE * room:
        mend = "lower train.batch_size (and raise gradient_accumulation), or set gradient_checkpointing to true"
    elif settings.method == "full":
        mend = "set train.method to lora"
    else:
        mend = "set train.method to qlora (on a GPU), or choose a smaller base"
    return f"Training takes about {size}, more than {USABLE * room / GIB:.1f} of the {whole}: {mend}."


def as_text(result: DryRun) -> str:
    """Write a dry run for people, one line for each fact."""
    unknown = "unknown"
    rows = "none yet" if result.rows is None else f"{result.rows:,}; {result.steps:,} steps"
    tokens = unknown if result.tokens is None else f"{result.tokens:,}, padding {result.padding_share:.0%}"
    about = unknown if result.seconds is None else f"about {duration_text(result.seconds)}"
    size = f"{result.device_memory / GIB:.1f} GiB" if result.device_memory else "memory unknown"
    size += f", {result.free_memory / GIB:.1f} free now" if result.free_memory else ""
    kept = ", activations computed again" if result.checkpointing else ""
    lines = [
        ("base", result.base),
        ("device", f"{result.device}, {size}"),
        ("method", f"{result.method}, {result.precision}{kept}"),
    ]
    if result.parameters is not None and result.trainable is not None:
        share = result.trainable / result.parameters
        lines.append(("parameters", f"{result.parameters:,}; trainable {result.trainable:,} ({share:.2%})"))
    lines += [("pairs" if result.pairs else "rows", rows), ("tokens", tokens)]
    if result.memory:
        lines.append(("GiB", ", ".join(f"{name} {size / GIB:.2f}" for name, size in result.memory.items())))
    lines += [("batch", result.smaller_batch)] if result.smaller_batch else []
    lines.append(("time", about))
    lines += [("template", note) for note in result.template]
    lines += [("warning", warning) for warning in result.warnings]
    lines += [("problem", problem) for problem in result.problems]
    return "".join(f"{name:<11} {text}\n" for name, text in lines)

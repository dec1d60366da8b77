"""What a training would do and take, found out in seconds: no weights are read, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from arf_programs.config.train import Method
from arf_programs.models.weights import is_adapter, resolve_weights
from signatures.exceptions import ArfError, DataError
from signatures.records import TrainingExample
from training.architectures import saved_architecture, without_weights
from training.base_model import stop_ids
from training.hardware import Hardware, check_hardware, find_hardware, is_bf16, is_checkpointed
from training.length_audit import RowLength, measure, rows_that_fit, token_limit
from training.memory import GIB, USABLE, Batch, How, Memory, memory
from training.pace import measured_speed, operations, seconds
from training.settings import TrainSettings
from training.shape import Shape, measure_shape


class DryRun(BaseModel):
    """The outlook of a training. What depends on rows is null where there are none yet; memory then is that of the
    longest rows allowed. `problems` is empty when nothing speaks against starting."""

    model_config = ConfigDict(frozen=True)

    base: str
    method: Method
    device: str
    device_memory: int
    precision: str
    checkpointing: bool
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


@dataclass(frozen=True)
class Load:
    """What the rows come to: positions of one epoch with padding, and the largest batch."""

    rows: int
    tokens: int
    positions: int
    steps: int
    largest: Batch


def dry_run(settings: TrainSettings, examples: Sequence[TrainingExample] | None) -> DryRun:
    """The outlook of a training of `examples`; None: there are no rows yet. What stands in its way is in `problems`."""
    hardware = find_hardware()
    problems: list[str] = []
    found: dict[str, Any] = {}
    try:
        check_hardware(settings, hardware)
    except ArfError as error:
        problems.append(str(error))
    try:
        found = _look(settings, hardware, examples, problems)
    except ArfError as error:
        problems.append(str(error))
    return DryRun(
        base=settings.base,
        method=settings.method,
        device=hardware.name,
        device_memory=hardware.memory,
        precision="bf16" if is_bf16(settings, hardware) else "fp32",
        checkpointing=is_checkpointed(settings, hardware),
        problems=tuple(problems),
        **found,
    )


def _look(
    settings: TrainSettings, hardware: Hardware, examples: Sequence[TrainingExample] | None, problems: list[str]
) -> dict[str, Any]:
    if is_adapter(resolve_weights(settings.base)):
        raise DataError(f"{settings.base} is an adapter: merge it first with `python -m training.export`.")
    config = saved_architecture(settings.base)
    limit = token_limit(settings.max_length, config)
    shape = measure_shape(without_weights(config), settings)
    how = _how(settings, hardware)
    found: dict[str, Any] = {"parameters": shape.parameters, "trainable": shape.trainable, "targets": shape.targets}
    load = None
    if examples is not None:
        load = _load(settings, hardware, _lengths(settings, examples, limit, problems))
        found |= _of_rows(settings, shape, how, load, measured_speed(hardware, bf16=how.bf16))
    batch = load.largest if load else Batch((settings.batch_size if hardware.is_gpu else 1) * limit, limit)
    taken = memory(shape, how, batch)
    if hardware.memory and not taken.fits(hardware.memory):
        problems.append(_too_large(taken, hardware, settings))
    return found | {"memory": {**asdict(taken), "total": taken.total}}


def _how(settings: TrainSettings, hardware: Hardware) -> How:
    return How(
        method=settings.method,
        bf16=is_bf16(settings, hardware),
        checkpointing=is_checkpointed(settings, hardware),
        dropout=settings.lora.dropout > 0,
        fused_head=hardware.is_gpu,
    )


def _lengths(
    settings: TrainSettings, examples: Sequence[TrainingExample], limit: int, problems: list[str]
) -> list[RowLength]:
    """The lengths of the rows that would be trained on; rows that stop the training are a problem, and stay in."""
    from transformers import AutoTokenizer

    weights = resolve_weights(settings.base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"The tokenizer of the base model {settings.base!r} cannot be loaded: {error}") from error
    lengths = measure(tokenizer, examples, stop_ids(_generation_config(weights), tokenizer))
    try:
        return [lengths[index] for index in rows_that_fit(lengths, limit, settings.on_overflow)]
    except DataError as error:
        problems.append(str(error))
        return lengths


def _generation_config(weights: Path | str) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(weights)
    except OSError:  # a model need not have one
        return None


def _load(settings: TrainSettings, hardware: Hardware, lengths: Sequence[RowLength]) -> Load:
    """How the rows are batched: one at a time on a CPU, longest first on a GPU, or packed (as if without gaps)."""
    totals = sorted((row.total for row in lengths), reverse=True)
    tokens, longest = sum(totals), max(row.completion for row in lengths)
    if settings.packing:
        packs = math.ceil(tokens / settings.max_length)
        size = settings.batch_size if hardware.is_gpu else 1
        largest = Batch(min(tokens, size * settings.max_length), min(tokens, settings.max_length))
        return Load(len(lengths), tokens, tokens, _steps(settings, packs), largest)
    size = settings.batch_size if hardware.is_gpu else 1
    batches = [totals[start : start + size] for start in range(0, len(totals), size)]
    positions = sum(batch[0] * len(batch) for batch in batches)
    rows = len(batches[0])
    return Load(
        len(lengths), tokens, positions, _steps(settings, len(lengths)), Batch(rows * totals[0], rows * longest)
    )


def _steps(settings: TrainSettings, rows: int) -> int:
    """Updates of all epochs, as transformers counts them: the last batch of an epoch may be smaller."""
    return math.ceil(settings.epochs * math.ceil(rows / (settings.batch_size * settings.gradient_accumulation)))


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

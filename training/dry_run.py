"""What a training would do and take, found out in seconds: no weights are read, nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
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
from training.length_audit import longer, measure, rows_that_fit, token_limit
from training.load import Load, Row, load_of
from training.memory import GIB, USABLE, Batch, How, Memory, memory
from training.pace import measured_speed, operations, seconds
from training.settings import TrainSettings
from training.shape import Shape, measure_shape

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

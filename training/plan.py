"""Work out what training an 8B or 4B model takes, without its weights: `python -m training.plan llama-3.1-8b`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO, get_args

from arf_programs.config import Method
from arf_programs.report import markdown_table
from training.loop.base_model import ARCHITECTURES, architecture, without_weights
from training.settings import TrainSettings, quiet_libraries, run_command
from training.sizing.cost import GIB, Batch, Memory, Mode, Shape, estimate_memory, measure_shape, tokens_that_fit

GPUS = (24, 48, 80)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    gpus = tuple(arguments.gpu or GPUS)
    return run_command(
        lambda machine: plan(arguments.model, gpus, arguments.batch_size, arguments.tokens, arguments.json, machine)
    )


def plan(model: str, gpus: Sequence[int], batch_size: int, tokens: int, as_json: bool, machine: TextIO) -> None:
    """Write the plan of a model for GPUs of so many GiB and batches of `batch_size` rows of `tokens` tokens."""
    quiet_libraries()
    shapes = {method: _shape(model, method) for method in get_args(Method)}
    rows = {method: _row(shape, method, gpus, batch_size * tokens) for method, shape in shapes.items()}
    shape = shapes["lora"]
    if as_json:
        machine.write(json.dumps({"model": model, "shape": asdict(shape), "methods": rows}) + "\n")
    else:
        machine.write(_table(model, shape, rows, gpus, batch_size, tokens))


def _shape(model: str, method: Method) -> Shape:
    return measure_shape(without_weights(architecture(model)), TrainSettings(method=method))


def _row(shape: Shape, method: Method, gpus: Sequence[int], tokens: int) -> dict[str, Any]:
    mode = Mode(method, bf16=True, checkpointing=True, dropout=TrainSettings().lora.dropout > 0, fused_head=True)
    memory = estimate_memory(shape, mode, Batch(tokens, 0))
    return {
        "trainable": shape.trainable,
        **asdict(memory),
        "total": memory.total,
        "fits": {str(gpu): memory.fits(gpu * GIB) for gpu in gpus},
        "tokens_that_fit": {str(gpu): tokens_that_fit(shape, mode, gpu * GIB) for gpu in gpus},
    }


def _table(
    model: str, shape: Shape, rows: dict[str, dict[str, Any]], gpus: Sequence[int], batch_size: int, tokens: int
) -> str:
    parts = list(Memory.__dataclass_fields__)
    head = ["method", "trainable", *parts, "total", *(f"{gpu} GB" for gpu in gpus)]
    title = (
        f"{model}: {shape.parameters:,} parameters, {shape.adapted} linear layers adapted "
        f"({', '.join(shape.targets)}); GiB for {batch_size} rows of {tokens} tokens, bf16, with checkpointing"
    )
    lines = []
    for method, row in rows.items():
        sizes = [f"{row[part] / GIB:.1f}" for part in (*parts, "total")]
        verdicts = [_verdict(row["fits"][str(gpu)], row["tokens_that_fit"][str(gpu)]) for gpu in gpus]
        lines.append([f"`{method}`", f"{row['trainable']:,}", *sizes, *verdicts])
    return f"{title}\n\n{markdown_table(head, lines)}\n"


def _verdict(fits: bool, room: int) -> str:
    return f"{'yes' if fits else 'no'} ({room:,} tokens)" if room else "no"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.plan", description=__doc__)
    add = parser.add_argument
    add("model", choices=list(ARCHITECTURES))
    add("--gpu", type=int, action="append", help="memory of a GPU in GiB; again for another (default: 24, 48 and 80)")
    add("--batch-size", type=int, default=TrainSettings().batch_size, help="rows a step")
    add("--tokens", type=int, default=1024, help="tokens of a row")
    add("--json", action="store_true", help="print one JSON object")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

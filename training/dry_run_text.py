"""A dry run in words, and as what a command prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from training.command import run_command
from training.memory import GIB

if TYPE_CHECKING:
    from training.dry_run import DryRun


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

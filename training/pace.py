"""How long training takes, roughly: operations counted from the shape, over the speed that the device shows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from training.memory import How
from training.shape import Shape

if TYPE_CHECKING:
    from training.hardware import Hardware

# What training reaches of the speed of large matrix products: 46% for PaLM (Chowdhery et al. 2022, arXiv 2204.02311).
_REACHED = 0.4
_SIZE = {"cuda": 4096, "cpu": 1024}
_TRIES = 4


def operations(shape: Shape, how: How, *, tokens: int, distinct: int) -> float:
    """Floating-point operations for `tokens` positions in all epochs, `distinct` of them in one.

    Two for each weight and token forwards, two more for the gradients of activations, and two for those of weights that
    learn (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); checkpointing goes forwards twice, and a reference once.
    Without them, layers below the first adapted one are gone through once for all epochs, as `training.frozen_layers`
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

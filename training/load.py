"""What the rows of a training come to: tokens, padding, steps, and the largest batch. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.length_audit import RowLength
from training.memory import Batch
from training.settings import TrainSettings

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

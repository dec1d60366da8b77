"""Make a batch that does not fit the memory smaller, and gather more of them into an update. Importing costs seconds.

The rows of an update and their order stay the same, so the loss curve does too. `auto_find_batch_size` of transformers'
Trainer does not gather more, so it is not used.
"""

from __future__ import annotations

from collections.abc import Callable

from accelerate.utils import find_executable_batch_size
from pydantic import BaseModel

from signatures.exceptions import StageError
from training.loop.hardware import Hardware
from training.settings import TrainSettings

_NOTHING_FITS = "No executable batch size found"  # accelerate's words


class FittedBatch(BaseModel):
    """The batch that fitted, where the configured one did not: `rows` at once, `gathered` times for an update."""

    configured: int
    rows: int
    gathered: int

    def __str__(self) -> str:
        return (
            f"{self.configured} rows at once did not fit the memory: {self.rows} at once, gathered {self.gathered} "
            f"times (an update stays at {self.rows * self.gathered} rows)"
        )


def train_fitting(
    settings: TrainSettings,
    hardware: Hardware,
    attempt: Callable[[TrainSettings], None],
    say: Callable[[FittedBatch], None],
) -> FittedBatch | None:
    """Call `attempt` with `settings`, and after each lack of memory with a smaller batch. Return what fitted at last.

    `attempt` has to begin anew, or from the last checkpoint. None means that the configured batch fitted. On a CPU rows
    are computed one at a time, and with several processes the others would wait for the one without memory, so both try
    only once. Raises StageError if a single row does not fit.
    """
    update = settings.batch_size * settings.gradient_accumulation
    tried = settings.batch_size if hardware.is_gpu and not hardware.launched else 1
    fitted: FittedBatch | None = None

    def smaller() -> int:
        nonlocal fitted, tried
        if tried == 1:
            return 0
        tried = next(rows for rows in range(tried // 2, 0, -1) if update % rows == 0)
        fitted = FittedBatch(configured=settings.batch_size, rows=tried, gathered=update // tried)
        say(fitted)
        return tried

    def try_batch(rows: int) -> None:
        smaller_batch = {"batch_size": rows, "gradient_accumulation": update // rows}
        attempt(settings if fitted is None else settings.model_copy(update=smaller_batch))

    try:
        find_executable_batch_size(try_batch, starting_batch_size=tried, reduce_batch_size_fn=smaller)()
    except RuntimeError as error:
        if not str(error).startswith(_NOTHING_FITS):
            raise
        raise StageError(_advice(hardware)) from error
    return fitted


def _advice(hardware: Hardware) -> str:
    if hardware.launched:
        return "Out of memory: halve train.batch_size and double train.gradient_accumulation."
    if hardware.is_gpu:
        return (
            "Out of memory with one row at once: set train.gradient_checkpointing to true or train.method to qlora, or "
            "lower train.max_length."
        )
    return "Out of memory: lower train.max_length, or choose a smaller base."

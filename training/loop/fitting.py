"""Make a batch that does not fit the memory smaller, and gather more of them into an update.

The rows of an update and their order stay the same, so the loss curve does too. `auto_find_batch_size` of transformers'
Trainer does not gather more, so it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import BaseModel

from signatures.exceptions import StageError
from training.loop.hardware import Hardware
from training.settings import TrainSettings

_NOTHING_FITS = "No executable batch size found"  # accelerate's words


class FittedBatch(BaseModel):
    """What fitted the memory, where the first try did not: `rows` at once, `gathered` times for an update.

    With `recomputed` the activations are computed again on the way back.
    """

    configured: int
    rows: int
    gathered: int
    recomputed: bool = False

    def __str__(self) -> str:
        if self.rows == self.configured:
            return "the activations did not fit the memory: they are computed again on the way back"
        return (
            f"{self.configured} rows at once do not fit the memory: {self.rows} at once, gathered {self.gathered} "
            f"times (an update stays at {self.rows * self.gathered} rows)"
        )


def smaller_batches(settings: TrainSettings, hardware: Hardware) -> Iterator[FittedBatch]:
    """Give the batches to try after the configured one: each at most half as large, with the same rows in an update.

    On a CPU rows are computed one at a time, and with several processes the others would wait for the one without
    memory. So there are none.
    """
    rows, update = settings.batch_size, settings.batch_size * settings.gradient_accumulation
    while hardware.is_gpu and not hardware.launched and rows > 1:
        rows = next(fewer for fewer in range(rows // 2, 0, -1) if update % fewer == 0)
        yield FittedBatch(configured=settings.batch_size, rows=rows, gathered=update // rows)


def train_fitting(
    settings: TrainSettings,
    hardware: Hardware,
    attempt: Callable[[TrainSettings], None],
    say: Callable[[FittedBatch], None],
    *,
    may_recompute: bool = False,
) -> FittedBatch | None:
    """Call `attempt` with `settings`. After each lack of memory, call it again with a smaller batch.

    Return the batch that fitted; None means the configured one. With `may_recompute` the first lack of memory turns
    gradient checkpointing on, for the same batch. `attempt` has to begin anew, or from the last checkpoint. Raises
    StageError if a single row does not fit.
    """
    from accelerate.utils import find_executable_batch_size

    batches = smaller_batches(settings, hardware)
    fitted: FittedBatch | None = None
    recomputed = False

    def smaller() -> int:
        nonlocal fitted, recomputed
        if may_recompute and not recomputed and hardware.is_gpu and not hardware.launched:
            recomputed, rows = True, settings.batch_size
            fitted = FittedBatch(configured=rows, rows=rows, gathered=settings.gradient_accumulation, recomputed=True)
        else:
            following = next(batches, None)
            if following is None:
                return 0
            fitted = following.model_copy(update={"recomputed": recomputed})
        say(fitted)
        return fitted.rows

    def try_batch(rows: int) -> None:
        if fitted is None:
            attempt(settings)
            return
        changed: dict[str, int | bool] = {"batch_size": rows, "gradient_accumulation": fitted.gathered}
        if recomputed:
            changed["gradient_checkpointing"] = True
        attempt(settings.model_copy(update=changed))

    try:
        find_executable_batch_size(try_batch, starting_batch_size=settings.batch_size, reduce_batch_size_fn=smaller)()
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

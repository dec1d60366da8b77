"""`training_log.json` of a student: it is written last, so a folder that has one holds a whole student."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from training.loop.lengths import RowLength

LOG = "training_log.json"
_ENDS = 0.1  # share of the steps that loss_first and loss_last average over


class StepLoss(BaseModel):
    """Mean loss per completion token of one optimizer step, in nats; `epoch` is the share of epochs done after it."""

    step: int
    loss: float
    epoch: float


class TrainingLog(BaseModel):
    """A finished training run.

    `tokens` counts prompt and completion tokens of all epochs, without padding. `padding_share` is the share of the
    computed positions that were padding (0 to 1). `loss_first` and `loss_last` are means over the first and the last
    tenth of the steps, at least one. `seconds` is wall time from the start of the command; after an interruption it
    includes the work up to the checkpoint that was resumed. `dropped` names the rows that exceeded max_length.
    `template` says what was mended in the chat template of the base. `smaller_batch` says what batch was taken where
    the configured one did not fit the memory. `fingerprint` is the SHA-256 of the settings and the training file.
    """

    model_config = ConfigDict(frozen=True)

    base: str
    arm: str
    examples: int
    dropped: tuple[RowLength, ...]
    steps: int
    epochs: float
    tokens: int
    padding_share: float
    loss_first: float
    loss_last: float
    seconds: float
    trainable_parameters: int
    device: str
    fingerprint: str
    settings: dict[str, JsonValue]
    template: tuple[str, ...] = ()
    versions: dict[str, str]
    losses: tuple[StepLoss, ...]
    smaller_batch: str | None = None


def is_trained(output: Path, fingerprint: str) -> bool:
    """Whether `output` holds a whole student made from what `fingerprint` stands for; if so, stderr says it."""
    try:
        log = json.loads((output / LOG).read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(log, dict) or log.get("fingerprint") != fingerprint:
        return False
    sys.stderr.write(f"{output} is whole and was made from the same settings and rows: nothing to do\n")
    return True


def step_losses(log_history: Sequence[Mapping[str, Any]]) -> tuple[StepLoss, ...]:
    """Read the losses from the log history of a transformers Trainer, which its checkpoints carry along."""
    return tuple(
        StepLoss(step=row["step"], loss=round(row["loss"], 5), epoch=round(row["epoch"], 4))
        for row in log_history
        if "loss" in row
    )


def first_and_last(losses: Sequence[StepLoss]) -> tuple[float, float]:
    """Average the loss over the first and over the last tenth of the steps, at least one step each."""
    count = max(1, round(_ENDS * len(losses)))
    first, last = (fmean(step.loss for step in part) for part in (losses[:count], losses[-count:]))
    return round(first, 4), round(last, 4)


def library_versions() -> dict[str, str]:
    """The versions of the libraries that train."""
    return {name: version(name) for name in ("torch", "transformers", "peft", "trl")}

"""What `training_log.json` says of a student, for the report and for whoever finds the folder later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from training.length_audit import RowLength

LOG = "training_log.json"
_ENDS = 0.1  # share of the steps that loss_first and loss_last average over


class StepLoss(BaseModel):
    """Mean loss per completion token of one optimizer step, in nats; `epoch` is the share of epochs done after it."""

    step: int
    loss: float
    epoch: float


class TrainingLog(BaseModel):
    """A finished training run.

    `tokens` counts prompt and completion tokens of all epochs, without padding; `padding_share` is the share of the
    computed positions that were padding (0 to 1). `loss_first` and `loss_last` are means over the first and the last
    tenth of the steps, at least one. `seconds` is wall time from the start of the command, loading included; of a run
    that was interrupted, the work up to the checkpoint that it resumed from counts too. `dropped` names the rows that
    exceeded max_length. `fingerprint` is the SHA-256 of the settings and the training file.
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
    versions: dict[str, str]
    losses: tuple[StepLoss, ...]


def step_losses(log_history: Sequence[Mapping[str, Any]]) -> tuple[StepLoss, ...]:
    """The losses in the log history of a transformers Trainer, which its checkpoints carry along."""
    return tuple(
        StepLoss(step=row["step"], loss=round(row["loss"], 5), epoch=round(row["epoch"], 4))
        for row in log_history
        if "loss" in row
    )


def first_and_last(losses: Sequence[StepLoss]) -> tuple[float, float]:
    """Mean loss over the first tenth and over the last tenth of the steps, at least one step each."""
    count = max(1, round(_ENDS * len(losses)))
    return (
        fmean(step.loss for step in losses[:count]),
        fmean(step.loss for step in losses[-count:]),
    )


def versions() -> dict[str, str]:
    """Versions of the libraries that did the work."""
    return {name: version(name) for name in ("torch", "transformers", "peft", "trl")}

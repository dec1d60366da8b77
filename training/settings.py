"""What a training run is told: the `train` section of arf.yaml, and what belongs to one arm of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue, ValidationError, field_validator

from arf_programs.config.train import TrainConfig
from signatures.exceptions import ConfigError


class TrainSettings(TrainConfig):
    """The `train` section (base, epochs, learning_rate, lora, ...) with arm, seed and the finer points of the run.

    Where the defaults come from: LoRA on every linear layer, at a learning rate about ten times that of full
    fine-tuning, is what Schulman et al., "LoRA Without Regret" (Thinking Machines, 2025) found to match it; 2e-4 is the
    rate of QLoRA (Dettmers et al. 2023, arXiv 2305.14314) for models of 7B to 13B parameters. A model of 135M with an
    adapter on its last 8 layers alone learns most, of the rates tried, at 2e-3. Weight decay, gradient norm and linear
    schedule are the defaults of transformers.

    How `edit_weight` and `TrainingExample.weight` enter the loss: `training.loss_weights`.
    """

    arm: str | None = Field(default=None, description="arm of the rows; null: as the rows say")
    seed: int = Field(default=17, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    save_steps: float = Field(default=0.1, gt=0, description="steps between checkpoints; below 1: share of all steps")

    @field_validator("save_steps")
    @classmethod
    def _whole_steps(cls, value: float) -> float:
        if value > 1 and not value.is_integer():
            raise ValueError("give a whole number of steps, or a share below 1")
        return value

    def as_json(self) -> dict[str, JsonValue]:
        """The settings of fine-tuning, without what else the run trains and on whose terms."""
        return self.model_dump(mode="json", exclude={"arms", "preference", "acknowledge_terms"})

    def fingerprint(self, data: bytes) -> str:
        """SHA-256 over these settings and the bytes of the training file: what a checkpoint is good for."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode() + b"\0" + data).hexdigest()


def load_settings(path: Path | None, overrides: Mapping[str, Any]) -> TrainSettings:
    """Read a JSON file (none: all defaults) and lay `overrides` over it; `lora` is merged key by key.

    Raises ConfigError listing every problem.
    """
    document = _read_json(path) if path else {}
    lora = {**document.get("lora", {}), **overrides.get("lora", {})}
    merged = {**document, **overrides, "lora": lora}
    try:
        return TrainSettings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError([_describe(item, path) for item in error.errors(include_url=False)]) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON ({error}).") from None
    if not isinstance(document, dict) or not isinstance(document.get("lora", {}), dict):
        raise ConfigError(f"{path}: expected an object such as {{'base': 'smollm2-135m', 'lora': {{'r': 16}}}}.")
    return document


def _describe(error: Any, path: Path | None) -> str:
    name = ".".join(str(part) for part in error["loc"]) or "train"
    place = f"{path}: {name}" if path else name
    if error["type"] == "extra_forbidden":
        return f"{place} is not a known setting: known are {', '.join(TrainSettings.model_fields)}."
    given = f" (it is {error.get('input')!r})" if error["loc"] else ""
    return f"{place}: {error['msg'].removeprefix('Value error, ')}{given}."

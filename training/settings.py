"""What the commands of this package have in common: quiet libraries, clean messages and exit codes.

What a training run is told: the `train` section of arf.yaml, and what belongs to one arm of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from pydantic import Field, JsonValue, ValidationError, field_validator

from arf_programs.config import TrainConfig
from signatures.exceptions import ArfError, ConfigError, UserError


def run_command(work: Callable[[TextIO], None]) -> int:
    """Run `work` with the real stdout, which no library can write to meanwhile, and return the exit code.

    0: done; 1: failed at work; 2: the user's input is wrong; 130: interrupted with Ctrl-C. What is raised otherwise
    is a defect, and keeps its traceback.
    """
    machine = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            work(machine)
    except ArfError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UserError) else 1
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return 0


def quiet_libraries() -> None:
    """Keep progress bars and chatter out of the logs, and the usage statistics of TRL at home.

    Call it before anything loads torch, which reads at that moment how its threads should wait.
    """
    # Threads that spin while they wait starve their own peers when other processes share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import datasets
    import huggingface_hub
    from transformers.utils import logging

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


class TrainSettings(TrainConfig):
    """The `train` section (base, epochs, learning_rate, lora, ...) with arm, seed and the finer points of the run.

    Where the defaults come from: LoRA on every linear layer, at a learning rate about ten times that of full
    fine-tuning, is what Schulman et al., "LoRA Without Regret" (Thinking Machines, 2025) found to match it; 2e-4 is the
    rate of QLoRA (Dettmers et al. 2023, arXiv 2305.14314) for models of 7B to 13B parameters. A model of 135M with an
    adapter on its last 8 layers alone learns most, of the rates tried, at 2e-3. Weight decay, gradient norm and linear
    schedule are the defaults of transformers.

    How `edit_weight` and `TrainingExample.weight` enter the loss: `training.loop.lengths`.
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

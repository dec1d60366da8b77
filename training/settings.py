"""The settings of a training, and what the commands of this package share: quiet libraries, messages, exit codes."""

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

from arf_programs.config import TrainConfig, masked_streams
from arf_programs.runs import is_of_the_disk, storage_error, trouble_behind
from signatures.exceptions import ArfError, ConfigError, UserError


def run_command(work: Callable[[TextIO], None], folder: Path | None = None) -> int:
    """Run `work` with the real stdout, while libraries write to stderr instead, and return the exit code.

    `folder` is where it writes, for the message about a disk that does not take a file.

    0: done; 1: failed at work; 2: the user's input is wrong; 130: interrupted with Ctrl-C. Any other exception is a
    defect, and keeps its traceback.
    """
    machine = sys.stdout
    try:
        with masked_streams(), contextlib.redirect_stdout(sys.stderr):
            work(machine)
    except ArfError as caught:
        error: ArfError = trouble_behind(caught) or caught
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UserError) else 1
    except Exception as caught:
        if not (isinstance(caught, OSError) or is_of_the_disk(caught)):
            raise
        sys.stderr.write(f"error: {storage_error(caught, folder)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return 0


def quiet_libraries() -> None:
    """Keep progress bars and needless messages out of the logs, and send no usage statistics.

    Call it before anything loads torch, which reads OMP_WAIT_POLICY at that moment.
    """
    # Threads that wait actively slow each other down when other processes share the cores.
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
    """The `train` section (base, epochs, learning_rate, lora, ...) with arm, seed and details of the run.

    Sources of the defaults: Schulman et al., "LoRA Without Regret" (Thinking Machines, 2025) found that LoRA on every
    linear layer matches full fine-tuning at about ten times its learning rate. 2e-4 is the rate of QLoRA (Dettmers et
    al. 2023, arXiv 2305.14314) for models of 7B to 13B parameters. A model of 135M with an adapter on its last 8 layers
    learned most at 2e-3, of the rates tried. Weight decay, gradient norm and linear schedule are the defaults of
    transformers. `training.loop.loss_weights` has the formula of `edit_weight` and `TrainingExample.weight`.
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
        """The settings of fine-tuning, without other arms, the preference stage and the terms of providers."""
        return self.model_dump(mode="json", exclude={"arms", "preference", "acknowledge_terms"})

    def fingerprint(self, data: bytes) -> str:
        """Hash these settings and the bytes of the training file with SHA-256; a checkpoint belongs to one hash."""
        silent = self.without_new_defaults()
        text = json.dumps({key: value for key, value in self.as_json().items() if key not in silent}, sort_keys=True)
        return hashlib.sha256(text.encode() + b"\0" + data).hexdigest()


def load_settings(path: Path | None, overrides: Mapping[str, Any]) -> TrainSettings:
    """Read a JSON file (None: all defaults) and apply `overrides`; `lora` is merged key by key.

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

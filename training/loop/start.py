"""Train on from given weights of an adapter, and pull it towards weights. Importing this costs seconds.

A site of a federation trains so (`arf federate`). The proximal term of FedProx is `mu / 2 * ||w - w_0||^2` (Li et al.
2018, arXiv 1812.06127, equation 2), where w_0 are the weights that a site starts from. Its gradient `mu * (w - w_0)` is
added before each update, so the losses that a training reports are without the term.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from signatures.exceptions import DataError
from training.loop.adapter import with_adapter
from training.settings import TrainSettings


@dataclass(frozen=True)
class Start:
    """Where a training starts, and what pulls it: files of the weights of an adapter, as PEFT saves it.

    Attributes:
        adapter: the weights to start from; None: a new adapter.
        pull: the strength mu of the pull; 0: none.
        towards: the weights that pull; None: those that the training starts from.
    """

    adapter: Path | None = None
    pull: float = 0.0
    towards: Path | None = None


def start_adapter(
    model: PreTrainedModel, settings: TrainSettings, start: Start
) -> tuple[PeftModel, list[TrainerCallback]]:
    """Put an adapter on `model`, and return it with the callback that pulls it, if there is one.

    Raises ConfigError for targets that the model does not have, and DataError for weights of another adapter.
    """
    student = with_adapter(model, settings)
    if start.adapter is not None:
        _load(student, start.adapter)
    if not start.pull:
        return student, []
    begun = _trained(student)
    if start.towards is None:
        return student, [Pull(begun, start.pull)]
    _load(student, start.towards)
    targets = _trained(student)
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            if name in begun:
                parameter.copy_(begun[name])
    return student, [Pull(targets, start.pull)]


def _trained(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: item.detach().clone() for name, item in model.named_parameters() if item.requires_grad}


def _load(student: PeftModel, path: Path) -> None:
    weights = load_file(path)
    wanted = {name: item.shape for name, item in get_peft_model_state_dict(student).items()}
    if {name: item.shape for name, item in weights.items()} != wanted:
        raise DataError(f"{path}: the weights of another adapter: base, train.lora and these weights do not fit.")
    set_peft_model_state_dict(student, weights)


class Pull(TrainerCallback):
    """Adds `strength * (w - target)` to the gradient of each trained weight before it is updated."""

    def __init__(self, targets: dict[str, torch.Tensor], strength: float) -> None:
        self._targets = targets
        self._strength = strength

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: object,
    ) -> None:
        """Add the pull to the gradients, which are clipped already."""
        for name, parameter in model.named_parameters() if model is not None else ():
            name = name.removeprefix("module.")
            if name in self._targets and parameter.grad is not None:
                target = self._targets[name].to(parameter.device)
                parameter.grad.add_(parameter.detach() - target, alpha=self._strength)

"""PEFT's LoRA adapter on a model: a new one, or one that trains on from given weights. Importing this costs seconds.

With LoRA on the last N layers, the layers below never change, and no gradient goes there. So their output for a row
stays the same in the whole run, and is computed once and not in each epoch (`FrozenLayers`).

A site of a federation trains from given weights and is pulled towards weights (`arf federate`). The proximal term of
FedProx is `mu / 2 * ||w - w_0||^2` (Li et al. 2018, arXiv 1812.06127, equation 2), where w_0 are the weights that a
site starts from. Its gradient `mu * (w - w_0)` is added before each update, so the losses that a training reports are
without the term.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from signatures.exceptions import ConfigError, DataError
from training.settings import TrainSettings


def with_adapter(model: PreTrainedModel, settings: TrainSettings) -> PeftModel:
    """Freeze `model` and put a new LoRA adapter on it. Raises ConfigError for targets that the model does not have."""
    set_seed(settings.seed)  # the adapter starts from random numbers
    try:
        adapted = get_peft_model(model, lora_config(model, settings))
    except ValueError as error:
        raise ConfigError(f"train.lora: {error}") from error
    if isinstance(adapted.get_base_model().get_output_embeddings(), BaseTunerLayer):
        raise ConfigError(
            "train.lora.targets: the head cannot be adapted, since TRL's loss does not call it: leave it out."
        )
    return adapted


def lora_config(model: PreTrainedModel, settings: TrainSettings) -> LoraConfig:
    """Make PEFT's configuration of the adapter."""
    lora = settings.lora
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_targets(model, settings),
        layers_to_transform=adapted_layers(model, settings),
        use_rslora=lora.rslora,
        use_dora=lora.dora,
    )


def adapted_layers(model: PreTrainedModel, settings: TrainSettings) -> list[int] | None:
    """The numbers of the adapted layers; None: all."""
    if settings.lora.last_layers is None:
        return None
    count: int = model.config.get_text_config().num_hidden_layers
    return list(range(max(0, count - settings.lora.last_layers), count))


def _targets(model: PreTrainedModel, settings: TrainSettings) -> str | list[str]:
    targets = settings.lora.targets
    if not isinstance(targets, str):
        return list(targets)
    if settings.lora.last_layers is None or targets != "all-linear":
        return targets
    # PEFT takes no `layers_to_transform` beside "all-linear", so its meaning is spelled out.
    head = model.get_output_embeddings()
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head]
    return sorted({name.rpartition(".")[2] for name in linear})


Forward = Callable[..., torch.Tensor]


class FrozenLayers:
    """Remembers, row by row, the output of a stack of frozen layers, and replaces the `forward` of each of them.

    A row is recognised by a hash of its token embeddings, the input of the first layer; batches must not be padded.
    `limit` is the memory to use, in bytes: further rows are computed each time.
    """

    def __init__(self, layers: nn.ModuleList, *, limit: int) -> None:
        self._last = len(layers) - 1
        self._outputs: dict[bytes, torch.Tensor] = {}
        self._room = limit
        self._row = b""
        for index, layer in enumerate(layers):
            layer.forward = partial(self._run, index, layer.forward)

    def _run(
        self, index: int, forward: Forward, hidden_states: torch.Tensor, *args: object, **kwargs: object
    ) -> torch.Tensor:
        if index == 0:
            entering = hidden_states.detach().contiguous().view(torch.uint8).numpy()  # numpy has no bfloat16
            self._row = hashlib.blake2b(entering.tobytes(), digest_size=16).digest()
        remembered = self._outputs.get(self._row)
        if remembered is not None:
            return remembered if index == self._last else hidden_states
        with torch.no_grad():
            output = forward(hidden_states, *args, **kwargs)
        if index == self._last and output.nbytes <= self._room:
            self._room -= output.nbytes
            self._outputs[self._row] = output
        return output


def can_remember(layers: nn.ModuleList) -> bool:
    """Whether the layers are frozen, and without dropout: the same input always gives the same output."""
    frozen = not any(parameter.requires_grad for parameter in layers.parameters())
    dropouts = [getattr(module, "attention_dropout", 0.0) for module in layers.modules()]
    dropouts += [module.p for module in layers.modules() if isinstance(module, nn.Dropout)]
    return len(layers) > 0 and frozen and not any(dropouts)


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

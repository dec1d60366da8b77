"""PEFT's LoRA adapter on a model, and frozen layers that compute each row once. Importing this costs seconds.

With LoRA on the last N layers, the layers below never change, and no gradient goes there. So their output for a row
stays the same in the whole run, and is computed once and not in each epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel, set_seed

from signatures.exceptions import ConfigError
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

"""Puts PEFT's adapter on a model, on whatever device that is, the meta device included. Imports torch and PEFT."""

from __future__ import annotations

from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel, set_seed

from signatures.exceptions import ConfigError
from training.settings import TrainSettings


def with_adapter(model: PreTrainedModel, settings: TrainSettings) -> PeftModel:
    """`model` frozen, with a new LoRA adapter on it. Raises ConfigError for targets that the model does not have."""
    set_seed(settings.seed)  # the adapter starts from random numbers
    try:
        adapted = get_peft_model(model, lora_config(model, settings))
    except ValueError as error:
        raise ConfigError(f"train.lora: {error}") from error
    if isinstance(adapted.get_base_model().get_output_embeddings(), BaseTunerLayer):
        raise ConfigError(
            "train.lora.targets: the head cannot be adapted, since TRL's loss passes it by: leave it out."
        )
    return adapted


def lora_config(model: PreTrainedModel, settings: TrainSettings) -> LoraConfig:
    """PEFT's configuration of the adapter."""
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
    """The numbers of the layers that are adapted; None: all."""
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

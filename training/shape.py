"""What decides the cost of training a model, read off the model itself, on the meta device or another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from training.settings import TrainSettings


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder with its adapter; tied weights count once.

    `parameters` are those of the base; `trainable` those that learn, an adapter's or the base's own. `linear` counts
    the weights of linear layers without the head (what QLoRA quantises), `above` those of layers that gradients pass
    through. `queries` and `keys` are the widths of what attention reads (heads times head size); `adapted_inputs` is
    the sum of the input widths of the adapted modules of one layer, `adapted` their number over all layers.
    """

    parameters: int
    trainable: int
    linear: int
    above: int
    layers: int
    layers_above: int
    hidden: int
    intermediate: int
    queries: int
    keys: int
    vocabulary: int
    adapted: int
    adapted_inputs: int
    targets: tuple[str, ...]


def measure_shape(model: PreTrainedModel, settings: TrainSettings) -> Shape:
    """The shape of `model` as `settings` would train it; puts the adapter on it.

    Raises ConfigError for targets that the model does not have.
    """
    from torch import nn

    config = model.config.get_text_config()
    parameters = sum(weight.numel() for weight in model.parameters())
    head = model.get_output_embeddings()
    linear = sum(item.weight.numel() for item in model.modules() if isinstance(item, nn.Linear) and item is not head)
    trainable, inputs = parameters, 0
    targets: dict[str, int] = {}
    layers_above = config.num_hidden_layers
    if settings.method != "full":
        trainable, targets = _adapt(model, settings)
        layers_above = min(settings.lora.last_layers or layers_above, layers_above)
        inputs = sum(targets.values()) // layers_above
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Shape(
        parameters=parameters,
        trainable=trainable,
        linear=linear,
        above=linear * layers_above // config.num_hidden_layers,
        layers=config.num_hidden_layers,
        layers_above=layers_above,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        queries=heads * size,
        keys=(getattr(config, "num_key_value_heads", None) or heads) * size,
        vocabulary=config.vocab_size,
        adapted=len(targets),
        adapted_inputs=inputs,
        targets=tuple(sorted({name.rpartition(".")[2] for name in targets})),
    )


def _adapt(model: PreTrainedModel, settings: TrainSettings) -> tuple[int, dict[str, int]]:
    """Put the adapter on: its number of weights, and the input width of each adapted module by its name."""
    from peft.tuners.lora import LoraLayer

    from training.adapter import with_adapter

    adapted = with_adapter(model, settings)
    widths = {name: item.in_features for name, item in adapted.named_modules() if isinstance(item, LoraLayer)}
    return sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad), widths

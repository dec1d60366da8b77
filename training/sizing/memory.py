"""What decides the cost of training a model, read off the model itself, on the meta device or another.

How much memory training takes: sums over a model's shape, without torch. Everything is in bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from arf_programs.config import Method

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

    from training.loop.adapter import with_adapter

    adapted = with_adapter(model, settings)
    widths = {name: item.in_features for name, item in adapted.named_modules() if isinstance(item, LoraLayer)}
    return sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad), widths


GIB = 2**30
# The share of a device that a plan may fill: the rest goes to the CUDA context, to workspaces and to fragmentation.
USABLE = 0.9
_NF4 = 4.127 / 8  # bytes a weight: 4 bits, and 0.127 of doubly quantised constants (Dettmers et al. 2023, section 3)
_FLOAT, _HALF = 4, 2
_LEARNING: dict[Method, int] = {"lora": _FLOAT, "full": _FLOAT, "qlora": _HALF}  # bytes of a weight that learns


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training step, by what takes them."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(asdict(self).values())

    def fits(self, device: int) -> bool:
        """Whether it stays within the usable share of a device of so many bytes."""
        return self.total <= USABLE * device


@dataclass(frozen=True)
class Batch:
    """What is in the device at once: `tokens` positions, padding included, `completion` of which reach the head."""

    tokens: int
    completion: int


@dataclass(frozen=True)
class How:
    """The settings that decide about memory."""

    method: Method
    bf16: bool
    checkpointing: bool
    dropout: bool
    fused_head: bool  # TRL's, on CUDA and for pairs: logits are computed in tiles and never kept
    reference: bool = False  # DPO's: a frozen copy of what learns


def memory(shape: Shape, how: How, batch: Batch) -> Memory:
    """Memory for one step on `batch`.

    A float32 weight that learns takes 4 bytes, its gradient 4, AdamW's two moments 8, and under bf16 a copy in two
    bytes is kept for the matrix products: the 18 bytes a weight of "Model training anatomy" in transformers'
    documentation. TRL holds QLoRA's adapter, with gradients and moments, in bfloat16.
    """
    learning = _LEARNING[how.method]
    return Memory(
        weights=_weights(shape, how),
        gradients=learning * shape.trainable,
        optimizer=2 * learning * shape.trainable,
        activations=_kept(shape, how) * batch.tokens + _logits(shape, how, batch),
    )


def tokens_that_fit(shape: Shape, how: How, device: int) -> int:
    """The largest number of positions in a batch that a device of so many bytes has room for; 0: none."""
    room = USABLE * device - memory(shape, how, Batch(0, 0)).total
    return max(0, int(room // _kept(shape, how)))


def _weights(shape: Shape, how: How) -> int:
    reference = _LEARNING[how.method] * shape.trainable if how.reference else 0
    return _held(shape, how) + reference


def _held(shape: Shape, how: How) -> int:
    held = _HALF if how.bf16 else _FLOAT
    if how.method == "full":
        return (_FLOAT + (_HALF if how.bf16 else 0)) * shape.parameters
    adapter = _LEARNING[how.method] * shape.trainable
    if how.method == "qlora":
        return int(_NF4 * shape.linear) + held * (shape.parameters - shape.linear) + adapter
    return held * shape.parameters + adapter


def _kept(shape: Shape, how: How) -> int:
    """Bytes kept for the way back for each position.

    With checkpointing the input of every layer, and one layer in full while it is computed again (Chen et al. 2016,
    arXiv 1604.06174); without it all layers that gradients pass through.
    """
    if not how.checkpointing:
        return shape.layers_above * layer_bytes(shape, how)
    stream = _HALF if how.bf16 and how.method != "full" else _FLOAT
    return shape.layers_above * stream * shape.hidden + layer_bytes(shape, how)


def layer_bytes(shape: Shape, how: How) -> int:
    """Bytes that autograd keeps of one decoder layer for each position.

    Counted operation by operation as in Korthikanti et al. 2022 (arXiv 2205.05198, section 4.1), for the Llama layer of
    transformers with fused attention: two norms, which compute in float32; their outputs, which enter linear layers;
    queries, keys, values and the output of attention; gate, its activation, up, and their product. A test compares the
    count with what autograd keeps. Dropout keeps an output and a mask for each adapted module.
    """
    kept = _HALF if how.bf16 else _FLOAT
    norms = 2 * _FLOAT * shape.hidden
    inputs = 2 * shape.hidden + 2 * shape.queries + 2 * shape.keys + 4 * shape.intermediate
    own = norms + kept * inputs
    if how.method == "full":
        return own + 2 * kept * shape.hidden  # what the weights of the norms multiply
    dropped = (kept + 1) * shape.adapted_inputs if how.dropout else 0
    return own + dropped


def _logits(shape: Shape, how: How, batch: Batch) -> int:
    """Logits, their logarithms after the softmax, and their gradient, in float32, where they are held at all."""
    return 0 if how.fused_head else 3 * _FLOAT * shape.vocabulary * batch.completion

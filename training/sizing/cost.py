"""Memory and time of a training, computed from the shape of the model and the batches. Memory is in bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from arf_programs.config import Method

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from training.settings import TrainSettings

GIB = 2**30
# The share of a device that a plan may fill: the rest goes to the CUDA context, to workspaces and to fragmentation.
USABLE = 0.9
_NF4 = 4.127 / 8  # bytes a weight: 4 bits, and 0.127 of doubly quantised constants (Dettmers et al. 2023, section 3)
_FLOAT, _HALF = 4, 2
_LEARNING: dict[Method, int] = {"lora": _FLOAT, "full": _FLOAT, "qlora": _HALF}  # bytes of a weight that learns
# The share that training reaches of the speed of large matrix products: 46% for PaLM (Chowdhery et al. 2022, arXiv
# 2204.02311).
_REACHED = 0.4


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder with its adapter; tied weights count once.

    `parameters` are those of the base, `trainable` those that learn: an adapter's, or the base's own. `linear` counts
    the weights of linear layers without the head (QLoRA quantises these), `above` those of layers that gradients pass
    through. `queries` and `keys` are the widths of queries and keys in attention (heads times head size).
    `adapted_inputs` is the sum of the input widths of the adapted modules of one layer, `adapted` the number of adapted
    modules in all layers.
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


@dataclass(frozen=True)
class Batch:
    """The rows in the device at once: `tokens` positions, padding included, `completion` of which reach the head."""

    tokens: int
    completion: int


@dataclass(frozen=True)
class Mode:
    """The settings that decide about cost."""

    method: Method
    bf16: bool
    checkpointing: bool
    dropout: bool
    fused_head: bool  # TRL's, on CUDA and for pairs: logits are computed in tiles and never kept
    fused_layers: bool = False  # Liger's kernels
    reference: bool = False  # DPO's: a frozen copy of what learns


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training step, by use."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return sum(asdict(self).values())

    def fits(self, device: int) -> bool:
        """Whether it stays within the usable share of a device with `device` bytes."""
        return self.total <= USABLE * device


def measure_shape(model: PreTrainedModel, settings: TrainSettings) -> Shape:
    """Measure `model` as `settings` would train it. Puts the adapter on it.

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
    """Put the adapter on. Return its number of weights, and the input width of each adapted module by its name."""
    from peft.tuners.lora import LoraLayer

    from training.loop.adapter import with_adapter

    adapted = with_adapter(model, settings)
    widths = {name: item.in_features for name, item in adapted.named_modules() if isinstance(item, LoraLayer)}
    return sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad), widths


def estimate_memory(shape: Shape, mode: Mode, batch: Batch) -> Memory:
    """Estimate the memory of one step on `batch`.

    A float32 weight that learns takes 4 bytes, its gradient 4, AdamW's two moments 8. Under bf16 a copy of two bytes is
    kept for the matrix products. That is 18 bytes per weight, as in "Model training anatomy" of transformers'
    documentation. TRL holds QLoRA's adapter, with gradients and moments, in bfloat16. If the head is not fused, logits,
    their logarithms after the softmax and their gradient are float32.
    """
    learning = _LEARNING[mode.method]
    reference = learning * shape.trainable if mode.reference else 0
    logits = 0 if mode.fused_head else 3 * _FLOAT * shape.vocabulary * batch.completion
    return Memory(
        weights=_weights(shape, mode) + reference,
        gradients=learning * shape.trainable,
        optimizer=2 * learning * shape.trainable,
        activations=_kept(shape, mode) * batch.tokens + logits,
    )


def tokens_that_fit(shape: Shape, mode: Mode, device: int) -> int:
    """The largest number of positions in a batch that fits into a device with `device` bytes; 0: none."""
    room = USABLE * device - estimate_memory(shape, mode, Batch(0, 0)).total
    return max(0, int(room // _kept(shape, mode)))


def _weights(shape: Shape, mode: Mode) -> int:
    base = _HALF if mode.bf16 else _FLOAT
    if mode.method == "full":
        return (_FLOAT + (_HALF if mode.bf16 else 0)) * shape.parameters
    adapter = _LEARNING[mode.method] * shape.trainable
    if mode.method == "qlora":
        return int(_NF4 * shape.linear) + base * (shape.parameters - shape.linear) + adapter
    return base * shape.parameters + adapter


def _kept(shape: Shape, mode: Mode) -> int:
    """Bytes kept for the backward pass for each position.

    With checkpointing these are the input of every layer, and one layer in full while it is computed again (Chen et al.
    2016, arXiv 1604.06174); without it all layers that gradients pass through.
    """
    if not mode.checkpointing:
        return shape.layers_above * layer_bytes(shape, mode)
    stream = _HALF if mode.bf16 and mode.method != "full" else _FLOAT
    return shape.layers_above * stream * shape.hidden + layer_bytes(shape, mode)


def layer_bytes(shape: Shape, mode: Mode) -> int:
    """Bytes that autograd keeps of one decoder layer for each position.

    Counted operation by operation as in Korthikanti et al. 2022 (arXiv 2205.05198, section 4.1), for the Llama layer of
    transformers with fused attention: two norms, which compute in float32; their outputs, which enter linear layers;
    queries, keys, values and the output of attention; gate, its activation, up, and their product. A test compares the
    count with what autograd keeps. Dropout keeps an output and a mask for each adapted module. Liger's norms keep their
    inputs as they are, and its activation is computed again.
    """
    size = _HALF if mode.bf16 else _FLOAT
    norms = 2 * (size if mode.fused_layers else _FLOAT) * shape.hidden
    wide = 3 if mode.fused_layers else 4
    inputs = 2 * shape.hidden + 2 * shape.queries + 2 * shape.keys + wide * shape.intermediate
    own = norms + size * inputs
    if mode.method == "full":
        return own + 2 * size * shape.hidden  # the inputs of the norms' weights
    dropped = (size + 1) * shape.adapted_inputs if mode.dropout else 0
    return own + dropped


def count_operations(shape: Shape, mode: Mode, *, tokens: int, distinct: int) -> float:
    """Count the floating-point operations for `tokens` positions in all epochs, `distinct` of them in one.

    The forward pass takes two for each weight and token, the backward pass two for the gradients of activations and two
    for those of weights that learn (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Checkpointing adds a forward
    pass, and a reference another. Without these, layers below the first adapted one are computed once for all epochs,
    as `training.loop.adapter` does on a CPU.
    """
    below = shape.linear - shape.above
    passes = 2 + (mode.method == "full") + mode.checkpointing + mode.reference
    through = tokens * (1 + mode.reference) if mode.checkpointing or mode.fused_head else distinct
    return 2.0 * (
        shape.above * passes * tokens + below * through + 3 * shape.trainable * tokens * (mode.method != "full")
    )


def estimate_seconds(operations: float, speed: float) -> float:
    """Estimate the time on a device that multiplies matrices at `speed` operations a second."""
    return operations / (_REACHED * speed)

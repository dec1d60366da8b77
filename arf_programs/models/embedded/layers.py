"""Replace parts of a transformers model by faster ones for decoding: attention, cache, and linear layers on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from arf_programs.models.local.placement import CPU, Placement

_FOLDED = "arf_folded"


def folded_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute scaled dot-product attention, with the queries of a group as further queries of one key-value head.

    transformers does so for one new token with a mask. Without a mask it leaves the groups to PyTorch: for one new
    token that takes 1.1 to 1.9 times as long in float32, and 5 to 13 times in bfloat16. For several new tokens and a
    mask it copies keys and values for each query of a group: 1.2 to 11 times. (Measured on one AVX512 core with the
    heads of SmolLM2-135M and of Qwen2.5-0.5B and 1.5B: one token after 400 and 1,000 of 1 and 32 rows; 4 tokens of 8
    rows, and 30 of one row.)

    Args:
        module: the attention layer.
        query: (rows, heads, new tokens, head size).
        key, value: (rows, key-value heads, slots, head size).
        attention_mask: (rows or 1, 1, new tokens, slots), True for a slot that is seen. None is causal attention.
        scaling: the factor of the products; None is 1 / sqrt(head size).

    Returns:
        The output, (rows, new tokens, heads, head size), and None in place of attention weights.
    """
    rows, heads, new, size = query.shape
    if attention_mask is None and new > 1:
        causal: torch.Tensor = sdpa_attention_forward(module, query, key, value, None, scaling=scaling)[0]
        return causal, None
    groups = heads // key.shape[1]
    folded = query.reshape(rows, key.shape[1], groups * new, size)
    mask = None if attention_mask is None else attention_mask.expand(-1, groups, -1, -1).flatten(1, 2)[:, None]
    output = nn.functional.scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scaling)
    return output.reshape(rows, heads, new, size).transpose(1, 2).contiguous(), None


def use_folded_attention(model: PreTrainedModel) -> bool:
    """Make `model` use `folded_attention`. Return False for one that needs other attention, such as Gemma 2."""
    if model.config._attn_implementation != "sdpa":
        return False
    AttentionInterface.register(_FOLDED, folded_attention)
    AttentionMaskInterface.register(_FOLDED, sdpa_mask)
    model.set_attn_implementation(_FOLDED)
    return True


class _SlotLayer(DynamicLayer):
    """One layer of a buffer, filled up to `length` slots."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self._keys, self._values, self.length = keys, values, length
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.length + key_states.shape[-2]
        self._keys[:, :, self.length : end] = key_states
        self._values[:, :, self.length : end] = value_states
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0


def slot_cache(buffer: torch.Tensor, length: int) -> Cache:
    """Return a transformers cache over `buffer` that writes the next tokens into the slots from `length` on.

    It writes in place, where transformers' `DynamicCache` copies all keys and values at every token.
    """
    return Cache(layers=[_SlotLayer(layer[0], layer[1], length) for layer in buffer])


class KVShape:
    """The sizes of a model's buffers of keys and values, and where they are held."""

    def __init__(self, config: Any, placement: Placement = CPU) -> None:
        self.layers: int = config.num_hidden_layers
        self.heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        self.head_size: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._device, self._dtype = placement.device, placement.torch_dtype
        self.token_bytes: int = self.buffer(1, 1).nbytes

    def buffer(self, rows: int, slots: int) -> torch.Tensor:
        """Return an empty buffer, (layers, 2, rows, heads, slots, head size). The 2 is keys and values."""
        # Zeros, since a masked slot has weight 0, and 0 times NaN is NaN.
        size = (self.layers, 2, rows, self.heads, slots, self.head_size)
        return torch.zeros(size, dtype=self._dtype, device=self._device)


_ROWS_HINT = 64  # oneDNN chooses a layout for about this number of rows; it works for others too


class PackedLinear(nn.Linear):
    """Compute `x @ weight.T + bias` with weights arranged once for oneDNN, for float32 `x` (..., in_features).

    In PyTorch's float32 `linear` on a CPU, MKL rearranges the weights in every call. Arranged once, a product took
    between a half and nine tenths of the time at the 8 to 32 rows of a decoding batch (a quarter for the output layer
    at 8), and four fifths on whole prompts, on two AVX2 cores. The results agree within rounding. Dynamic int8 was
    faster for a single row only, so it is not used. For inference only.

    PyTorch's public way, `torch.utils.mkldnn`, is no faster than `linear`: it converts input and output at every call
    (measured on one AVX512 core, 8 and 32 rows, the layers of SmolLM2-135M: 0.85 to 1.5 of the time of `linear`;
    these operators 0.54 to 0.85).
    """

    def __init__(self, linear: nn.Linear) -> None:
        # It is an `nn.Linear`, so that PEFT puts adapters on it. An empty weight tells PEFT device and dtype; the
        # weights themselves are not kept a second time.
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight = nn.Parameter(torch.empty(0), requires_grad=False)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS_HINT)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return result


def pack_linears(model: nn.Module) -> None:
    """Replace every `nn.Linear` of a float32 CPU model in place.

    Does nothing if PyTorch has no oneDNN, or if a later PyTorch has these operators no more.
    """
    operators = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available() or not all(
        hasattr(operators, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
    ):
        return
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child))

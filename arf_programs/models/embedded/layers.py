"""Attention of grouped queries without copies of the keys and values that a group shares.

transformers repeats keys and values for each query of a group as soon as there is a mask and more than one new token.
On a CPU those copies cost more than the attention itself (measured: 6 times, at 32 rows of 1,650 tokens).


Keys and values in preallocated buffers, written in place: `DynamicCache` would copy all of them at every token.

A buffer has the shape (layers, 2, rows, heads, slots, head size); 2 is keys and values.


Linear layers with their weights laid out once for oneDNN.

PyTorch's float32 `linear` on a CPU has MKL rearrange the weights in every call. Arranged once, a single product took
between a half and nine tenths of the time at the 8 to 32 rows of a decoding batch (a quarter for the output layer at 8)
and four fifths on whole prompts, on two AVX2 cores; the results agree within rounding. Dynamic int8 was faster still
for a lone row only, and is therefore not used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicLayer

NAME = "arf_grouped"


def grouped_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention as transformers asks for it: (rows, new tokens, heads, head size), no weights.

    `query` is (rows, heads, new tokens, head size), `key` and `value` (rows, key-value heads, slots, head size), the
    mask (rows or 1, 1, new tokens, slots), True where a slot is seen; without one, a token sees those before it.
    """
    output = nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        is_causal=attention_mask is None and query.shape[2] > 1,
        scale=scaling,
        enable_gqa=True,
    )
    return output.transpose(1, 2).contiguous(), None


def use_grouped_attention(model: nn.Module) -> None:
    """Let `model` attend by `grouped_attention`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, grouped_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


class _SlotLayer(DynamicLayer):
    """One layer's view of a buffer, filled up to `length` slots."""

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
    """A transformers cache over `buffer` whose next tokens go to the slots from `length` on."""
    return Cache(layers=[_SlotLayer(layer[0], layer[1], length) for layer in buffer])


class KVShape:
    """The sizes that a model's buffers have in common."""

    def __init__(self, config: Any) -> None:
        self.layers: int = config.num_hidden_layers
        self.heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        self.head_size: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads

        self.token_bytes: int = self.buffer(1, 1).nbytes

    def buffer(self, rows: int, slots: int) -> torch.Tensor:
        # Zeros, not garbage: a masked slot has weight 0, and 0 times NaN is NaN.
        return torch.zeros(self.layers, 2, rows, self.heads, slots, self.head_size)


_ROWS_HINT = 64  # oneDNN picks its layout for about so many rows; others work with it as well


class PackedLinear(nn.Module):
    """`x @ weight.T + bias` for float32 `x` of shape (..., in_features), inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS_HINT)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return result


def pack_linears(model: nn.Module) -> None:
    """Replace every `nn.Linear` of a float32 CPU model in place; does nothing where PyTorch has no oneDNN."""
    if not torch._C._has_mkldnn:
        return
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child))

"""Keys and values in preallocated buffers, written in place: `DynamicCache` would copy all of them at every token.

A buffer has the shape (layers, 2, rows, heads, slots, head size); 2 is keys and values.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


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

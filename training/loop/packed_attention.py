"""Attention over packed rows by PyTorch's own FlashAttention, which needs no further package.

PyTorch's `scaled_dot_product_attention` keeps packed rows apart by a mask of all pairs of positions, and its fast
kernels take no mask. Importing this module costs seconds.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

NAME = "torch_varlen"


def register_packed_attention() -> str:
    """Tell transformers of this attention, and return its name there. No mask is made for it."""
    AttentionInterface.register(NAME, attend)
    return NAME


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int | None = None,
    **_: Any,  # dropout, which is 0, and the same places once more for the keys
) -> tuple[torch.Tensor, None]:
    """Attend within each row, to earlier positions only.

    Args:
        query: (1, heads, tokens, size); all rows one after the other.
        key, value: (1, key heads, tokens, size).
        cu_seq_lens_q: (rows + 1), where each row begins, and where the last one ends. TRL's collator gives it with
            packed rows. Without it the tokens are one row.
        max_length_q: tokens of the longest row.

    Returns:
        (1, tokens, heads, size), and no weights.
    """
    from torch.nn.attention.varlen import varlen_attn

    if cu_seq_lens_q is None or max_length_q is None:
        plain: torch.Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling)[0]
        return plain, None
    groups = query.shape[1] // key.shape[1]
    queries, keys, values = (
        tensor[0].transpose(0, 1) for tensor in (query, repeat_kv(key, groups), repeat_kv(value, groups))
    )
    out = varlen_attn(
        queries.contiguous(),
        keys.contiguous(),
        values.contiguous(),
        cu_seq_lens_q,
        cu_seq_lens_q,
        max_length_q,
        max_length_q,
        scale=scaling,
        window_size=(-1, 0),
    )
    return out[None], None

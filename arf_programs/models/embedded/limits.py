"""How many rows a batch may have, and how much memory prompts may take: fixed on a CPU, by free memory on a GPU."""

from __future__ import annotations

from functools import cache

import torch

from arf_programs.models.embedded.layers import KVShape
from arf_programs.models.embedded.prefix_cache import PrefixCache
from arf_programs.models.local.placement import Placement

_CACHE_BYTES = 2 * 2**30  # for keys and values of recent prompts on a CPU: 46,000 tokens of a 135M model
_ROWS = 32
_SLOTS = 48_000  # rows times tokens of a batch; this limits its memory
_GPU_ROWS = 128
_CACHE_SHARE = 0.2  # of the memory that is free when the first model is on a GPU
# A batch is copied when it is built anew, so two of them are in memory for a moment. The rest is for activations.
_BATCH_SHARE = 0.4


def most_rows(placement: Placement) -> int:
    """Return how many rows a batch may have."""
    return _ROWS if placement.is_cpu else _GPU_ROWS


def most_slots(placement: Placement, shape: KVShape) -> int:
    """Return how many slots, rows times tokens, the next batch may have."""
    if not placement.is_cuda:
        return _SLOTS
    return int(_BATCH_SHARE * _free_memory(placement.device) / shape.token_bytes)


@cache
def prefix_cache(device: str) -> PrefixCache:
    """Return the cache that all models on a device share."""
    return PrefixCache(int(_CACHE_SHARE * _free_memory(device)) if device.startswith("cuda") else _CACHE_BYTES)


def _free_memory(device: str) -> int:
    """Return the bytes of a CUDA GPU that tensors may still take: free ones, and those that torch holds unused."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))

"""Memory of embedded models: keys and values of recent prompts, and how many rows a batch may have.

A new prompt is read only from where it differs from a recent one. The limits are fixed on a CPU. On a GPU they follow
its free memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from arf_programs.models.embedded.layers import KVShape
from arf_programs.models.local.placement import Placement


def common_prefix_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many leading items `a` and `b` share."""
    low, high = 0, min(len(a), len(b))
    # Slices are compared in C, so bisection is faster than a loop over items.
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(eq=False)
class _Entry:
    """A prompt with its state from position `start` on. The parent has the state before that."""

    owner: object
    tokens: tuple[int, ...]
    start: int
    state: torch.Tensor
    parent: _Entry | None
    children: int = 0


class PrefixCache:
    """Recent prompts of all models on a device, with their state: a tensor whose last dimension but one is positions.

    A beginning that prompts share is kept once: an entry has only the state after its parent's. When the states take
    more than `size` bytes, the least recently used entries without children are dropped.
    """

    def __init__(self, size: int) -> None:
        self.size, self.used = size, 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[object, tuple[int, ...]], _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, owner: object, prompt: tuple[int, ...]) -> list[torch.Tensor]:
        """Return the state of the longest prefix of `prompt` that an entry of `owner` has, in ordered pieces."""
        with self._lock:
            end, entry = self._find(owner, prompt)
            pieces = []
            while entry is not None:
                self._entries.move_to_end((owner, entry.tokens))
                if entry.start < end:
                    pieces.append(entry.state[..., : end - entry.start, :])
                    end = entry.start
                entry = entry.parent
            return pieces[::-1]

    def put(self, owner: object, prompt: tuple[int, ...], start: int, state: torch.Tensor) -> None:
        """Keep `state`, of the positions of `prompt` from `start` on. `longest` has returned the state before them."""
        with self._lock:
            if (owner, prompt) in self._entries or state.nbytes > self.size:
                return
            shared, parent = self._find(owner, prompt)
            if shared < start:
                return
            entry = _Entry(owner, prompt, start, state, parent if start else None)
            if entry.parent is not None:
                entry.parent.children += 1
            self._entries[owner, prompt] = entry
            self.used += state.nbytes
            while self.used > self.size:
                self._drop(next(entry for entry in self._entries.values() if not entry.children))

    def forget(self, owner: object) -> None:
        """Drop all prompts of `owner`."""
        with self._lock:
            for entry in [entry for entry in self._entries.values() if entry.owner is owner]:
                self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry.owner, entry.tokens]
        self.used -= entry.state.nbytes
        if entry.parent is not None:
            entry.parent.children -= 1

    def _find(self, owner: object, prompt: tuple[int, ...]) -> tuple[int, _Entry | None]:
        best, best_entry = 0, None
        for entry in self._entries.values():
            length = common_prefix_length(entry.tokens, prompt) if entry.owner is owner else 0
            if length > best:
                best, best_entry = length, entry
        return best, best_entry


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

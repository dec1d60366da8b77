"""Keep the keys and values of recent prompts, so that a new prompt is read only from where it differs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch


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

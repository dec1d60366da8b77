"""Keep the keys and values of recent prompts, so that a new prompt is read only from where it differs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State")


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


@dataclass(frozen=True)
class Piece(Generic[State]):
    """The state of the positions `start` to `end` of a prompt. It is the first `end - start` positions of `state`."""

    start: int
    end: int
    state: State


@dataclass(eq=False)
class _Entry(Generic[State]):
    """A prompt with its state from position `start` on. The parent has the state before that."""

    tokens: tuple[int, ...]
    start: int
    state: State
    parent: _Entry[State] | None
    children: int = 0


class PrefixCache(Generic[State]):
    """Recent prompts with their state (any object), up to `max_tokens` tokens in total.

    A beginning that prompts share is kept once: an entry has only the state after its parent's. When the cache is full,
    the least recently used entry without children is dropped.
    """

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.tokens = 0
        self._entries: OrderedDict[tuple[int, ...], _Entry[State]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, prompt: tuple[int, ...]) -> tuple[int, list[Piece[State]]]:
        """Return the length of the longest prefix of `prompt` that an entry has, and its state in ordered pieces."""
        length, entry = self._find(prompt)
        pieces: list[Piece[State]] = []
        end = length
        while entry is not None:
            self._entries.move_to_end(entry.tokens)
            if entry.start < end:
                pieces.append(Piece(entry.start, end, entry.state))
                end = entry.start
            entry = entry.parent
        return length, pieces[::-1]

    def put(self, prompt: tuple[int, ...], start: int, state: State) -> None:
        """Keep `state`, of the positions of `prompt` from `start` on. `longest` has returned the state before them."""
        if prompt in self._entries or len(prompt) - start > self.max_tokens:
            return
        shared, parent = self._find(prompt)
        if shared < start:
            return
        entry = _Entry(prompt, start, state, parent if start else None)
        if entry.parent is not None:
            entry.parent.children += 1
        self._entries[prompt] = entry
        self.tokens += len(prompt) - start
        self._make_room()

    def _find(self, prompt: tuple[int, ...]) -> tuple[int, _Entry[State] | None]:
        best, best_entry = 0, None
        for tokens, entry in self._entries.items():
            length = common_prefix_length(tokens, prompt)
            if length > best:
                best, best_entry = length, entry
        return best, best_entry

    def _make_room(self) -> None:
        while self.tokens > self.max_tokens:
            oldest = next(entry for entry in self._entries.values() if not entry.children)
            del self._entries[oldest.tokens]
            self.tokens -= len(oldest.tokens) - oldest.start
            if oldest.parent is not None:
                oldest.parent.children -= 1

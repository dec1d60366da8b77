"""Keep the keys and values of recent prompts, so that a new prompt is read only from where it differs."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakSet

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


class CacheBudget:
    """How many bytes the prefix caches that share it may take in all. The least recently used state goes first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0
        self.lock = threading.RLock()
        self._clock = itertools.count()
        self._caches: WeakSet[PrefixCache[Any]] = WeakSet()

    def join(self, cache: PrefixCache[Any]) -> None:
        """Let a cache draw on this budget."""
        self._caches.add(cache)

    def now(self) -> int:
        """Return a number that is greater than all before."""
        return next(self._clock)

    def make_room(self) -> None:
        """Drop entries without children, the least recently used first, until the rest fits."""
        while self.used > self.size:
            leaves = [(leaf.used, cache) for cache in self._caches if (leaf := cache.oldest_leaf()) is not None]
            min(leaves, key=lambda pair: pair[0])[1].drop_oldest()


@dataclass(eq=False)
class _Entry(Generic[State]):
    """A prompt with its state from position `start` on. The parent has the state before that."""

    tokens: tuple[int, ...]
    start: int
    state: State
    parent: _Entry[State] | None
    used: int
    children: int = 0


class PrefixCache(Generic[State]):
    """Recent prompts with their state (any object), within a budget that other caches may share.

    A beginning that prompts share is kept once: an entry has only the state after its parent's. When the budget is
    spent, the least recently used entry without children is dropped. A token takes `token_bytes` of the budget.
    """

    def __init__(self, budget: CacheBudget, token_bytes: int = 1) -> None:
        self.tokens = 0
        self._budget, self._token_bytes = budget, token_bytes
        self._entries: OrderedDict[tuple[int, ...], _Entry[State]] = OrderedDict()
        budget.join(self)

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, prompt: tuple[int, ...]) -> tuple[int, list[Piece[State]]]:
        """Return the length of the longest prefix of `prompt` that an entry has, and its state in ordered pieces."""
        with self._budget.lock:
            length, entry = self._find(prompt)
            pieces: list[Piece[State]] = []
            end = length
            while entry is not None:
                entry.used = self._budget.now()
                self._entries.move_to_end(entry.tokens)
                if entry.start < end:
                    pieces.append(Piece(entry.start, end, entry.state))
                    end = entry.start
                entry = entry.parent
            return length, pieces[::-1]

    def put(self, prompt: tuple[int, ...], start: int, state: State) -> None:
        """Keep `state`, of the positions of `prompt` from `start` on. `longest` has returned the state before them."""
        with self._budget.lock:
            if prompt in self._entries or (len(prompt) - start) * self._token_bytes > self._budget.size:
                return
            shared, parent = self._find(prompt)
            if shared < start:
                return
            entry = _Entry(prompt, start, state, parent if start else None, self._budget.now())
            if entry.parent is not None:
                entry.parent.children += 1
            self._entries[prompt] = entry
            self._count(len(prompt) - start)
            self._budget.make_room()

    def clear(self) -> None:
        """Forget all prompts."""
        with self._budget.lock:
            self._entries.clear()
            self._count(-self.tokens)

    def oldest_leaf(self) -> _Entry[State] | None:
        """Return the least recently used entry without children; None if the cache is empty."""
        return next((entry for entry in self._entries.values() if not entry.children), None)

    def drop_oldest(self) -> None:
        """Drop the least recently used entry without children."""
        oldest = self.oldest_leaf()
        if oldest is None:
            return
        del self._entries[oldest.tokens]
        self._count(oldest.start - len(oldest.tokens))
        if oldest.parent is not None:
            oldest.parent.children -= 1

    def _count(self, tokens: int) -> None:
        self.tokens += tokens
        self._budget.used += tokens * self._token_bytes

    def _find(self, prompt: tuple[int, ...]) -> tuple[int, _Entry[State] | None]:
        best, best_entry = 0, None
        for tokens, entry in self._entries.items():
            length = common_prefix_length(tokens, prompt)
            if length > best:
                best, best_entry = length, entry
        return best, best_entry

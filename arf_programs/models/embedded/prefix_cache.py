"""Keys and values of prompts already read, so that a new prompt is read from where it differs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

State = TypeVar("State")


def common_prefix_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading items `a` and `b` share."""
    low, high = 0, min(len(a), len(b))
    # Slices compare at C speed, so halving beats a loop over items.
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class PrefixCache(Generic[State]):
    """Least recently used prompts with their state (any object), up to `max_tokens` tokens in total."""

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.tokens = 0
        self._entries: OrderedDict[tuple[int, ...], State] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, prompt: tuple[int, ...]) -> tuple[int, State | None]:
        """Length of the longest prefix of `prompt` that an entry starts with, and that entry's state (0, None)."""
        best, found = 0, None
        for tokens in self._entries:
            length = common_prefix_length(tokens, prompt)
            if length > best:
                best, found = length, tokens
        if found is None:
            return 0, None
        self._entries.move_to_end(found)
        return best, self._entries[found]

    def put(self, prompt: tuple[int, ...], state: State) -> None:
        """Keep `state`, whose first positions belong to `prompt`; entries that it contains whole make room for it."""
        if len(prompt) > self.max_tokens:
            return
        for tokens in [t for t in self._entries if t == prompt[: len(t)]]:
            self._drop(tokens)
        self._entries[prompt] = state
        self.tokens += len(prompt)
        while self.tokens > self.max_tokens:
            self._drop(next(iter(self._entries)))

    def _drop(self, tokens: tuple[int, ...]) -> None:
        del self._entries[tokens]
        self.tokens -= len(tokens)

"""Groups of identical or nearly identical conversations, which must be on the same side of a split.

Two conversations are alike if the Jaccard similarity of their sets of normalised word 5-grams reaches a threshold.
Prefix filtering finds all such pairs (Bayardo, Ma and Srikant 2007, "Scaling Up All Pairs Similarity Search"): order
the n-grams from rare to common. Then two sets of similarity t share one of the first |x| - ceil(t |x|) + 1 n-grams of
each. Positional filtering (Xiao et al. 2008, "Efficient Similarity Joins for Near Duplicate Detection") bounds what two
sets can share by the place of the first shared n-gram. So conversations that only share a form letter are not compared
one by one. The result is exact except for collisions of 64-bit hashes, and needs no seed.

Most conversations are unlike all others. A first pass counts the conversations of each n-gram, in buckets of its hash;
the count may be too high, never too low. A second pass skips conversations whose whole prefix is unique. Of the others
it keeps the n-grams that other conversations may have.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signatures.records import Conversation

WORDS = 5
Hashes = NDArray[np.uint64]
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, power, 1 << 64) for power in range(WORDS)], dtype=np.uint64)
_BUCKETS_EACH = 128  # buckets of one byte for each conversation, which has about as many words
_MOST_BITS = 31  # 2 GiB
# A size times a threshold such as 0.8 is rounded. The filter must not lose a pair because of this.
_SLACK = 1e-9


class Shingles(NamedTuple):
    """The word 5-grams of a conversation: sorted hashes of those that others may have too, and the number of all."""

    shared: Hashes
    size: int

    @property
    def own(self) -> int:
        """The number of n-grams that no other conversation has."""
        return self.size - len(self.shared)


def group_duplicates(*parts: Collection[Conversation], threshold: float) -> list[int]:
    """Return the group number of each conversation of all parts, from 0 in the order of first appearance.

    Chains of similar conversations are one group. `threshold` is above 0 and at most 1. A conversation of fewer than
    five words is alike only to one of equal text. The conversations are read twice. Only n-grams of those that may be
    alike to another are kept.
    """
    buckets = _Buckets(sum(map(len, parts)))
    digests = np.array([buckets.add(_grams(item)) for item in chain(*parts)], dtype=np.uint64)
    _, firsts, inverse = np.unique(digests, return_index=True, return_inverse=True)
    parents: list[int] = firsts[inverse].tolist()
    places: list[int] = []
    sets: list[Shingles] = []
    for index, item in enumerate(chain(*parts)):
        if parents[index] == index and (shingles := _candidate(_grams(item), buckets, threshold)) is not None:
            places.append(index)
            sets.append(shingles)
    for a, b in _alike_pairs(sets, threshold):
        parents[_root(parents, places[a])] = _root(parents, places[b])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_root(parents, index), len(numbers)) for index in range(len(parents))]


def cluster_duplicates(conversations: Mapping[str, Conversation], *, threshold: float) -> dict[str, str]:
    """Return the group of each conversation that has a near-duplicate, by its id. The others are left out."""
    numbers = group_duplicates(conversations.values(), threshold=threshold)
    sizes = Counter(numbers)
    return {name: str(number) for name, number in zip(conversations, numbers, strict=True) if sizes[number] > 1}


def jaccard(a: Shingles, b: Shingles) -> float:
    """Compute the similarity of two sets: the size of their intersection over that of their union."""
    shared = len(np.intersect1d(a.shared, b.shared, assume_unique=True))
    return shared / (a.size + b.size - shared)


class _Buckets:
    """Counts the conversations of each n-gram, in buckets that several n-grams may share."""

    def __init__(self, conversations: int) -> None:
        bits = (max(1, conversations * _BUCKETS_EACH) - 1).bit_length()
        self._times = np.zeros(1 << min(bits, _MOST_BITS), dtype=np.uint8)

    def add(self, grams: Hashes) -> int:
        """Count the n-grams of one conversation. Return a hash of all of them."""
        buckets = self._buckets(grams)
        self._times[buckets] = np.minimum(self._times[buckets] + 1, 2)
        return int.from_bytes(hashlib.blake2b(grams.tobytes(), digest_size=8).digest(), "little")

    def more_than_once(self, grams: Hashes) -> Hashes:
        """Return the n-grams that another conversation may have too."""
        return grams[self._times[self._buckets(grams)] > 1]

    def _buckets(self, grams: Hashes) -> NDArray[np.int64]:
        return (grams & np.uint64(len(self._times) - 1)).astype(np.int64)


def _candidate(grams: Hashes, buckets: _Buckets, threshold: float) -> Shingles | None:
    """Return the set of a conversation that may be alike to another. Return None if its whole prefix is unique."""
    shingles = Shingles(buckets.more_than_once(grams), len(grams))
    return shingles if shingles.own < _prefix(shingles.size, threshold) else None


def _grams(conversation: Conversation) -> Hashes:
    """Hash the word 5-grams of a conversation and sort the hashes. A shorter text has one hash, that of the text."""
    text = unicodedata.normalize("NFKC", " ".join(turn.text for turn in conversation.turns)).casefold()
    words = re.findall(r"\w+", text)
    if len(words) < WORDS:
        return np.array([_hash(" ".join(words) or text.strip())], dtype=np.uint64)
    hashes = np.array(list(map(_hash, words)), dtype=np.uint64)
    last = len(words) - WORDS + 1
    grams = np.zeros(last, dtype=np.uint64)
    for offset, factor in enumerate(_FACTORS):
        grams += hashes[offset : offset + last] * factor
    return np.unique(grams)


@lru_cache(maxsize=1 << 16)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _alike_pairs(sets: Sequence[Shingles], threshold: float) -> Iterator[tuple[int, int]]:
    """Yield pairs of set numbers that are alike, enough of them to connect each group."""
    parents = list(range(len(sets)))
    refused: set[tuple[int, int]] = set()
    for a, b in _candidates(sets, threshold):
        if (a, b) in refused or _root(parents, a) == _root(parents, b):
            continue
        if jaccard(sets[a], sets[b]) >= threshold:
            parents[_root(parents, a)] = _root(parents, b)
            yield a, b
        else:
            refused.add((a, b))


def _candidates(sets: Sequence[Shingles], threshold: float) -> Iterator[tuple[int, int]]:
    """Yield pairs that share an n-gram of their prefixes, and whose sizes and its place allow enough similarity.

    N-grams are read from rare to common, so two sets share nothing before the first n-gram that both have. Later
    n-grams give a lower bound, so a pair that is excluded once stays excluded.
    """
    sizes = np.array([item.size for item in sets], dtype=np.int64)
    for owners, places in _postings(sets, threshold):
        size = sizes[owners]
        rest = size - places
        for index in range(len(owners) - 1):
            later = slice(index + 1, None)
            needed = (size[index] + size[later]) * (threshold / (1 + threshold)) - _SLACK
            possible = np.minimum(rest[index], rest[later])
            for other in owners[later][possible >= needed].tolist():
                yield int(owners[index]), other


def _postings(sets: Sequence[Shingles], threshold: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield, for each n-gram in the prefix of several sets, these sets and its place from 0 in each.

    N-grams come from rare to common. Those of one set only are the rarest: they come first in its prefix.
    """
    if not sets:
        return
    grams, inverse, counts = np.unique(
        np.concatenate([item.shared for item in sets]), return_inverse=True, return_counts=True
    )
    rarity = np.empty(len(grams), dtype=np.int64)
    rarity[np.argsort(counts, kind="stable")] = np.arange(len(grams))
    ends = np.cumsum([len(item.shared) for item in sets])[:-1]
    prefixes = [
        np.sort(ranks)[: _prefix(item.size, threshold) - item.own]
        for ranks, item in zip(np.split(rarity[inverse], ends), sets, strict=True)
    ]
    lengths = [len(prefix) for prefix in prefixes]
    owners = np.repeat(np.arange(len(sets)), lengths)
    places = np.concatenate([item.own + np.arange(length) for item, length in zip(sets, lengths, strict=True)])
    flat = np.concatenate(prefixes)
    order = np.argsort(flat, kind="stable")
    starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
    stops = np.append(starts[1:], len(flat))
    for start, stop in zip(starts[stops - starts > 1], stops[stops - starts > 1], strict=True):
        posting = order[start:stop]
        yield owners[posting], places[posting]


def _prefix(size: int, threshold: float) -> int:
    """Return the length n of the prefix: two similar sets share at least one of the n rarest members of each."""
    return size - math.ceil(threshold * size - _SLACK) + 1

"""Groups of identical or nearly identical conversations, which must not stand on both sides of a split.

Two conversations are alike when the Jaccard similarity of their sets of normalised word 5-grams reaches a threshold.
All such pairs are found, by prefix filtering (Bayardo, Ma and Srikant 2007, "Scaling Up All Pairs Similarity Search"):
with n-grams ordered from rare to common, two sets of similarity t share one among the first |x| - ceil(t |x|) + 1 of
each; most prefixes hold nothing but unique n-grams. Where such a first shared one stands bounds what two sets can share
(positional filtering; Xiao et al. 2008, "Efficient Similarity Joins for Near Duplicate Detection"), so conversations
that have a form letter in common are not compared one by one. Exact up to collisions of 64-bit hashes; needs no seed.

Most conversations have so much of their own that they are alike to none. A first pass counts in how many conversations
an n-gram stands, by buckets of its hash (so too many at times, never too few); a second keeps, of the conversations
whose prefix is not all their own, the n-grams that others may have.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signatures.records import Conversation

WORDS = 5
Hashes = NDArray[np.uint64]
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, power, 1 << 64) for power in range(WORDS)], dtype=np.uint64)
_BUCKETS_EACH = 128  # for each conversation, of about as many words: a byte each
_MOST_BITS = 31  # 2 GiB
# Sizes times a threshold such as 0.8 land a little beside whole numbers; the filter must not lose a pair to that.
_SLACK = 1e-9


class Shingles(NamedTuple):
    """The word 5-grams of a conversation: those that others may have too, as sorted hashes, and how many all are."""

    shared: Hashes
    size: int

    @property
    def own(self) -> int:
        """How many no other conversation has."""
        return self.size - len(self.shared)


def group_duplicates(*parts: Collection[Conversation], threshold: float) -> list[int]:
    """The group of each conversation of all parts, numbered from 0 in order of first appearance; alike is transitive.

    `threshold` is above 0 and at most 1. A conversation of fewer than five words is alike only to one of equal text.
    Conversations are gone through twice; kept are the n-grams of those that may be alike to another.
    """
    met = _Met(sum(map(len, parts)))
    digests = np.array([met.add(_grams(item)) for item in chain(*parts)], dtype=np.uint64)
    _, firsts, inverse = np.unique(digests, return_index=True, return_inverse=True)
    parents: list[int] = firsts[inverse].tolist()
    places: list[int] = []
    sets: list[Shingles] = []
    for index, item in enumerate(chain(*parts)):
        if parents[index] == index and (shingles := _candidate(_grams(item), met, threshold)) is not None:
            places.append(index)
            sets.append(shingles)
    for a, b in _alike_pairs(sets, threshold):
        parents[_root(parents, places[a])] = _root(parents, places[b])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_root(parents, index), len(numbers)) for index in range(len(parents))]


def jaccard(a: Shingles, b: Shingles) -> float:
    """Similarity of two sets: the size of their intersection over that of their union."""
    shared = len(np.intersect1d(a.shared, b.shared, assume_unique=True))
    return shared / (a.size + b.size - shared)


class _Met:
    """Which n-grams more than one conversation has, or may have: buckets of hashes, of which one may hold several."""

    def __init__(self, conversations: int) -> None:
        bits = (max(1, conversations * _BUCKETS_EACH) - 1).bit_length()
        self._times = np.zeros(1 << min(bits, _MOST_BITS), dtype=np.uint8)

    def add(self, grams: Hashes) -> int:
        """A conversation has these; a hash of all of them."""
        buckets = self._buckets(grams)
        self._times[buckets] = np.minimum(self._times[buckets] + 1, 2)
        return int.from_bytes(hashlib.blake2b(grams.tobytes(), digest_size=8).digest(), "little")

    def more_than_once(self, grams: Hashes) -> Hashes:
        """Those of these n-grams that another conversation may have as well."""
        return grams[self._times[self._buckets(grams)] > 1]

    def _buckets(self, grams: Hashes) -> NDArray[np.int64]:
        return (grams & np.uint64(len(self._times) - 1)).astype(np.int64)


def _candidate(grams: Hashes, met: _Met, threshold: float) -> Shingles | None:
    """The set, if it may be alike to another: its prefix is not made of n-grams alone that nobody else has."""
    shingles = Shingles(met.more_than_once(grams), len(grams))
    return shingles if shingles.own < _prefix(shingles.size, threshold) else None


def _grams(conversation: Conversation) -> Hashes:
    """The sorted hashes of the word 5-grams of what is said; of a shorter text one hash, that of the text."""
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
    """Pairs of set numbers of at least that similarity, enough of them to connect all that are alike."""
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
    """Pairs that share an n-gram of their prefixes and, by their sizes and its place, may share enough in all.

    N-grams are gone through from rare to common, so where two sets meet first they have shared nothing before. The
    bound falls from there on: a pair it rules out once stays out.
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
    """For each n-gram in the prefix of several sets, from rare to common: those sets, and its place from 0 in each.

    N-grams that one set alone has are the rarest: they come first in its prefix, and are met nowhere.
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
    """How many of a set's rarest members two sets of that similarity must have one in common among."""
    return size - math.ceil(threshold * size - _SLACK) + 1

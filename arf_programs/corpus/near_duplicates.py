"""Groups of identical or nearly identical conversations, which must not stand on both sides of a split.

Two conversations are alike when the Jaccard similarity of their sets of normalised word 5-grams reaches a threshold.
All such pairs are found, by prefix filtering (Bayardo, Ma and Srikant 2007, "Scaling Up All Pairs Similarity Search"):
with n-grams ordered from rare to common, two sets of similarity t share one among the first |x| - ceil(t |x|) + 1 of
each; most prefixes hold nothing but unique n-grams. Where such a first shared one stands bounds what two sets can share
(positional filtering; Xiao et al. 2008, "Efficient Similarity Joins for Near Duplicate Detection"), so conversations
that have a form letter in common are not compared one by one. Exact up to collisions of 64-bit hashes; needs no seed.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from signatures.records import Conversation

WORDS = 5
Hashes = NDArray[np.uint64]
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, power, 1 << 64) for power in range(WORDS)], dtype=np.uint64)
# Sizes times a threshold such as 0.8 land a little beside whole numbers; the filter must not lose a pair to that.
_SLACK = 1e-9


def duplicate_groups(conversations: Sequence[Conversation], *, threshold: float) -> list[int]:
    """The group of each conversation, numbered from 0 in order of first appearance; alike is transitive.

    `threshold` is above 0 and at most 1. A conversation of fewer than five words is alike only to one of equal text.
    """
    grams = [_grams(conversation) for conversation in conversations]
    leaders: dict[bytes, int] = {}
    parents = [leaders.setdefault(item.tobytes(), index) for index, item in enumerate(grams)]
    unique = list(leaders.values())
    for a, b in _alike_pairs([grams[index] for index in unique], threshold):
        parents[_root(parents, unique[a])] = _root(parents, unique[b])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_root(parents, index), len(numbers)) for index in range(len(parents))]


def jaccard(a: Hashes, b: Hashes) -> float:
    """Similarity of two sets, given as arrays without repetition: the size of their intersection over their union."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


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


def _alike_pairs(sets: Sequence[Hashes], threshold: float) -> Iterator[tuple[int, int]]:
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


def _candidates(sets: Sequence[Hashes], threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs that share an n-gram of their prefixes and, by their sizes and its place, may share enough in all.

    N-grams are gone through from rare to common, so where two sets meet first they have shared nothing before. The
    bound falls from there on: a pair it rules out once stays out.
    """
    sizes = np.array([len(item) for item in sets], dtype=np.int64)
    for owners, places in _postings(sets, threshold):
        size = sizes[owners]
        rest = size - places
        for index in range(len(owners) - 1):
            later = slice(index + 1, None)
            needed = (size[index] + size[later]) * (threshold / (1 + threshold)) - _SLACK
            possible = np.minimum(rest[index], rest[later])
            for other in owners[later][possible >= needed].tolist():
                yield int(owners[index]), other


def _postings(sets: Sequence[Hashes], threshold: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each n-gram in the prefix of several sets, from rare to common: those sets, and its place from 0 in each."""
    if not sets:
        return
    grams, inverse, counts = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    rarity = np.empty(len(grams), dtype=np.int64)
    rarity[np.argsort(counts, kind="stable")] = np.arange(len(grams))
    ends = np.cumsum([len(item) for item in sets])[:-1]
    prefixes = [np.sort(ranks)[: _prefix(len(ranks), threshold)] for ranks in np.split(rarity[inverse], ends)]
    lengths = [len(prefix) for prefix in prefixes]
    owners = np.repeat(np.arange(len(sets)), lengths)
    places = np.concatenate([np.arange(length) for length in lengths])
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

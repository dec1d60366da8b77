"""Split the corpus into conversations for training, a holdout, and a dev side. Nobody trains on the last two.

The labelled set is read together with the split, because its conversations must not be in the holdout. The clusters of
conversations are read here too, because a run needs them at its end.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from arf_programs.corpus.labeled import LabeledExample, read_labeled_of
from arf_programs.corpus.near_duplicates import group_duplicates
from arf_programs.corpus.read import StoredCorpus
from arf_programs.runs import Run
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation

_NO_DEV = (
    "corpus.dev: beside the holdout no conversation can be spared that is neither labelled nor a near-duplicate of all "
    "others: give more conversations, or set corpus.dev to 0"
)


@dataclass(frozen=True)
class Split:
    """The ids of each side, in the order of the corpus. `holdout_groups` counts near-duplicates of the holdout once."""

    train: tuple[str, ...]
    holdout: tuple[str, ...]
    dev: tuple[str, ...] = ()
    holdout_groups: int = 0


class _Member(NamedTuple):
    """The part of a conversation that the split needs."""

    id: str
    channel: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Conversations that stay together. `key` orders groups; `stratum` is the channel of most members."""

    key: bytes
    stratum: str
    ids: tuple[str, ...]


def split_conversations(
    conversations: Collection[Conversation],
    *,
    holdout: float,
    seed: int,
    threshold: float,
    dev: float = 0.0,
    keep_in_train: Collection[str] = (),
    keep_with: Sequence[Conversation] = (),
) -> Split:
    """Split by channel. `holdout` and `dev` are shares; near-duplicates stay on one side (`group_duplicates`).

    The holdout is chosen first, so it is the same with and without a dev side. Training gets the ids in
    `keep_in_train`, and near-duplicates of these or of `keep_with`, which are conversations outside the corpus. Groups
    are ordered by a hash of seed and ids, so a new conversation moves few others. Conversations are read several times
    and not kept. Raises DataError if a side would be empty; without `dev` there is no dev side.
    """
    numbers = group_duplicates(conversations, keep_with, threshold=threshold)
    items = [_Member(item.id, sys.intern(item.channel)) for item in conversations]
    kept = set(numbers[len(items) :])
    kept |= {number for number, item in zip(numbers, items, strict=False) if item.id in keep_in_train}
    groups = (_group(group, seed) for number, group in _together(numbers, items) if number not in kept)
    free = sorted(groups, key=lambda group: group.key)
    _check_both_sides(len(set(numbers[: len(items)])), len(free))
    channels = Counter(item.channel for item in items)
    held_out = _choose(free, {name: holdout * count for name, count in channels.items()}, len(items))
    watched: frozenset[str] = frozenset()
    if dev:
        left = [group for group in free if not held_out.intersection(group.ids)]
        watched = _choose(left, {name: dev * count for name, count in channels.items()}, len(items) - len(held_out))
        if not watched:
            raise DataError(_NO_DEV)
    ids = [item.id for item in items]
    return Split(
        train=tuple(i for i in ids if i not in held_out | watched),
        holdout=tuple(i for i in ids if i in held_out),
        dev=tuple(i for i in ids if i in watched),
        holdout_groups=sum(not held_out.isdisjoint(group.ids) for group in free),
    )


def _together(numbers: Sequence[int], items: Sequence[_Member]) -> Iterator[tuple[int, list[_Member]]]:
    """Yield the conversations of each group number."""
    order = sorted(range(len(items)), key=numbers.__getitem__)
    for number, places in groupby(order, key=numbers.__getitem__):
        yield number, [items[place] for place in places]


def _group(members: Sequence[_Member], seed: int) -> _Group:
    # The smallest hash of the members: a new member rarely changes the place of the group.
    key = min(hashlib.sha256(f"{seed}\0{item.id}".encode()).digest() for item in members)
    channels = Counter(item.channel for item in members)
    stratum = min(channels, key=lambda name: (-channels[name], name))
    return _Group(key, stratum, tuple(item.id for item in members))


def _check_both_sides(groups: int, free: int) -> None:
    if groups < 2:
        raise DataError(
            "corpus: there is one conversation, or all are near-duplicates of one another, and both training and "
            "holdout need one: give more conversations, or raise corpus.near_duplicate"
        )
    if free == 0:
        raise DataError(
            "corpus: every conversation is labelled, or a near-duplicate of a labelled one, and the holdout needs "
            "another: give more conversations or label fewer"
        )


def _choose(free: Sequence[_Group], quotas: Mapping[str, float], total: int) -> frozenset[str]:
    """Choose the ids of a side. Their number is near the sum of the quotas, at least one, and never all of `total`.

    Each channel first fills its quota rounded down, then rounded up. Then other channels fill what is left, for example
    if all conversations of a channel are labelled. A group that is too large for the room is skipped. A search for the
    best sum of sizes would let one new conversation change everything.
    """
    room = min(max(1, math.floor(sum(quotas.values()) + 0.5)), total - 1)
    taken: dict[bytes, _Group] = {}
    filled: Counter[str] = Counter()
    for limits in (
        {name: math.floor(quota) for name, quota in quotas.items()},
        {name: math.ceil(quota) for name, quota in quotas.items()},
        dict.fromkeys(quotas, total),
    ):
        for group in free:
            size = len(group.ids)
            if group.key not in taken and size <= room and filled[group.stratum] + size <= limits[group.stratum]:
                taken[group.key] = group
                filled[group.stratum] += size
                room -= size
    left = [group for group in free if group.key not in taken]
    last = _nearest(left, room, must=not taken, most=total - 1 - sum(filled.values()))
    return frozenset(conversation_id for group in (*taken.values(), *last) for conversation_id in group.ids)


def _nearest(left: Iterable[_Group], room: int, *, must: bool, most: int) -> list[_Group]:
    """Choose one more group if the side then comes nearer to its size than without it."""
    fitting = [group for group in left if len(group.ids) <= most]
    if not fitting:
        return []
    best = min(fitting, key=lambda group: abs(room - len(group.ids)))
    return [best] if must or abs(room - len(best.ids)) < room else []


def split_corpus(run: Run, corpus: StoredCorpus) -> tuple[Split, tuple[LabeledExample, ...]]:
    """Split the corpus, and read the labelled set.

    Raises DataError if either is not possible, and ConfigError for a wrong `evaluate.cluster`, which would otherwise
    fail only at the end.
    """
    config = run.config.corpus
    read_clusters(corpus.conversations, run.config.evaluate.cluster)
    labeled = read_labeled_of(run.config, corpus.conversations, run.base_dir)
    sides = split_conversations(
        corpus.conversations.values(),
        holdout=config.holdout,
        dev=config.dev,
        seed=run.config.seed,
        threshold=config.near_duplicate,
        # A labelled conversation may be shown to the models, so it must not test them.
        keep_in_train={example.conversation.id for example in labeled},
        keep_with=[example.conversation for example in labeled],
    )
    return sides, labeled


def read_clusters(conversations: Mapping[str, Conversation], column: str | None) -> dict[str, str]:
    """Return the value of a metadata column for each conversation id. Conversations without a value are left out.

    Empty if no column is given: each conversation is then a cluster. Raises ConfigError if no conversation has the
    column.
    """
    if column is None:
        return {}
    columns = sorted({key for conversation in conversations.values() for key in conversation.metadata})
    if column not in columns:
        others = f"it has {', '.join(columns)}" if columns else "there is no metadata"
        raise ConfigError(f"evaluate.cluster: no conversation has {column!r} in its metadata ({others}): mend the key")
    values = {name: conversation.metadata.get(column) for name, conversation in conversations.items()}
    return {name: str(value) for name, value in values.items() if value is not None}

"""The conversations that an estimate is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from arf_programs.estimating.stand_in import KINDS, Kind, stand_in_draft
from arf_programs.run import Run
from signatures.records import Conversation


@dataclass(frozen=True)
class Sample:
    """Sampled conversations of both sides, with the number of those that there are, and drafts by id and kind."""

    train: Sequence[Conversation]
    holdout: Sequence[Conversation]
    train_size: int
    holdout_size: int
    drafts: Mapping[str, Mapping[Kind, str]]


def draw(run: Run, size: int) -> Sample:
    """At most `size` conversations of each side, by a hash of seed and id, so that a larger sample holds a smaller one.

    A draft is the teacher's where its stage is whole.
    """
    sides = run.conversations("train"), run.conversations("holdout")
    train, holdout = (_first(side.values(), size, run.config.seed) for side in sides)
    known: dict[str, str] = {}
    if run.folder.drafts.exists():
        known = {item.conversation_id: item.text for side in ("train", "holdout") for item in run.drafts(side)}
    drafts = {
        item.id: {kind: known.get(item.id) or stand_in_draft(item, kind) for kind in KINDS}
        for item in (*train, *holdout)
    }
    return Sample(train, holdout, len(sides[0]), len(sides[1]), drafts)


def _first(conversations: Iterable[Conversation], size: int, seed: int) -> list[Conversation]:
    def rank(item: Conversation) -> bytes:
        return hashlib.sha256(f"{seed}/{item.id}".encode()).digest()

    return sorted(conversations, key=rank)[:size]

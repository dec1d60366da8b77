"""Texts cut into pieces: error quotes marked in a draft, and a word diff of draft and revision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal, NamedTuple

from signatures.records import ErrorNote

_WORD = re.compile(r"(?:\w+(?:[-'’.,:/]\w+)*|[^\w\s])\s*|\s+")


class Piece(NamedTuple):
    """A stretch of a draft: the errors that quote it, and those among them whose quote ends here."""

    text: str
    errors: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()


class Change(NamedTuple):
    """A stretch of a diff."""

    kind: Literal["same", "removed", "added"]
    text: str


def mark_errors(text: str, errors: Sequence[ErrorNote]) -> list[Piece]:
    """`text` cut wherever a quote starts or ends; errors are numbered by their place in `errors`.

    A quote stands for its first occurrence; an omission, or a quote that is not there, marks nothing.
    """
    spans = {}
    for number, note in enumerate(errors):
        start = text.find(note.quote) if note.quote else -1
        if start >= 0:
            spans[number] = (start, start + len(note.quote))
    cuts = sorted({0, len(text), *(place for span in spans.values() for place in span)})
    pieces = []
    for start, end in pairwise(cuts):
        inside = tuple(n for n, span in spans.items() if span[0] <= start and end <= span[1])
        pieces.append(Piece(text[start:end], inside, tuple(n for n in inside if spans[n][1] == end)))
    return pieces


def word_diff(before: str, after: str) -> list[Change]:
    """The words removed from `before` and added in `after`, removals first; white space alone is no change.

    What is the same or added makes up `after` exactly.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, [w.strip() for w in old], [w.strip() for w in new], autojunk=False)
    changes: list[Change] = []
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        removed, added = "".join(old[i1:i2]), "".join(new[j1:j2])
        changes += [Change("same", added)] if removed.split() == added.split() else _replacement(removed, added)
    return changes


def _replacement(removed: str, added: str) -> list[Change]:
    """A change, its words without the white space that follows them."""
    if not added:
        return [Change("removed", removed)]
    words = added.rstrip()
    gone = [Change("removed", removed.rstrip())] if removed else []
    space = [Change("same", added[len(words) :])] if len(words) < len(added) else []
    return [*gone, Change("added", words), *space]

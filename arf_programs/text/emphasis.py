"""Marks of emphasis in Markdown. Models leave them out when they quote a text, and when they write in its place."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

MARKS: Final = frozenset("*_`")
_PAIRS: Final = ("***", "**", "__", "*", "_", "`")
_BULLET: Final = re.compile(r"^\s*\*\s")
_PIECE: Final = re.compile(r"[*_`]+|\s+|\w+?(?=[*_`]|\b)|.", re.DOTALL)


def with_pairs(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a place to the marks beside it that open before its first word, or close behind its last."""
    opened = next((mark for mark in _PAIRS if text.endswith(mark, 0, start) and _is_open(text[:start], mark)), "")
    closed = next((mark for mark in _PAIRS if text.startswith(mark, end) and _is_open(text[:end], mark)), "")
    return start - len(opened), end + len(closed)


def _is_open(text: str, mark: str) -> bool:
    """Say whether the last line of `text` is within a pair of this mark. The marker of a list item is none."""
    return _BULLET.sub("", text[text.rfind("\n") + 1 :]).count(mark) % 2 == 1


def without_empty_pair(left: str, right: str) -> tuple[str, str]:
    """Take the marks from the ends of two texts between which the marked words went."""
    mark = next((mark for mark in _PAIRS if left.endswith(mark) and right.startswith(mark)), "")
    return left[: len(left) - len(mark)], right[len(mark) :]


def keep_marks(old: str, new: str) -> str:
    """Return `new` with the marks of `old`, if it has none itself and its words show where all of them belong."""
    if not MARKS.intersection(old) or MARKS.intersection(new):
        return new
    marks: list[tuple[int, str]] = []
    before: list[str] = []
    for piece in _PIECE.findall(old):
        if piece[0] in MARKS:
            marks.append((len(before), piece))
        else:
            before.append(piece)
    after = _PIECE.findall(new)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    kept = {-1: -1, len(before): len(after)} | {
        block.a + step: block.b + step for block in blocks for step in range(block.size)
    }
    for place, mark in reversed(marks):
        if place - 1 in kept:
            after.insert(kept[place - 1] + 1, mark)
        elif place in kept:
            after.insert(kept[place], mark)
        else:
            return new
    return "".join(after)

"""Edits of a summary. They are applied by a pure function that keeps all other characters as they are."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.text.folding import keep_writing, look_equal
from arf_programs.text.quotes import place_of
from arf_programs.text.sentences import find_sentences
from signatures.records import Edit, EditOp, Record, RefusedEdit

_STOPS: Final = ".!?"
_PUNCTUATION: Final = ".!?,;:"
_PAIRS: Final = {"(": ")", "[": "]", '"': '"', "“": "”"}
_LEADING: Final = re.compile(r"[.!?,;:]+\s*")


class AppliedEdits(Record):
    """The result of a list of edits. The edits in `applied` have exact quotes, so they give the same `after` again."""

    after: str
    applied: tuple[Edit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()


class _Placed(NamedTuple):
    """An edit with the span that it changes and the text that it puts there."""

    start: int
    end: int
    order: int
    edit: Edit
    quote: str = ""
    replacement: str = ""

    @property
    def deletes(self) -> bool:
        return self.edit.op is not EditOp.INSERT and not self.replacement


def apply_edits(before: str, edits: list[Edit] | tuple[Edit, ...]) -> AppliedEdits:
    """Apply `edits` to `before`. Each edit is located in `before` itself, so their order does not matter.

    A quote means the place where its edit says that it starts, else its first place (see `find_quotes`). An `insert`
    puts its replacement after its quote, or at the end of `before` if the quote is empty. Whole sentences are inserted
    after the punctuation that ends the quote's sentence. Of overlapping edits the first in the list is applied. Words
    with which both quote and replacement begin only mark the place, and do not overlap with other edits.

    Text outside the quotes stays byte-identical, except at the borders of an edit. A deletion takes one space beside
    it, and punctuation that would be left without a phrase. A replacement neither doubles nor loses the full stop of
    its sentence. An insertion is separated by one space. Letters outside the quotes never change. If a word of a
    replacement looks like a word of its quote, it is written as in the quote.
    """
    placed: list[_Placed] = []
    refused: list[tuple[int, RefusedEdit]] = []
    for order, edit in enumerate(edits):
        place = _place(before, edit, order)
        reason = place if isinstance(place, str) else _conflict(place, placed)
        if isinstance(place, str) or reason:
            refused.append((order, RefusedEdit(edit=edit, reason=reason)))
        else:
            placed.append(place)
    after = _apply(before, placed)
    while placed and not _has_words(after):
        last = placed.pop()
        reason = "nothing would be left of the summary"
        refused.append((last.order, RefusedEdit(edit=edits[last.order], reason=reason)))
        after = _apply(before, placed)
    return AppliedEdits(
        after=after,
        applied=tuple(item.edit for item in placed),
        refused=tuple(item for _, item in sorted(refused, key=lambda pair: pair[0])),
    )


def _place(before: str, edit: Edit, order: int) -> _Placed | str:
    """Locate the edit and make its quote exact. Return the reason if it cannot be applied."""
    replacement = edit.replacement.strip()
    if edit.op is EditOp.INSERT and not edit.quote.strip():
        end = len(before.rstrip())
        return _Placed(end, end, order, edit, "", replacement) if replacement else "there is no text to insert"
    if not edit.quote.strip():
        return f"a {edit.op.value} needs a quote"
    span = place_of(edit, before)
    if span is None:
        return f"the summary does not contain the quote {edit.quote!r}"
    exact = before[slice(*span)]
    op = EditOp.DELETE if edit.op is EditOp.REPLACE and not replacement else edit.op
    if op is EditOp.REPLACE and look_equal(replacement, exact):
        return "the replacement equals the quote"
    edit = edit.model_copy(update={"quote": exact, "op": op, "start": span[0]})
    if op is not EditOp.INSERT:
        changed = keep_writing(exact, replacement) if op is EditOp.REPLACE else ""
        shared = _shared_words(exact, changed)
        return _Placed(span[0] + shared, span[1], order, edit, exact[shared:], changed[shared:].strip())
    if not replacement:
        return "there is no text to insert"
    point = _insertion_point(before, span[1], replacement)
    return _Placed(point, point, order, edit, exact, replacement)


def _shared_words(quote: str, replacement: str) -> int:
    """Count the characters of the whole words with which both begin."""
    pairs = enumerate(zip(quote, replacement, strict=False))
    shared = next((place for place, (old, new) in pairs if old != new), min(len(quote), len(replacement)))
    if shared == len(replacement) and quote[shared : shared + 1].isspace():
        return shared
    return max(quote.rfind(space, 0, shared) for space in (" ", "\n")) + 1


def _insertion_point(before: str, end: int, replacement: str) -> int:
    """Return `end`, or the place after the punctuation there if a whole sentence is inserted."""
    if replacement[-1] not in _STOPS:
        return end
    closing = re.match(r"[.!?]+[\"'”’)\]]*(?=\s|$)", before[end:])
    return end + closing.end() if closing else end


def _conflict(new: _Placed, placed: list[_Placed]) -> str:
    """Say why the edit conflicts with those already placed. Empty if it does not, as with insertions at one point."""
    for other in placed:
        if new.start < other.end and other.start < new.end:
            return f"it overlaps another edit, of {other.edit.quote!r}"
    return ""


def _apply(before: str, placed: list[_Placed]) -> str:
    """Apply the edits from right to left, so that the places of the others stay valid."""
    after = before
    ends = {end for _, end in find_sentences(before)}
    for item in sorted(placed, key=lambda item: (item.start, item.end, item.order), reverse=True):
        floor = max((other.end for other in placed if other is not item and other.end <= item.start), default=0)
        left, right = after[: item.start], after[item.end :]
        if item.deletes:
            after = _close_gap(left, right, floor)
        elif item.edit.op is EditOp.INSERT:
            after = left + _set_off(left, item.replacement, right) + right
        else:
            fitting = _fit(item.quote, item.replacement, right, item.end in ends)
            after = left + _keep_apart(left, item.quote, fitting, right) + right
    return after


def _close_gap(left: str, right: str, floor: int) -> str:
    """Join `left` and `right` after a deletion. `left` before `floor` is not changed."""
    kept, tail = left[:floor], left[floor:]
    if tail[-1:] in _PAIRS and right[:1] == _PAIRS[tail[-1]]:
        tail, right = tail[:-1], right[1:]
    bare, rest = tail.rstrip(), right.lstrip()
    opens = not (kept + bare) or (kept + bare)[-1] in _STOPS + "\n"
    if rest[:1] in tuple(_PUNCTUATION) and (opens or bare[-1:] == rest[:1]):
        rest = _LEADING.sub("", rest, count=1)
        return kept + tail + rest if rest else kept + bare
    if rest[:1] in tuple(_PUNCTUATION + ")]"):
        return kept + (bare.rstrip(",;:") if rest[0] in _PUNCTUATION else bare) + rest
    if not rest:
        return kept + bare + ("" if bare or kept else right)
    return kept + bare + _wider(tail[len(bare) :], right[: len(right) - len(rest)], bool(kept + bare)) + rest


def _wider(left: str, right: str, inside: bool) -> str:
    """Choose which of two runs of white space stays after a deletion: a line break rather than a space."""
    if not inside:
        return ""
    return right if right.count("\n") > left.count("\n") else left or right


def _set_off(left: str, text: str, right: str) -> str:
    """Add the spaces that separate `text` from its neighbours."""
    before = "" if not left or left[-1].isspace() or text[0] in _PUNCTUATION else " "
    after = "" if not right or right[0].isspace() or right[0] in _PUNCTUATION + ")]\"'" else " "
    return before + text + after


def _keep_apart(left: str, quote: str, replacement: str, right: str) -> str:
    """Add a space where a word takes the place of the mark that kept its neighbour apart: ", who" becomes "and"."""
    before = left[-1:].isalnum() and replacement[0].isalnum() and not quote[0].isalnum()
    after = right[:1].isalnum() and replacement[-1].isalnum() and not quote[-1].isalnum()
    return " " * before + replacement + " " * after


def _fit(quote: str, replacement: str, right: str, ends_sentence: bool) -> str:
    """Give the replacement the final punctuation that its sentence needs."""
    if right[:1] and right[0] in _PUNCTUATION:
        return replacement.rstrip(_PUNCTUATION) or replacement
    if ends_sentence and quote[-1] in _STOPS and replacement[-1].isalnum():
        return replacement + quote[-1]
    return replacement


def _has_words(text: str) -> bool:
    return any(char.isalnum() for char in text)

"""Edits of a summary. They are applied by a pure function that keeps all other characters as they are."""

from __future__ import annotations

from typing import NamedTuple

from arf_programs.text.characters import keep_marks, keep_writing, look_equal
from arf_programs.text.quotes import leaves_out, place_of
from arf_programs.text.seams import (
    PUNCTUATION,
    close_gap,
    end_replacement,
    fit_marker,
    fit_replacement,
    keep_apart,
    place_insertion,
    set_off,
)
from arf_programs.text.sentences import find_sentences
from signatures.records import Edit, EditOp, Record, RefusedEdit


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


def apply_edits(before: str, edits: list[Edit] | tuple[Edit, ...]) -> AppliedEdits:
    """Apply `edits` to `before`. Each edit is located in `before` itself, so their order does not matter.

    A quote means the place where its edit says that it starts, else its first place (see `find_quotes`). An `insert`
    puts its replacement after its quote, or at the end of `before` if the quote is empty. Whole sentences are inserted
    after the sentence of the quote, and clauses before its full stop. Of overlapping edits the one that contains the
    others is applied, else the first in the list. Words with which both quote and replacement begin only mark the
    place, and do not overlap with other edits.

    Text outside the quotes stays byte-identical, except at the borders of an edit (see seams.py). A deletion takes one
    space beside it, and what would be left without a phrase: punctuation, an "and", a list marker, a label. A
    replacement neither doubles nor loses the full stop of its sentence, nor does it repeat the words beside its quote.
    An insertion is separated by one space. A sentence that began with a capital does so still. If a word of a
    replacement looks like a word of its quote, it is written as in the quote.
    """
    placed: list[_Placed] = []
    refused: list[tuple[int, RefusedEdit]] = []
    for order, edit in enumerate(edits):
        place = _place(before, edit, order)
        if not isinstance(place, str):
            for inner in _contained(place, placed):
                placed.remove(inner)
                refused.append((inner.order, RefusedEdit(edit=edits[inner.order], reason=_overlaps(place))))
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
    if leaves_out(replacement) and not leaves_out(before):
        return f"the new text leaves words out: {replacement!r}"
    if edit.op is EditOp.INSERT and not edit.quote.strip():
        if not replacement:
            return "there is no text to insert"
        end = len(before.rstrip())
        point, text = place_insertion(before, end, end, replacement)
        return _Placed(point, point, order, edit, "", text)
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
        changed = _written_as(before, span[0], exact, replacement) if op is EditOp.REPLACE else ""
        shared = _shared_words(exact, changed)
        return _Placed(span[0] + shared, span[1], order, edit, exact[shared:], changed[shared:].strip())
    if not replacement:
        return "there is no text to insert"
    point, text = place_insertion(before, *span, replacement)
    return _Placed(point, point, order, edit, exact, text)


def _written_as(before: str, start: int, quote: str, replacement: str) -> str:
    """Write the words of a replacement, its marks and its list marker as the quote has them."""
    return keep_marks(quote, fit_marker(before, start, quote, keep_writing(quote, replacement)))


def _shared_words(quote: str, replacement: str) -> int:
    """Count the characters of the whole words with which both begin."""
    pairs = enumerate(zip(quote, replacement, strict=False))
    shared = next((place for place, (old, new) in pairs if old != new), min(len(quote), len(replacement)))
    if shared == len(replacement) and quote[shared : shared + 1].isspace():
        return shared
    return max(quote.rfind(space, 0, shared) for space in (" ", "\n")) + 1


def _conflict(new: _Placed, placed: list[_Placed]) -> str:
    """Say why the edit conflicts with those already placed. Empty if it does not, as with insertions at one point."""
    for other in placed:
        if new.start < other.end and other.start < new.end:
            return _overlaps(other)
    return ""


def _contained(new: _Placed, placed: list[_Placed]) -> list[_Placed]:
    """Return what the edit contains of those already placed; nothing if it only overlaps another one."""
    meeting = [other for other in placed if new.start < other.end and other.start < new.end]
    inside = all(new.start <= other.start and other.end <= new.end for other in meeting)
    smaller = all(other.end - other.start < new.end - new.start for other in meeting)
    return meeting if inside and smaller else []


def _overlaps(other: _Placed) -> str:
    return f"it overlaps another edit, of {other.edit.quote!r}"


def _apply(before: str, placed: list[_Placed]) -> str:
    """Apply the edits from right to left, so that the places of the others stay valid."""
    after = before
    ends = {end for _, end in find_sentences(before)}
    for item in sorted(placed, key=lambda item: (item.start, item.end, item.order), reverse=True):
        others = [other for other in placed if other is not item]
        floor = max((other.end for other in others if other.end <= item.start), default=0)
        ceiling = min((other.start for other in others if other.start >= item.end), default=len(before))
        left, right = after[: item.start], after[item.end :]
        if item.edit.op is EditOp.INSERT:
            after = left + set_off(left, item.replacement, right) + right
            continue
        text = item.replacement
        if text:
            text = fit_replacement(left, item.quote, text, before[item.end : ceiling], floor)
        if text:
            ended = end_replacement(item.quote, text, right, item.end in ends)
            if ended[0] in PUNCTUATION:
                left = left[:floor] + left[floor:].rstrip(" ")
            after = left + keep_apart(left, item.quote, ended, right) + right
        else:
            after = close_gap(left, item.quote, right, floor)
    return after


def _has_words(text: str) -> bool:
    return any(char.isalnum() for char in text)

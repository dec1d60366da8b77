"""Which edits of a rejected revision can be kept, and what is deleted instead. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from arf_programs.quotes import find_quote
from arf_programs.sentences import sentence_spans
from signatures.records import Edit, EditOp, ErrorNote


def verified_edits(applied: Sequence[Edit], remaining: Sequence[ErrorNote], new: Sequence[ErrorNote]) -> list[Edit]:
    """The edits whose errors are gone and whose new words hold no new error.

    A new error without a quote cannot be laid at one edit's door, so then no edit is kept.
    """
    if any(not note.quote for note in new):
        return []
    still_there = {note.id for note in remaining}
    kept = []
    for edit in applied:
        brings_error = any(_overlap(edit.replacement, note.quote) for note in new)
        if edit.mends and not still_there.intersection(edit.mends) and not brings_error:
            kept.append(edit)
    return kept


def deletions(before: str, errors: Sequence[ErrorNote]) -> list[Edit]:
    """One deletion for each sentence of `before` that holds the quote of one of `errors`.

    Deleting the sentence is the one mend that needs no model and cannot bring in a new fact.
    """
    spans = sentence_spans(before)
    mended: dict[int, list[ErrorNote]] = {}
    for note in errors:
        for index in _sentences_of(note.quote, before, spans):
            mended.setdefault(index, []).append(note)
    return [_deletion(before, spans, index, mended[index]) for index in sorted(mended)]


def _sentences_of(quote: str, text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
    """The sentences that a quote is about: the last that it is the whole of, else those that it stands in."""
    whole = [index for index, (start, end) in enumerate(spans) if text[start:end] == quote]
    if whole:
        return whole[-1:]
    span = find_quote(quote, text)
    if span is None:
        return []
    return [index for index, (start, end) in enumerate(spans) if span[0] < end and start < span[1]]


def _deletion(text: str, spans: Sequence[tuple[int, int]], index: int, notes: Sequence[ErrorNote]) -> Edit:
    """Deletes one sentence; where the same words stand earlier too, what comes before them makes the place certain."""
    start, end = spans[index]
    first = index
    while text.find(text[spans[first][0] : end]) < spans[first][0]:
        first -= 1
    quote, kept = text[spans[first][0] : end], text[spans[first][0] : start].rstrip()
    return Edit(
        op=EditOp.REPLACE if kept else EditOp.DELETE,
        quote=quote,
        replacement=kept,
        mends=tuple(note.id for note in notes),
        evidence=tuple(sorted({turn for note in notes for turn in note.evidence})),
    )


def _overlap(replacement: str, quote: str) -> bool:
    return bool(replacement.strip()) and (quote in replacement or replacement.strip() in quote)

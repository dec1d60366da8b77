"""Which sentences of a summary its errors are about, and edits of whole sentences. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from arf_programs.quotes import find_quote
from arf_programs.sentences import sentence_spans
from signatures.records import Edit, EditOp, ErrorNote

Span = tuple[int, int]


def notes_by_sentence(text: str, errors: Sequence[ErrorNote]) -> dict[int, list[ErrorNote]]:
    """The errors by the index of each sentence of `text` that their quotes overlap, in the order of the text.

    An error without a quote, or with one that `text` does not hold, belongs to no sentence.
    """
    spans = sentence_spans(text)
    found: dict[int, list[ErrorNote]] = {}
    for note in errors:
        for index in _sentences_of(note.quote, text, spans):
            found.setdefault(index, []).append(note)
    return {index: found[index] for index in sorted(found)}


def sentence_edit(text: str, index: int, replacement: str, notes: Sequence[ErrorNote]) -> Edit:
    """Replaces the sentence at `index` of `text`, or deletes it where `replacement` is empty.

    Where the same words stand earlier too, what comes before the sentence is part of the quote and makes the place
    certain.
    """
    spans = sentence_spans(text)
    start, end = spans[index]
    first = index
    while text.find(text[spans[first][0] : end]) < spans[first][0]:
        first -= 1
    kept = text[spans[first][0] : start]
    written = (kept + replacement).rstrip()
    return Edit(
        op=EditOp.REPLACE if written else EditOp.DELETE,
        quote=text[spans[first][0] : end],
        replacement=written,
        mends=tuple(note.id for note in notes),
        evidence=evidence_of(notes),
    )


def evidence_of(notes: Sequence[ErrorNote]) -> tuple[int, ...]:
    """All turns that the errors cite, in order."""
    return tuple(sorted({turn for note in notes for turn in note.evidence}))


def _sentences_of(quote: str, text: str, spans: Sequence[Span]) -> list[int]:
    """The sentences that a quote is about: the last that it is the whole of, else those that it stands in."""
    whole = [index for index, (start, end) in enumerate(spans) if text[start:end] == quote]
    if whole:
        return whole[-1:]
    span = find_quote(quote, text)
    if span is None:
        return []
    return [index for index, (start, end) in enumerate(spans) if span[0] < end and start < span[1]]

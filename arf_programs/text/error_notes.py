"""Which sentences of a summary its errors are about, and edits of whole sentences. Pure functions.

Which found error is which labelled error.

Errors as an editor reads them. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from arf_programs.text.quotes import find_quote
from arf_programs.text.sentences import find_sentences, split_words
from signatures.records import Edit, EditOp, ErrorNote

Span = tuple[int, int]


def group_by_sentence(text: str, errors: Sequence[ErrorNote]) -> dict[int, list[ErrorNote]]:
    """The errors by the index of each sentence of `text` that their quotes overlap, in the order of the text.

    An error without a quote, or with one that `text` does not hold, belongs to no sentence.
    """
    spans = find_sentences(text)
    found: dict[int, list[ErrorNote]] = {}
    for note in errors:
        for index in _sentences_of(note.quote, text, spans):
            found.setdefault(index, []).append(note)
    return {index: found[index] for index in sorted(found)}


def edit_sentence(text: str, index: int, replacement: str, notes: Sequence[ErrorNote]) -> Edit:
    """Replaces the sentence at `index` of `text`, or deletes it where `replacement` is empty.

    Where the same words stand earlier too, what comes before the sentence is part of the quote and makes the place
    certain.
    """
    spans = find_sentences(text)
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
        evidence=collect_evidence(notes),
    )


def collect_evidence(notes: Sequence[ErrorNote]) -> tuple[int, ...]:
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


LEAST_OVERLAP: Final = 0.5
"""Share of the shorter quote that has to stand, word for word, in the longer one."""


def match_errors(
    found: Sequence[ErrorNote], labeled: Sequence[ErrorNote], *, same_category: bool = True
) -> list[tuple[ErrorNote, ErrorNote]]:
    """Pairs `(found, labelled)`, one to one, so that as many and as closely quoted pairs as possible are made.

    Two errors can be a pair if they have the same category and the longest run of words that their quotes share is at
    least `LEAST_OVERLAP` of the shorter quote; omissions, which quote nothing, pair with omissions. With
    `same_category=False` the quotes alone decide: an analyst found the place but names another kind of error.

    Of all one-to-one assignments the one of the greatest total is taken, a pair being worth 1 plus the F1 of its
    quotes' words, `2 c / (a + b)`: scipy.optimize.linear_sum_assignment (Crouse 2016, "On implementing 2D rectangular
    assignment algorithms"). Pairs come in the order of `found`.
    """
    if not found or not labeled:
        return []
    # Imported here because `arf --help` and the checks do without it.
    from scipy.optimize import linear_sum_assignment

    worth = [[_worth(note, label, same_category) for label in labeled] for note in found]
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(found[i], labeled[j]) for i, j in zip(rows, columns, strict=True) if worth[i][j] > 0]


def _worth(found: ErrorNote, labeled: ErrorNote, same_category: bool) -> float:
    """What a pair is worth: 0 if the two cannot be one error, else from 1 to 3."""
    if same_category and found.category != labeled.category:
        return 0.0
    # Where categories do not have to agree, an agreeing pair still comes first.
    agreement = 0.5 * (found.category == labeled.category)
    if not found.quote or not labeled.quote:
        return 0.0 if found.quote or labeled.quote else 1.0 + agreement
    closeness = quote_overlap(found.quote, labeled.quote)
    return 1.0 + closeness + agreement if closeness else 0.0


def quote_overlap(a: str, b: str) -> float:
    """F1 of the words of two quotes, `2 c / (len(a) + len(b))`, c being the longest run of words that they share.

    0 where c is less than `LEAST_OVERLAP` of the shorter quote: a shared "the" is not an overlap.
    """
    left, right = split_words(a) or [a.strip()], split_words(b) or [b.strip()]
    size = SequenceMatcher(None, left, right, autojunk=False).find_longest_match().size
    if size < LEAST_OVERLAP * min(len(left), len(right)):
        return 0.0
    return 2 * size / (len(left) + len(right))


_QUOTE_SHOWN = 160


def describe_errors(errors: Sequence[ErrorNote]) -> str:
    """One line an error, with the short ids (e1, e2, ...) by which an editor names what it mends."""
    lines = []
    for number, note in enumerate(errors, start=1):
        turns = f" (turns {', '.join(map(str, note.evidence))})" if note.evidence else ""
        quote = f'"{_shortened(note.quote)}"' if note.quote else "nothing quoted: something is missing"
        lines.append(f"e{number}. {note.category}: {quote}. {note.explanation}{turns}")
    return "\n".join(lines)


def _shortened(quote: str) -> str:
    """A long quote by its beginning and end: the editor has the summary, and pays for each word twice."""
    return quote if len(quote) <= _QUOTE_SHOWN else f"{quote[: _QUOTE_SHOWN - 40]} ... {quote[-30:]}"

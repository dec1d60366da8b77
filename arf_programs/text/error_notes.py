"""Errors of a summary: the sentences they are about, how they match labelled errors, and how an editor reads them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from arf_programs.text.quotes import Span, find_quotes, place_of
from arf_programs.text.sentences import find_sentences, split_words
from signatures.records import Edit, EditOp, ErrorNote


def group_by_sentence(text: str, errors: Sequence[ErrorNote]) -> dict[int, list[ErrorNote]]:
    """Group the errors by the index of each sentence of `text` that their quotes overlap, in the order of the text.

    An error is left out if it has no quote, or if `text` does not contain the quote.
    """
    spans = find_sentences(text)
    groups: dict[int, list[ErrorNote]] = {}
    for note in errors:
        for index in _sentences_of(note, text, spans):
            groups.setdefault(index, []).append(note)
    return dict(sorted(groups.items()))


def is_retelling(note: ErrorNote, text: str) -> bool:
    """Say whether a check found that most of `text` retells the conversation line by line.

    Nothing is left of such a text that could be mended: without those lines there is no summary.
    """
    place = place_of(note, text)
    if place is None or note.source != "check" or (note.category, note.severity) != ("verbatim_copy", "major"):
        return False
    return place[1] - place[0] > len(text) / 2


def edit_sentence(text: str, index: int, replacement: str, notes: Sequence[ErrorNote]) -> Edit:
    """Make the edit that replaces the sentence at `index` of `text`, or deletes it if `replacement` is empty."""
    start, end = find_sentences(text)[index]
    written = replacement.rstrip()
    return Edit(
        op=EditOp.REPLACE if written else EditOp.DELETE,
        quote=text[start:end],
        replacement=written,
        mends=tuple(note.id for note in notes),
        evidence=collect_evidence(notes),
        start=start,
    )


def collect_evidence(notes: Sequence[ErrorNote]) -> tuple[int, ...]:
    """Collect all turns that the errors cite, in order."""
    return tuple(sorted({turn for note in notes for turn in note.evidence}))


def _sentences_of(note: ErrorNote, text: str, spans: Sequence[Span]) -> list[int]:
    whole = [index for index, (start, end) in enumerate(spans) if text[start:end] == note.quote]
    if whole and note.start is None:
        return whole[-1:]  # where a record does not say which of two equal sentences it means, it is the repetition
    span = place_of(note, text)
    if span is None:
        return []
    return [index for index, (start, end) in enumerate(spans) if span[0] < end and start < span[1]]


LEAST_OVERLAP: Final = 0.5
"""Share of the shorter quote that the longer one has to contain word for word."""


def match_errors(
    reported: Sequence[ErrorNote], labeled: Sequence[ErrorNote], *, same_category: bool = True
) -> list[tuple[ErrorNote, ErrorNote]]:
    """Match reported errors with labelled ones, one to one. Return pairs `(reported, labelled)` in reported order.

    Two errors can be a pair if they have the same category, and if the longest run of words that their quotes share is
    at least `LEAST_OVERLAP` of the shorter quote. Omissions have no quote; they pair with omissions. With
    `same_category=False` only the quotes decide.

    A pair is worth 1 plus the F1 of its quotes' words, `2 c / (a + b)`. The assignment of the greatest total is taken,
    by scipy.optimize.linear_sum_assignment (Crouse 2016, "On implementing 2D rectangular assignment algorithms").
    """
    if not reported or not labeled:
        return []
    # Imported here because SciPy is slow to import and `arf --help` does not need it.
    from scipy.optimize import linear_sum_assignment

    worth = [[_worth(note, label, same_category) for label in labeled] for note in reported]
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(reported[i], labeled[j]) for i, j in zip(rows, columns, strict=True) if worth[i][j] > 0]


def _worth(reported: ErrorNote, labeled: ErrorNote, same_category: bool) -> float:
    """Return the worth of a pair: 0 if the two cannot be one error, else from 1 to 3."""
    if same_category and reported.category != labeled.category:
        return 0.0
    # Where categories do not have to agree, an agreeing pair still comes first.
    agreement = 0.5 * (reported.category == labeled.category)
    if not reported.quote or not labeled.quote:
        return 0.0 if reported.quote or labeled.quote else 1.0 + agreement
    closeness = quote_overlap(reported.quote, labeled.quote)
    return 1.0 + closeness + agreement if closeness else 0.0


def quote_overlap(a: str, b: str) -> float:
    """Compute the F1 of two quotes' words: `2 c / (len(a) + len(b))`, where c is their longest shared run of words.

    It is 0 if c is less than `LEAST_OVERLAP` of the shorter quote: a shared "the" is not an overlap.
    """
    left, right = split_words(a) or [a.strip()], split_words(b) or [b.strip()]
    size = SequenceMatcher(None, left, right, autojunk=False).find_longest_match().size
    if size < LEAST_OVERLAP * min(len(left), len(right)):
        return 0.0
    return 2 * size / (len(left) + len(right))


_QUOTE_SHOWN = 160


def describe_errors(errors: Sequence[ErrorNote], summary: str) -> str:
    """Write one line for each error. An editor names the errors that it mends by their short ids (e1, e2, ...).

    Words that stand more than once in the summary are shown with their sentence.
    """
    lines = []
    for number, note in enumerate(errors, start=1):
        turns = f" (turns {', '.join(map(str, note.evidence))})" if note.evidence else ""
        lines.append(f"e{number}. {note.category}: {_quoted(note, summary)}. {note.explanation}{turns}")
    return "\n".join(lines)


def _quoted(note: ErrorNote, summary: str) -> str:
    if not note.quote:
        return "nothing quoted: something is missing"
    shown = f'"{_shortened(note.quote)}"'
    place = place_of(note, summary)
    if place is None or len(find_quotes(note.quote, summary)) < 2:
        return shown
    inside = [summary[start:end] for start, end in find_sentences(summary) if start <= place[0] < end]
    return f'{shown} in "{inside[0]}"' if inside and inside[0] != note.quote else shown


def _shortened(quote: str) -> str:
    """Shorten a long quote to its first and last words. The editor has the summary, and each word costs twice."""
    if len(quote) <= _QUOTE_SHOWN:
        return quote
    begin, end = quote[: _QUOTE_SHOWN - 40].rpartition(" ")[0], quote[-30:].partition(" ")[2]
    return f"{begin or quote[: _QUOTE_SHOWN - 40]} ... {end or quote[-30:]}"

"""Turns what an analyst reports into error records, and merges records. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, create_model

from arf_programs.text import LEAST_OVERLAP, Span, locate_error, quote_spans, words_of
from signatures.describe_error import SentenceError
from signatures.exceptions import QuoteError
from signatures.find_errors import FoundError
from signatures.find_omissions import Omission
from signatures.records import Conversation, ErrorNote

Reported = FoundError | SentenceError | Omission
Rejections = list[str]
ReportedModel = TypeVar("ReportedModel", bound=BaseModel)

OMISSION_PREFIX = "missing_"


def is_omission(category: str) -> bool:
    """Whether errors of this category have no quote: by convention its id starts with `missing_`."""
    return category.startswith(OMISSION_PREFIX)


def omission_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """The omission categories among `ids`; all of them where there is none."""
    return tuple(name for name in ids if is_omission(name)) or tuple(ids)


def statement_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """The categories among `ids` of what a summary says; all of them where there is none."""
    return tuple(name for name in ids if not is_omission(name)) or tuple(ids)


def narrow_categories(model: type[ReportedModel], ids: Sequence[str]) -> type[ReportedModel]:
    """`model` with its `category` narrowed to `ids`, so that the schema sent to a model names them."""
    field = model.model_fields["category"]
    return create_model(model.__name__, __base__=model, category=(Literal[tuple(ids)], field))  # type: ignore[arg-type]


def note_errors(
    conversation: Conversation,
    summary: str,
    reported: Iterable[Reported],
    rejections: Rejections,
    *,
    fallback_quote: str = "",
    score: float | None = None,
) -> list[ErrorNote]:
    """Records for the reported errors; what quotes or cites something that does not exist goes to `rejections`.

    `fallback_quote` stands in for a quote that cannot be found (the sentence that was asked about), whose `score` the
    records carry.
    """
    notes: list[ErrorNote] = []
    for error in reported:
        quote = "" if isinstance(error, Omission) else error.quote
        try:
            notes.append(_locate(conversation, summary, error, quote))
        except QuoteError as problem:
            if not fallback_quote:
                rejections.append(str(problem))
                continue
            try:
                notes.append(_locate(conversation, summary, error, fallback_quote))
            except QuoteError as second:
                rejections.append(str(second))
    return [note.model_copy(update={"score": score}) for note in notes]


def merge_errors(checked: Sequence[ErrorNote], found: Sequence[ErrorNote], summary: str) -> tuple[ErrorNote, ...]:
    """Checks first, then what the analyst found beyond them in `summary`; an error counts once.

    A note is no other error than one before it where the category is the same, and wherever its quote stands, the other
    quote stands too: they share at least half of the words of the shorter one (the same share as in
    `metrics.matching`). So a short quote that stands at a further place ("9", where "9 April" is wrong) is not lost.
    """
    merged = list(checked)
    for note in found:
        if not any(_covered(note, other, summary) for other in merged):
            merged.append(note)
    return tuple(merged)


def same_error(a: ErrorNote, b: ErrorNote) -> bool:
    """Whether notes on two texts are one error: the same category, and the words of one quote are in the other.

    For two notes on one text, `merge_errors` decides by place. Two omissions of a category are the same.
    """
    if a.category != b.category or bool(a.quote) != bool(b.quote):
        return False
    return holds_words(a.quote, b.quote) or holds_words(b.quote, a.quote)


def holds_words(text: str, part: str) -> bool:
    """Whether the words of `part` stand in `text`, one after the other: "9" is in "9 April" and not in "39".

    Case and punctuation do not count. Of a `part` without words ("!") the characters have to be there.
    """
    words = words_of(part)
    return f" {' '.join(words)} " in f" {' '.join(words_of(text))} " if words else part in text


def _covered(note: ErrorNote, other: ErrorNote, summary: str) -> bool:
    """Whether at every place of `note` stands `other` as well, of the same category."""
    if note.category != other.category or bool(note.quote) != bool(other.quote):
        return False
    places, others = quote_spans(note.quote, summary), quote_spans(other.quote, summary)
    return all(any(_overlap(summary, place, known) for known in others) for place in places)


def _overlap(text: str, a: Span, b: Span) -> bool:
    """Whether two spans share at least `LEAST_OVERLAP` of the words of the shorter one."""
    shared = words_of(text[max(a[0], b[0]) : min(a[1], b[1])])
    shorter = min(len(words_of(text[slice(*span)])) for span in (a, b))
    # Of a quote without words ("!") the characters count.
    return len(shared) >= LEAST_OVERLAP * shorter if shorter else a[0] < b[1] and b[0] < a[1]


def _locate(conversation: Conversation, summary: str, error: Reported, quote: str) -> ErrorNote:
    if not quote.strip() and not is_omission(error.category):
        raise QuoteError(f"{conversation.id}: {error.category} was reported without a quote.")
    return locate_error(
        summary,
        conversation,
        category=error.category,
        quote="" if is_omission(error.category) else quote,
        evidence=tuple(error.evidence),
        explanation=" ".join(error.explanation.split()),
        severity=error.severity,
        source="lm",
    )

"""Turn the errors that an analyst reports into records, and merge records. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, create_model

from arf_programs.text import LEAST_OVERLAP, Span, find_quotes, locate_error, split_words
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
    """Say whether errors of this category have no quote: by convention its id starts with `missing_`."""
    return category.startswith(OMISSION_PREFIX)


def omission_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the omission categories among `ids`, or all of `ids` if there is none."""
    return tuple(name for name in ids if is_omission(name)) or tuple(ids)


def statement_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the other categories among `ids`, or all of `ids` if there is none."""
    return tuple(name for name in ids if not is_omission(name)) or tuple(ids)


def narrow_categories(model: type[ReportedModel], ids: Sequence[str]) -> type[ReportedModel]:
    """Return `model` with its `category` narrowed to `ids`, so the JSON schema that is sent names them."""
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
    """Return records of the reported errors. A report whose quote or turn does not exist adds a reason to `rejections`.

    `fallback_quote`, the sentence that was asked about, takes the place of a quote that does not exist. `score` is the
    score of that sentence; the records carry it.
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


def merge_errors(checked: Sequence[ErrorNote], reported: Sequence[ErrorNote], summary: str) -> tuple[ErrorNote, ...]:
    """Return the errors of the checks, then those of the analyst that are not among them. An error counts once.

    Two notes are one error if the category is the same and the quotes overlap at every place of the second one: they
    share at least half of the words of the shorter quote (`LEAST_OVERLAP`). So a short quote that also stands elsewhere
    ("9", where "9 April" is wrong) is kept.
    """
    merged = list(checked)
    for note in reported:
        if not any(_covered(note, other, summary) for other in merged):
            merged.append(note)
    return tuple(merged)


def same_error(a: ErrorNote, b: ErrorNote) -> bool:
    """Say whether notes on two texts are one error: the same category, and the words of one quote are in the other.

    Two omissions of one category are the same error. For two notes on one text `merge_errors` decides by place.
    """
    if a.category != b.category or bool(a.quote) != bool(b.quote):
        return False
    return holds_words(a.quote, b.quote) or holds_words(b.quote, a.quote)


def holds_words(text: str, part: str) -> bool:
    """Say whether the words of `part` stand in `text`, one after the other: "9" is in "9 April" and not in "39".

    Case and punctuation do not count. If `part` has no words ("!"), its characters have to be there.
    """
    words = split_words(part)
    return f" {' '.join(words)} " in f" {' '.join(split_words(text))} " if words else part in text


def _covered(note: ErrorNote, other: ErrorNote, summary: str) -> bool:
    """Say whether `other` has the same category and stands at every place of `note`."""
    if note.category != other.category or bool(note.quote) != bool(other.quote):
        return False
    places, others = find_quotes(note.quote, summary), find_quotes(other.quote, summary)
    return all(any(_overlap(summary, place, other) for other in others) for place in places)


def _overlap(text: str, a: Span, b: Span) -> bool:
    """Say whether two spans share at least `LEAST_OVERLAP` of the words of the shorter one."""
    shared = split_words(text[max(a[0], b[0]) : min(a[1], b[1])])
    shorter = min(len(split_words(text[slice(*span)])) for span in (a, b))
    # A quote without words ("!") overlaps by its characters.
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

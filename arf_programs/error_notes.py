"""Turns what an analyst reports into error records, and merges records. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, create_model

from arf_programs.quotes import locate_error
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


def merge_errors(checked: Sequence[ErrorNote], found: Sequence[ErrorNote]) -> tuple[ErrorNote, ...]:
    """Checks first, then what the analyst found beyond them; the same category at an overlapping quote counts once."""
    merged = list(checked)
    for note in found:
        if not any(same_error(note, other) for other in merged):
            merged.append(note)
    return tuple(merged)


def same_error(a: ErrorNote, b: ErrorNote) -> bool:
    """Same category, and one quote holds the other (two omissions of a category are the same)."""
    if a.category != b.category or bool(a.quote) != bool(b.quote):
        return False
    return a.quote in b.quote or b.quote in a.quote


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

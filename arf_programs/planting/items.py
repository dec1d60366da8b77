"""From chosen changes to items with error notes."""

from __future__ import annotations

from arf_programs.checks.run import unmistakable
from arf_programs.fingerprint import digest
from arf_programs.metrics.repair import Place
from arf_programs.planting.change import Change
from arf_programs.planting.choose import Chosen
from arf_programs.planting.records import Plant, PlantedItem, plant_text, planted_spans
from arf_programs.quotes import locate_error
from arf_programs.sentences import sentence_spans
from signatures.exceptions import QuoteError
from signatures.records import Conversation, ErrorNote

_SHOWN = 10


def make_item(chosen: Chosen, seed: int) -> PlantedItem:
    """The item of a choice: the planted text, and a note for each error that quotes it exactly.

    Raises QuoteError if an error could not be quoted at its own place.
    """
    talk, right = chosen.summary.conversation, chosen.summary.text
    places = [Place(change.start, change.end, change.wrong) for change in chosen.changes]
    summary = plant_text(right, places)
    spans = planted_spans(places)
    notes = [_note(talk, summary, change, span) for change, span in zip(chosen.changes, spans, strict=True)]
    plants = [_plant(right, change, note) for change, note in zip(chosen.changes, notes, strict=True)]
    told = digest([seed, talk.id, right, [plant.model_dump(mode="json") for plant in plants]])
    return PlantedItem(
        id=f"{talk.id}-{'planted' if plants else 'clean'}-{told[:_SHOWN]}",
        conversation_id=talk.id,
        channel=talk.channel,
        conversation=talk.turns,
        metadata=talk.metadata,
        summary=summary,
        revised=right,
        errors=tuple(notes),
        plants=tuple(plants),
        source=chosen.summary.source,
        seed=seed,
    )


def quote_at(summary: str, span: tuple[int, int], *, sentence: bool) -> str:
    """The words to quote for an error at `span`: themselves or their sentence; empty for an omission."""
    start, end = span
    if start == end:
        return ""
    end -= len(summary[start:end]) - len(summary[start:end].rstrip())
    start += len(summary[start:end]) - len(summary[start:end].lstrip())
    sentences = sentence_spans(summary)
    if sentence:
        start, end = next(((a, b) for a, b in sentences if a <= start < b), (start, end))
    return unmistakable(summary, sentences, start, end)


def _note(talk: Conversation, summary: str, change: Change, span: tuple[int, int]) -> ErrorNote:
    quote = quote_at(summary, span, sentence=change.sentence)
    if change.wrong.strip() and not quote:
        raise QuoteError(f"{talk.id}: the planted words {change.wrong!r} cannot be quoted")
    return locate_error(
        summary,
        talk,
        category=change.category,
        quote=quote,
        evidence=change.evidence,
        explanation=change.explanation,
        severity=change.severity,
        source="planted",
    )


def _plant(right: str, change: Change, note: ErrorNote) -> Plant:
    return Plant(
        error_id=note.id,
        kind=change.kind,
        origin=change.origin,
        start=change.start,
        right=right[change.start : change.end],
        wrong=change.wrong,
    )

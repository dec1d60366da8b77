"""Makes planted items from chosen changes, and lets a model reword the planted errors.

An answer of the model is accepted only if it changes nothing but the planted errors, and leaves each of them wrong.
"""

from __future__ import annotations

import re
from typing import Final

import dspy

from arf_programs.checks import widen_quote
from arf_programs.metrics import Place
from arf_programs.planting.choose import FACT_KINDS, Chosen
from arf_programs.planting.records import Change, Plant, PlantedItem, plant_text, planted_spans
from arf_programs.programs import Program, ask
from arf_programs.runs import digest
from arf_programs.text import find_sentences, note_at
from signatures.exceptions import QuoteError
from signatures.naturalize_error import NaturalizeError
from signatures.records import Conversation, ErrorNote

_ID_DIGITS = 10


def make_item(chosen: Chosen, seed: int) -> PlantedItem:
    """Make the item: the planted text, and for each error a note that quotes it exactly.

    Raises QuoteError if an error cannot be quoted at its own place.
    """
    talk, right = chosen.summary.conversation, chosen.summary.text
    places = [Place(change.start, change.end, change.wrong) for change in chosen.changes]
    summary = plant_text(right, places)
    spans = planted_spans(places)
    notes = [_note(talk, summary, change, span) for change, span in zip(chosen.changes, spans, strict=True)]
    plants = [_plant(right, change, note) for change, note in zip(chosen.changes, notes, strict=True)]
    content = digest([seed, talk.id, right, [plant.model_dump(mode="json") for plant in plants]])
    return PlantedItem(
        id=f"{talk.id}-{'planted' if plants else 'clean'}-{content[:_ID_DIGITS]}",
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


def place_at(summary: str, span: tuple[int, int], *, sentence: bool) -> tuple[int, int] | None:
    """The place of the quote for an error at `span`: its words or, with `sentence`, their sentence; None: omission."""
    start, end = span
    if start == end:
        return None
    end -= len(summary[start:end]) - len(summary[start:end].rstrip())
    start += len(summary[start:end]) - len(summary[start:end].lstrip())
    sentences = find_sentences(summary)
    if sentence:
        start, end = next(((a, b) for a, b in sentences if a <= start < b), (start, end))
    return widen_quote(summary, sentences, start, end)


def _note(talk: Conversation, summary: str, change: Change, span: tuple[int, int]) -> ErrorNote:
    place = place_at(summary, span, sentence=change.sentence)
    if change.wrong.strip() and place is None:
        raise QuoteError(f"{talk.id}: the planted words {change.wrong!r} cannot be quoted")
    return _quoting(talk, summary, change, place)


def _quoting(talk: Conversation, summary: str, error: Change | ErrorNote, place: tuple[int, int] | None) -> ErrorNote:
    return note_at(
        summary,
        talk,
        place,
        category=error.category,
        evidence=error.evidence,
        explanation=error.explanation,
        severity=error.severity,
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


_WORDIER: Final = 6
"""An error may grow by this number of words. With more it would be an error of another kind."""


def marked(item: PlantedItem) -> str:
    """Write the planted summary with the wrong words between << and >>; an omission has no mark."""
    places = [plant.place() for plant in item.plants]
    shown = [Place(p.start, p.end, f"<<{p.wrong}>>" if p.wrong.strip() else p.wrong) for p in places]
    return plant_text(item.revised, shown)


def reworded(item: PlantedItem, answer: str) -> PlantedItem | None:
    """The item with the answer as its summary; None if the answer is not acceptable.

    Outside the planted places the answer has to equal the right summary, byte for byte. Inside them it must not have
    the right words or many more words than before, and a planted detail has to stay.
    """
    wrongs = _wrongs(item, answer.strip())
    if wrongs is None or wrongs == [plant.wrong for plant in item.plants]:
        return None
    pairs = zip(item.plants, wrongs, strict=True)
    if not all(wrong == plant.wrong or _still_wrong(plant, wrong) for plant, wrong in pairs):
        return None
    return _with_wrongs(item, wrongs)


def _wrongs(item: PlantedItem, answer: str) -> list[str] | None:
    """The words of the answer at each planted place; None if the text around them is not the same."""
    pieces, last = [], 0
    for plant in item.plants:
        pieces.append(re.escape(item.revised[last : plant.start]))
        pieces.append("(.+?)" if plant.wrong.strip() else f"({re.escape(plant.wrong)})")
        last = plant.start + len(plant.right)
    match = re.fullmatch("".join([*pieces, re.escape(item.revised[last:])]), answer, re.DOTALL)
    return list(match.groups()) if match else None


def _still_wrong(plant: Plant, wrong: str) -> bool:
    if len(wrong.split()) > len(plant.wrong.split()) + _WORDIER or "<<" in wrong or ">>" in wrong:
        return False
    if plant.kind in FACT_KINDS:
        return plant.wrong.strip().lower() in wrong.lower()
    return wrong.strip().lower() != plant.right.strip().lower() and bool(wrong.strip())


def _with_wrongs(item: PlantedItem, wrongs: list[str]) -> PlantedItem:
    changed = [plant.model_copy(update={"wrong": wrong}) for plant, wrong in zip(item.plants, wrongs, strict=True)]
    places = [plant.place() for plant in changed]
    summary = plant_text(item.revised, places)
    notes, plants = [], []
    for plant, old, span in zip(changed, item.errors, planted_spans(places), strict=True):
        # These two kinds quote their whole sentence.
        place = place_at(summary, span, sentence=plant.kind in ("speaker", "unsupported"))
        note = _quoting(item.talk(), summary, old, place)
        notes.append(note)
        plants.append(plant.model_copy(update={"error_id": note.id}))
    changes = {"summary": summary, "errors": tuple(notes), "plants": tuple(plants), "naturalized": True}
    return item.model_copy(update=changes)


class NaturalizeErrors(Program):
    """Puts the errors of a planted item in a model's words, or leaves the item as it is."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.retries = retries
        self.naturalize = dspy.Predict(NaturalizeError)

    async def aforward(self, item: PlantedItem) -> dspy.Prediction:
        """Prediction(item: PlantedItem). Raises ModelError when the answers cannot be parsed."""
        answer = await ask(self.naturalize, retries=self.retries, marked_summary=marked(item))
        return dspy.Prediction(item=reworded(item, str(answer.summary)) or item)

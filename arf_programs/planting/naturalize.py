"""Planted errors in a model's words: what is asked, and what of the answer is accepted. Pure functions."""

from __future__ import annotations

import re
from typing import Final

from arf_programs.metrics.repair import Place
from arf_programs.planting.items import quote_at
from arf_programs.planting.kinds import FACT_KINDS
from arf_programs.planting.records import Plant, PlantedItem, plant_text, planted_spans
from arf_programs.quotes import locate_error
from signatures.records import ErrorNote

_WORDIER: Final = 6
"""Words by which an error may grow: more would be an error of another kind."""


def marked(item: PlantedItem) -> str:
    """The planted summary with the wrong words between << and >>; what was left out has no mark."""
    places = [plant.place() for plant in item.plants]
    shown = [Place(p.start, p.end, f"<<{p.wrong}>>" if p.wrong.strip() else p.wrong) for p in places]
    return plant_text(item.revised, shown)


def reworded(item: PlantedItem, answer: str) -> PlantedItem | None:
    """The item with the answer as its summary; None where the answer is not acceptable.

    It has to be byte for byte the right summary outside the planted places. Within them something wrong has to stand
    still: not the right words, the planted detail itself where it is a detail, and hardly more words than before.
    """
    wrongs = _wrongs(item, answer.strip())
    if wrongs is None or wrongs == [plant.wrong for plant in item.plants]:
        return None
    pairs = zip(item.plants, wrongs, strict=True)
    if not all(wrong == plant.wrong or _still_wrong(plant, wrong) for plant, wrong in pairs):
        return None
    return _with_wrongs(item, wrongs)


def _wrongs(item: PlantedItem, answer: str) -> list[str] | None:
    """What stands in the answer at each planted place; None if the text around them is not the same."""
    pieces, last = [], 0
    for plant in item.plants:
        pieces.append(re.escape(item.revised[last : plant.start]))
        pieces.append("(.+?)" if plant.wrong.strip() else f"({re.escape(plant.wrong)})")
        last = plant.start + len(plant.right)
    found = re.fullmatch("".join([*pieces, re.escape(item.revised[last:])]), answer, re.DOTALL)
    return list(found.groups()) if found else None


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
        # A quote longer than the planted words was that of a whole sentence, or widened to be found.
        note = _note(item, summary, old, quote_at(summary, span, sentence=plant.kind in ("speaker", "unsupported")))
        notes.append(note)
        plants.append(plant.model_copy(update={"error_id": note.id}))
    changes = {"summary": summary, "errors": tuple(notes), "plants": tuple(plants), "naturalized": True}
    return item.model_copy(update=changes)


def _note(item: PlantedItem, summary: str, old: ErrorNote, quote: str) -> ErrorNote:
    return locate_error(
        summary,
        item.talk(),
        category=old.category,
        quote=quote,
        evidence=old.evidence,
        explanation=old.explanation,
        severity=old.severity,
        source="planted",
    )

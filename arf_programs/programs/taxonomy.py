"""Open notes on a draft, before there is a taxonomy.

Merges open notes into a taxonomy that starts from a seed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import dspy

from arf_programs.programs.asking import ask
from signatures.induce_taxonomy import InduceTaxonomy, ProposedCategory
from signatures.note_problems import NoteProblems
from signatures.records import Category, Conversation, ErrorNote, Taxonomy


class TakeNotes(dspy.Module):
    """What is wrong with a summary, in the analyst's own words."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.note = dspy.Predict(NoteProblems)
        self.retries = retries

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Prediction(notes: list[str]), blank and repeated notes left out."""
        answer = await ask(
            self.note, retries=self.retries, conversation=conversation.as_numbered_text(), summary=summary
        )
        notes = [" ".join(note.split()) for note in answer.notes]
        return dspy.Prediction(notes=list(dict.fromkeys(note for note in notes if note)))


_NOTES_PER_CALL = 50


class MergeNotes(dspy.Module):
    """Sorts notes into the categories known so far, chunk by chunk, adding categories where none fits."""

    def __init__(self, *, max_categories: int, retries: int) -> None:
        super().__init__()
        self.induce = dspy.Predict(InduceTaxonomy)
        self.max_categories = max_categories
        self.retries = retries

    async def aforward(self, notes: Sequence[str], seed: Taxonomy) -> dspy.Prediction:
        """Prediction(taxonomy: Taxonomy); the seed's categories stay, with their counts of notes."""
        taxonomy = seed
        for start in range(0, len(notes), _NOTES_PER_CALL):
            chunk = notes[start : start + _NOTES_PER_CALL]
            answer = await ask(
                self.induce,
                retries=self.retries,
                known_categories=taxonomy.as_text(),
                notes="\n".join(f"{n}. {note}" for n, note in enumerate(chunk, start=1)),
                max_categories=self.max_categories,
            )
            taxonomy = merge_proposals(taxonomy, answer.categories, notes=len(chunk), limit=self.max_categories)
        return dspy.Prediction(taxonomy=taxonomy)


def merge_proposals(taxonomy: Taxonomy, proposals: Sequence[ProposedCategory], *, notes: int, limit: int) -> Taxonomy:
    """Add the proposals' counts to the taxonomy, and the new categories that have notes, up to `limit` in all.

    A note counts once, for the first category that claims it; numbers outside 1..`notes` are ignored.
    """
    categories = {category.id: category for category in taxonomy.categories}
    free = set(range(1, notes + 1))
    for proposal in proposals:
        claimed = free.intersection(proposal.notes)
        name = _slug(proposal.id)
        if not claimed or not name or (name not in categories and len(categories) >= limit):
            continue
        free -= claimed
        known = categories.get(name) or Category(
            id=name,
            name=proposal.name.strip() or name.replace("_", " "),
            definition=" ".join(proposal.definition.split()),
            severity=proposal.severity,
            example=" ".join(proposal.example.split()),
        )
        categories[name] = known.model_copy(update={"count": known.count + len(claimed)})
    return Taxonomy(categories=tuple(categories.values()))


def count_errors(taxonomy: Taxonomy, errors: Sequence[ErrorNote]) -> Taxonomy:
    """Add errors that have their category already to its count; a category without an example gets one."""
    found: dict[str, list[ErrorNote]] = {}
    for note in errors:
        found.setdefault(note.category, []).append(note)
    return Taxonomy(
        categories=tuple(
            category.model_copy(
                update={
                    "count": category.count + len(found[category.id]),
                    "example": category.example or found[category.id][0].explanation,
                }
            )
            if category.id in found
            else category
            for category in taxonomy.categories
        )
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_0123456789")

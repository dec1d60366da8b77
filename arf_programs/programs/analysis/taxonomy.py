"""Take open notes on drafts, and merge them into a taxonomy that starts from a seed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import dspy

from arf_programs.programs.asking import RETRIES, Program, ask
from signatures.induce_taxonomy import InduceTaxonomy, KnownCategory, ProposedCategory
from signatures.note_problems import NoteProblems
from signatures.records import Category, Conversation, ErrorNote, Taxonomy


class TakeNotes(Program):
    """Say what is wrong with a summary, in the analyst's own words."""

    def __init__(self, *, retries: int = RETRIES) -> None:
        super().__init__()
        self.note = dspy.Predict(NoteProblems)
        self.retries = retries

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Return Prediction(notes: list[str]) without blank and repeated notes."""
        answer = await ask(
            self.note, retries=self.retries, conversation=conversation.as_numbered_text(), summary=summary
        )
        notes = [" ".join(note.split()) for note in answer.notes]
        return dspy.Prediction(notes=list(dict.fromkeys(note for note in notes if note)))


_NOTES_PER_CALL = 50


class MergeNotes(Program):
    """Sort notes into categories, 50 notes in a call. A note that fits no category gets a new one."""

    def __init__(self, *, max_categories: int, retries: int = RETRIES) -> None:
        super().__init__()
        self.induce = dspy.Predict(InduceTaxonomy)
        self.max_categories = max_categories
        self.retries = retries

    async def aforward(self, notes: Sequence[str], seed: Taxonomy) -> dspy.Prediction:
        """Return Prediction(taxonomy: Taxonomy). The seed's categories stay, with their counts of notes."""
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
            proposals = [*answer.known, *answer.categories]
            taxonomy = merge_proposals(taxonomy, proposals, notes=len(chunk), limit=self.max_categories)
        return dspy.Prediction(taxonomy=taxonomy)


def merge_proposals(
    taxonomy: Taxonomy, proposals: Sequence[KnownCategory | ProposedCategory], *, notes: int, limit: int
) -> Taxonomy:
    """Add the proposals' counts and new categories to the taxonomy, which never has more than `limit` categories.

    A note counts once, for the first category that claims it. Numbers outside 1 to `notes` are ignored. A new category
    without a note is left out, and so is a category that the proposal calls known although it is not.
    """
    categories = {category.id: category for category in taxonomy.categories}
    free = set(range(1, notes + 1))
    for proposal in proposals:
        claimed = free.intersection(proposal.notes)
        name = _slug(proposal.id)
        if not claimed or not name or (name not in categories and len(categories) >= limit):
            continue
        category = categories.get(name) or _new_category(name, proposal)
        if category is not None:
            free -= claimed
            categories[name] = category.model_copy(update={"count": category.count + len(claimed)})
    return Taxonomy(categories=tuple(categories.values()))


def _new_category(name: str, proposal: KnownCategory | ProposedCategory) -> Category | None:
    if isinstance(proposal, KnownCategory):
        return None
    return Category(
        id=name,
        name=proposal.name.strip() or name.replace("_", " "),
        definition=" ".join(proposal.definition.split()),
        severity=proposal.severity,
        example=" ".join(proposal.example.split()),
    )


def count_errors(taxonomy: Taxonomy, errors: Sequence[ErrorNote]) -> Taxonomy:
    """Add typed errors to the counts of their categories. A category without an example gets one."""
    by_category: dict[str, list[ErrorNote]] = {}
    for note in errors:
        by_category.setdefault(note.category, []).append(note)
    return Taxonomy(
        categories=tuple(
            category.model_copy(
                update={
                    "count": category.count + len(by_category[category.id]),
                    "example": category.example or by_category[category.id][0].explanation,
                }
            )
            if category.id in by_category
            else category
            for category in taxonomy.categories
        )
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_0123456789")

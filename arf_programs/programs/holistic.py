"""The holistic analysis: one question about the whole summary."""

from __future__ import annotations

import dspy

from arf_programs.error_notes import Rejections, narrow_categories, note_errors
from arf_programs.programs.ask import ask, typed
from signatures.find_errors import FindErrors, FoundError
from signatures.records import Conversation, Taxonomy


class HolisticAnalysis(dspy.Module):
    """All errors of a summary in one answer. The taxonomy's ids are part of its type."""

    def __init__(self, taxonomy: Taxonomy, *, retries: int) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        self.retries = retries
        found = list[narrow_categories(FoundError, taxonomy.ids())]  # type: ignore[misc, valid-type]
        self.find_errors = dspy.Predict(typed(FindErrors, "errors", found))

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Prediction(errors: list[ErrorNote], rejected: list[str], sentences: list, empty: nothing is scored)."""
        answer = await ask(
            self.find_errors,
            retries=self.retries,
            categories=self.taxonomy.as_text(),
            conversation=conversation.as_numbered_text(),
            summary=summary,
        )
        rejections: Rejections = []
        errors = note_errors(conversation, summary, answer.errors, rejections)
        return dspy.Prediction(errors=errors, rejected=rejections, sentences=[])

"""Open notes on a draft, before there is a taxonomy."""

from __future__ import annotations

import dspy

from arf_programs.programs.ask import ask
from signatures.note_problems import NoteProblems
from signatures.records import Conversation


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

"""Summarise: how the teacher drafts, and how base model and students answer on the holdout."""

from __future__ import annotations

import dspy

from arf_programs.programs.ask import ask
from arf_programs.programs.plain_adapter import PlainAdapter
from signatures.records import Conversation
from signatures.summarize import Summarize


class SummarizeConversation(dspy.Module):
    """One conversation to one summary, under the run's own instruction."""

    def __init__(self, instruction: str, *, retries: int) -> None:
        super().__init__()
        self.summarize = dspy.Predict(Summarize.with_instructions(instruction))
        self.retries = retries

    async def aforward(self, conversation: Conversation) -> dspy.Prediction:
        """Prediction(summary: str, cut_off: bool); one cut off at max_tokens is a summary with an error, not a failure.
        Raises ModelError when the model only gives blank answers, or its provider withholds them.
        """
        with dspy.context(adapter=PlainAdapter()):
            return await ask(self.summarize, retries=self.retries, may_be_cut=True, conversation=conversation.as_text())

"""The judge: an auto-rating from 1 to 5 with its reasons."""

from __future__ import annotations

import dspy

from arf_programs.programs.ask import ask
from signatures.rate_summary import RateSummary
from signatures.records import Conversation, Rating


class JudgeSummary(dspy.Module):
    """Rates one summary by its conversation."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.rate = dspy.Predict(RateSummary)
        self.retries = retries

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Prediction(rating: Rating). Raises ModelError when the answers cannot be parsed."""
        answer = await ask(
            self.rate, retries=self.retries, conversation=conversation.as_numbered_text(), summary=summary
        )
        return dspy.Prediction(rating=Rating(rating=int(answer.rating), reasons=" ".join(answer.reasons.split())))

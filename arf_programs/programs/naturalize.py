"""Naturalise: a model words planted errors; what it may not change decides whether its words are taken."""

from __future__ import annotations

import dspy

from arf_programs.planting.naturalize import marked, reworded
from arf_programs.planting.records import PlantedItem
from arf_programs.programs.ask import ask
from signatures.naturalize_error import NaturalizeError


class NaturalizeErrors(dspy.Module):
    """One planted item to the same item in a model's words, or as it is."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.retries = retries
        self.naturalize = dspy.Predict(NaturalizeError)

    async def aforward(self, item: PlantedItem) -> dspy.Prediction:
        """Prediction(item: PlantedItem). Raises ModelError when the answers cannot be parsed."""
        answer = await ask(self.naturalize, retries=self.retries, marked_summary=marked(item))
        return dspy.Prediction(item=reworded(item, str(answer.summary)) or item)

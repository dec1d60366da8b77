"""Analyse: typed errors for a summary, by the analyst and by deterministic checks."""

from __future__ import annotations

import dspy

from arf_programs.checks import run_checks
from arf_programs.error_notes import merge_errors
from arf_programs.programs.holistic import HolisticAnalysis
from arf_programs.programs.sentencewise import SentencewiseAnalysis
from signatures.records import Conversation


class AnalyzeSummary(dspy.Module):
    """Finds the errors of a summary.

    `analysis` is the analyst's strategy, with the predictors that it uses and no others; None asks no model at all.
    `checks` adds the errors that need no model.
    """

    def __init__(self, analysis: HolisticAnalysis | SentencewiseAnalysis | None, *, checks: bool) -> None:
        super().__init__()
        self.analysis = analysis
        self.checks = checks

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Prediction(errors: tuple[ErrorNote, ...], rejected: tuple[str, ...], sentences: tuple[SentenceScore, ...]).

        `rejected` gives the reason for each note of the model that quotes or cites what does not exist; `sentences`
        says how a sentencewise analyst sees each sentence, in order, and is empty without one.
        Raises ModelError when the model's answers cannot be parsed.
        """
        checked = run_checks(conversation, summary) if self.checks else []
        if self.analysis is None or not summary.strip():
            return dspy.Prediction(errors=tuple(checked), rejected=(), sentences=())
        found = await self.analysis.acall(conversation=conversation, summary=summary)
        return dspy.Prediction(
            errors=merge_errors(checked, found.errors, summary),
            rejected=tuple(found.rejected),
            sentences=tuple(found.sentences),
        )

"""The holistic analysis: one question about the whole summary.

The sentencewise analysis: one sentence at a time, and then what is missing.

Analyse: typed errors for a summary, by the analyst and by deterministic checks.
"""

from __future__ import annotations

import dspy

from arf_programs.checks import run_checks
from arf_programs.programs.asking import ask, typed
from arf_programs.programs.reported_errors import (
    Rejections,
    merge_errors,
    narrow_categories,
    note_errors,
    omission_ids,
    statement_ids,
)
from arf_programs.programs.support import SentenceSupport
from arf_programs.text import find_quote, sentence_spans
from signatures.describe_error import DescribeError, SentenceError
from signatures.exceptions import ModelError
from signatures.find_errors import FindErrors, FoundError
from signatures.find_omissions import FindOmissions, Omission
from signatures.records import Conversation, ErrorNote, SentenceScore, Taxonomy


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


_FALLBACK = "fabricated"
_UNDESCRIBED = "The conversation does not support this sentence. Only that was asked: no usable description was given."


class SentencewiseAnalysis(dspy.Module):
    """Asks whether each sentence is supported, what is wrong with those that are not, and what is missing."""

    def __init__(self, taxonomy: Taxonomy, support: SentenceSupport, *, retries: int) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        self.retries = retries
        ids = taxonomy.ids()
        self.support = support
        self.describe = dspy.Predict(
            typed(DescribeError, "error", narrow_categories(SentenceError, statement_ids(ids)))
        )
        missing = list[narrow_categories(Omission, omission_ids(ids))]  # type: ignore[misc, valid-type]
        self.omissions = dspy.Predict(typed(FindOmissions, "omissions", missing))

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Prediction(errors: list[ErrorNote], rejected: list[str], sentences: list[SentenceScore])."""
        rejections: Rejections = []
        found: list[ErrorNote] = []
        sentences: list[SentenceScore] = []
        for start, end in sentence_spans(summary):
            answer = await self.support.acall(conversation=conversation, sentence=summary[start:end])
            sentences.append(answer.score)
            if answer.score.flagged:
                found += await self._describe(conversation, summary, start, answer.score, rejections)
        found += await self._missing(conversation, summary, rejections)
        return dspy.Prediction(errors=found, rejected=rejections, sentences=sentences)

    async def _describe(
        self, conversation: Conversation, summary: str, start: int, score: SentenceScore, rejections: Rejections
    ) -> list[ErrorNote]:
        """The error of a sentence. Described or not, it stands: that the sentence is unsupported was answered."""
        try:
            answer = await ask(
                self.describe,
                retries=self.retries,
                categories=self.taxonomy.as_text(),
                conversation=conversation.as_numbered_text(),
                sentence=score.sentence,
            )
            reported = [_inside(answer.error, summary, start, score.sentence)]
        except ModelError:
            reported = []
        # An error without a usable quote still concerns this sentence.
        found = note_errors(
            conversation, summary, reported, rejections, fallback_quote=score.sentence, score=score.score
        )
        return found or note_errors(
            conversation, summary, [self._undescribed(score.sentence)], rejections, score=score.score
        )

    def _undescribed(self, sentence: str) -> SentenceError:
        ids = statement_ids(self.taxonomy.ids())
        category = _FALLBACK if _FALLBACK in ids else ids[0]
        return SentenceError(quote=sentence, evidence=[], explanation=_UNDESCRIBED, category=category, severity="major")

    async def _missing(self, conversation: Conversation, summary: str, rejections: Rejections) -> list[ErrorNote]:
        answer = await ask(
            self.omissions,
            retries=self.retries,
            categories=self.taxonomy.as_text(),
            conversation=conversation.as_numbered_text(),
            summary=summary,
        )
        return note_errors(conversation, summary, answer.omissions, rejections)


def _inside(error: SentenceError, summary: str, start: int, sentence: str) -> SentenceError:
    """The error with its quote, or with the whole sentence where the quote is not found at this place."""
    span = find_quote(error.quote, summary)
    if span and start <= span[0] and span[1] <= start + len(sentence):
        return error
    return error.model_copy(update={"quote": sentence})


class Analyze(dspy.Module):
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

"""Analyze: find the typed errors of a summary, by an analyst model and by deterministic checks.

The analyst is asked about the whole summary at once (`HolisticAnalysis`), or about one sentence after another and then
about what is missing (`SentencewiseAnalysis`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import dspy

from arf_programs.checks import run_checks
from arf_programs.corpus import load_seed_taxonomy
from arf_programs.programs.analysis.reported_errors import (
    Rejections,
    give_way,
    merge_errors,
    narrow_categories,
    note_errors,
    omission_ids,
    statement_ids,
)
from arf_programs.programs.analysis.support import SentenceSupport
from arf_programs.programs.analysis.value_candidates import find_value_errors
from arf_programs.programs.asking import RETRIES, Program, ask, typed
from arf_programs.text import Span, find_sentences
from signatures.describe_error import DescribeError, SentenceError
from signatures.exceptions import ModelError
from signatures.find_errors import CorrectedError, FindAndCorrect, FindErrors, FoundError
from signatures.find_omissions import FindOmissions, Omission
from signatures.records import Conversation, ErrorNote, SentenceScore, Taxonomy


class HolisticAnalysis(Program):
    """Ask for all errors of a summary in one answer.

    The type of the answer names the categories of the taxonomy; without a taxonomy it is the seed taxonomy. With
    `corrections`, the answer also says how to mend each error.
    """

    def __init__(self, taxonomy: Taxonomy | None = None, *, retries: int = RETRIES, corrections: bool = False) -> None:
        super().__init__()
        self.taxonomy = taxonomy or load_seed_taxonomy()
        self.retries = retries
        question, found = (FindAndCorrect, CorrectedError) if corrections else (FindErrors, FoundError)
        errors = list[narrow_categories(found, self.taxonomy.ids())]  # type: ignore[misc, valid-type]
        self.find_errors = dspy.Predict(typed(question, "errors", errors))

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Return Prediction(errors: list[ErrorNote], rejected: list[str], sentences: list). No sentence is scored."""
        answer = await ask(
            self.find_errors,
            retries=self.retries,
            categories=self.taxonomy.as_text(),
            conversation=conversation.as_numbered_text(),
            summary=summary,
        )
        rejections: Rejections = []
        errors = note_errors(conversation, summary, answer.errors, rejections, taxonomy=self.taxonomy)
        return dspy.Prediction(errors=errors, rejected=rejections, sentences=[])


_FALLBACK = "fabricated"
_UNDESCRIBED = "The conversation does not support this sentence. Only that was asked: no usable description was given."


class SentencewiseAnalysis(Program):
    """Ask of each sentence whether it is supported, and what is wrong if it is not. Then ask what is missing.

    Without a taxonomy it uses the seed taxonomy. Without a support question it uses one that reads no
    log-probabilities.
    """

    def __init__(
        self, taxonomy: Taxonomy | None = None, support: SentenceSupport | None = None, *, retries: int = RETRIES
    ) -> None:
        super().__init__()
        self.taxonomy = taxonomy or load_seed_taxonomy()
        self.retries = retries
        ids = self.taxonomy.ids()
        self.support = support or SentenceSupport()
        self.describe = dspy.Predict(
            typed(DescribeError, "error", narrow_categories(SentenceError, statement_ids(ids)))
        )
        missing = list[narrow_categories(Omission, omission_ids(ids))]  # type: ignore[misc, valid-type]
        self.omissions = dspy.Predict(typed(FindOmissions, "omissions", missing))

    async def aforward(
        self,
        conversation: Conversation,
        summary: str,
        places: Sequence[Span] | None = None,
        *,
        omissions: bool = True,
    ) -> dspy.Prediction:
        """Return Prediction(errors: list[ErrorNote], rejected: list[str], sentences: list[SentenceScore]).

        `places` are the sentences to ask about, by default all. `omissions` says whether to ask what is missing.
        """
        rejections: Rejections = []
        errors: list[ErrorNote] = []
        sentences: list[SentenceScore] = []
        for place in find_sentences(summary) if places is None else places:
            answer = await self.support.acall(conversation=conversation, sentence=summary[slice(*place)])
            sentences.append(answer.score)
            if answer.score.flagged:
                errors += await self._describe(conversation, summary, place, answer.score, rejections)
        if omissions and self.support.analyst_sees:
            errors += await self._find_omissions(conversation, summary, rejections)
        return dspy.Prediction(errors=errors, rejected=rejections, sentences=sentences)

    async def _describe(
        self, conversation: Conversation, summary: str, place: Span, score: SentenceScore, rejections: Rejections
    ) -> list[ErrorNote]:
        """Return the error of an unsupported sentence. Without a usable description the whole sentence is the error.

        An analyst that cannot tell errors is not asked for one.
        """
        reported = await self._reported(conversation, score.sentence) if self.support.analyst_sees else []
        undescribed = [self._undescribed(score.sentence)]
        for errors in (reported, undescribed):
            notes = note_errors(
                conversation, summary, errors, rejections, taxonomy=self.taxonomy, sentence=place, score=score.score
            )
            if notes:
                return notes
        return []

    async def _reported(self, conversation: Conversation, sentence: str) -> list[SentenceError]:
        try:
            answer = await ask(
                self.describe,
                retries=self.retries,
                categories=self.taxonomy.as_text(),
                conversation=conversation.as_numbered_text(),
                sentence=sentence,
            )
        except ModelError:
            return []
        return [answer.error]

    def _undescribed(self, sentence: str) -> SentenceError:
        ids = statement_ids(self.taxonomy.ids())
        category = _FALLBACK if _FALLBACK in ids else ids[0]
        return SentenceError(quote=sentence, evidence=[], explanation=_UNDESCRIBED, category=category)

    async def _find_omissions(
        self, conversation: Conversation, summary: str, rejections: Rejections
    ) -> list[ErrorNote]:
        answer = await ask(
            self.omissions,
            retries=self.retries,
            categories=self.taxonomy.as_text(),
            conversation=conversation.as_numbered_text(),
            summary=summary,
        )
        return note_errors(conversation, summary, answer.omissions, rejections, taxonomy=self.taxonomy)


class Analyze(Program):
    """Find the errors of a summary.

    Args:
        analysis: how the analyst is asked: `"holistic"` or `"sentencewise"` with the seed taxonomy and default
            settings, or one of those programs made by hand. None asks no model.
        checks: whether to add the errors that need no model.
        values: whether to add values of the conversation that stand in the wrong place, which needs no model either.
    """

    def __init__(
        self,
        analysis: HolisticAnalysis | SentencewiseAnalysis | Literal["holistic", "sentencewise"] | None = "holistic",
        *,
        checks: bool = True,
        values: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(analysis, str):
            analysis = HolisticAnalysis() if analysis == "holistic" else SentencewiseAnalysis()
        self.analysis = analysis
        self.checks = checks
        self.values = values

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Return Prediction(errors, rejected, sentences).

        `errors` is a tuple of ErrorNote. `rejected` is a tuple of reasons, one for each note of the model that quotes
        words or cites turns that do not exist. `sentences` is a tuple of SentenceScore, one for each sentence in order;
        it is empty if the analysis is not sentencewise. Raises ModelError when no answer of the model can be parsed.
        """
        checked = self.check(conversation, summary)
        if self.analysis is None or not summary.strip():
            return dspy.Prediction(errors=tuple(checked), rejected=(), sentences=())
        reported = await self.analysis.acall(conversation=conversation, summary=summary)
        return dspy.Prediction(
            errors=self.merge(checked, reported.errors, conversation, summary, reported.sentences),
            rejected=tuple(reported.rejected),
            sentences=tuple(reported.sentences),
        )

    def check(self, conversation: Conversation, summary: str) -> list[ErrorNote]:
        """Return the errors that need no model."""
        checked = run_checks(conversation, summary) if self.checks else []
        return [*checked, *(find_value_errors(conversation, summary, checked) if self.values else [])]

    def merge(
        self,
        checked: Sequence[ErrorNote],
        reported: Sequence[ErrorNote],
        conversation: Conversation,
        summary: str,
        sentences: Sequence[SentenceScore],
    ) -> tuple[ErrorNote, ...]:
        """Return what checks and analyst found, each error once. A calibrated score overrules the check of names."""
        if isinstance(self.analysis, SentencewiseAnalysis) and self.analysis.support.calibration is not None:
            checked = give_way(checked, summary, sentences)
        return merge_errors(checked, reported, summary)

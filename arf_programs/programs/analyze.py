"""Analyse: typed errors for a summary, by the analyst and by deterministic checks."""

from __future__ import annotations

from typing import Literal

import dspy

from arf_programs.checks import run_checks
from arf_programs.error_notes import Rejections, merge_errors, narrow_categories, note_errors, omission_ids
from arf_programs.programs.ask import ask
from arf_programs.sentences import split_sentences
from signatures.check_sentence import CheckSentence, SentenceError
from signatures.find_errors import FindErrors, FoundError
from signatures.find_omissions import FindOmissions, Omission
from signatures.records import Conversation, ErrorNote, Taxonomy

Strategy = Literal["holistic", "sentencewise"]


class AnalyzeSummary(dspy.Module):
    """Finds the errors of a summary.

    `strategy` is `holistic` (one call a summary) or `sentencewise` (one call a sentence and one for omissions);
    None asks no model at all. `checks` adds the errors that need no model. The taxonomy's category ids are part of
    the answer's type, so a model that honours a schema cannot name another.
    """

    def __init__(self, taxonomy: Taxonomy, *, strategy: Strategy | None, checks: bool, retries: int) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        self.strategy = strategy
        self.checks = checks
        self.retries = retries
        ids = taxonomy.ids()
        sentence_error = narrow_categories(SentenceError, ids)
        self.find_errors = dspy.Predict(_typed(FindErrors, "errors", list[narrow_categories(FoundError, ids)]))  # type: ignore[misc]
        self.check_sentence = dspy.Predict(_typed(CheckSentence, "error", sentence_error | None))
        omission = narrow_categories(Omission, omission_ids(ids))
        self.find_omissions = dspy.Predict(_typed(FindOmissions, "omissions", list[omission]))  # type: ignore[valid-type]

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Prediction(errors: tuple[ErrorNote, ...], rejected: tuple[str, ...]).

        `rejected` gives the reason for each note of the model that quotes or cites what does not exist.
        Raises ModelError when the model's answers cannot be parsed.
        """
        checked = run_checks(conversation, summary) if self.checks else []
        rejections: Rejections = []
        found: list[ErrorNote] = []
        if summary.strip() and self.strategy == "holistic":
            found = await self._holistic(conversation, summary, rejections)
        elif summary.strip() and self.strategy == "sentencewise":
            found = await self._sentencewise(conversation, summary, rejections)
        return dspy.Prediction(errors=merge_errors(checked, found), rejected=tuple(rejections))

    async def _holistic(self, conversation: Conversation, summary: str, rejections: Rejections) -> list[ErrorNote]:
        answer = await ask(
            self.find_errors,
            retries=self.retries,
            categories=self.taxonomy.as_text(),
            conversation=conversation.as_numbered_text(),
            summary=summary,
        )
        return note_errors(conversation, summary, answer.errors, rejections)

    async def _sentencewise(self, conversation: Conversation, summary: str, rejections: Rejections) -> list[ErrorNote]:
        found: list[ErrorNote] = []
        for sentence in split_sentences(summary):
            answer = await ask(
                self.check_sentence,
                retries=self.retries,
                categories=self.taxonomy.as_text(),
                conversation=conversation.as_numbered_text(),
                sentence=sentence,
            )
            if answer.supported == "no" and answer.error is None:
                rejections.append(f"{conversation.id}: no error was named in the unsupported sentence {sentence!r}")
            elif answer.supported == "no":
                # An error without a usable quote still concerns this sentence.
                found += note_errors(conversation, summary, [answer.error], rejections, fallback_quote=sentence)
        missing = await ask(
            self.find_omissions,
            retries=self.retries,
            categories=self.taxonomy.as_text(),
            conversation=conversation.as_numbered_text(),
            summary=summary,
        )
        return found + note_errors(conversation, summary, missing.omissions, rejections)


def _typed(signature: type[dspy.Signature], field: str, annotation: object) -> type[dspy.Signature]:
    typed: type[dspy.Signature] = signature.with_updated_fields(field, type_=annotation)
    return typed

"""The support question answered by a checker: a small classifier scores a sentence, and no model is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from arf_programs.checkers import FORMS, checker_form, load_checker
from arf_programs.config import CheckerConfig, CheckerForm
from arf_programs.metrics import Calibration
from arf_programs.programs.analysis.support import SentenceSupport
from arf_programs.runs import digest
from signatures.records import Conversation

Supports = Callable[[Conversation, str], Awaitable[float]]
"""Gives the probability that a conversation supports a sentence."""


class CheckerSupport(SentenceSupport):
    """Scores sentences like `SentenceSupport`, by the checker of the configuration.

    Args:
        checker: which model, in which input form. It is loaded when the first sentence is scored.
        name: the model's name in the configuration, by which a calibration is kept.
        calibration: as for `SentenceSupport`.
        supports: used instead of the model, for estimates.
    """

    def __init__(
        self,
        checker: CheckerConfig,
        *,
        name: str = "",
        calibration: Calibration | None = None,
        supports: Supports | None = None,
    ) -> None:
        super().__init__(logprobs=True, calibration=calibration)
        del self.ask_support  # nobody is asked, so there is no prompt to compile and no model to set
        self.checker = checker
        self.name = name or str(checker.model)
        self.supports = supports

    @property
    def model(self) -> str:
        """The name of the checker."""
        return self.name

    @property
    def analyst_sees(self) -> bool:
        """A calibration says nothing about the analyst here, since the checker gives the score."""
        return True

    @property
    def form(self) -> CheckerForm:
        """The input form. Raises DataError for a model that is not there, or that the form does not fit."""
        return checker_form(self.checker)

    def prompt_digest(self) -> str:
        """Return a hash of the input form."""
        return digest([self.form, FORMS[self.form].template, FORMS[self.form].max_tokens])

    def load(self) -> None:
        """Load the model now, so that a command ends at once if it cannot be loaded. Raises DataError in that case."""
        load_checker(self.checker)

    async def _raw(self, conversation: Conversation, sentence: str) -> tuple[float | None, str]:
        """Return (score, word). The score is the probability that the conversation does not support the sentence."""
        supports = self.supports or self._ask_checker
        probability = await supports(conversation, sentence)
        return 1 - probability, "yes" if probability > 0.5 else "no"

    async def _ask_checker(self, conversation: Conversation, sentence: str) -> float:
        checker = await asyncio.to_thread(load_checker, self.checker)
        future: Any = await asyncio.to_thread(checker.ask, conversation, sentence)
        answer: float = await asyncio.wrap_future(future)
        return answer

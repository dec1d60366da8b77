"""Judge: rate a summary from 1 to 5 by a rubric, or say which of two summaries is better."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import dspy

from arf_programs.programs.asking import RETRIES, Program, ask, lm_name
from arf_programs.runs import digest, digest_prompts
from signatures.compare_summaries import PAIRWISE_VERSION, Better, CompareSummaries
from signatures.rate_summary import RUBRIC_VERSION, RateSummary
from signatures.records import Conversation, PairVerdict, Preference, Rating, Summary

_A_FIRST: Mapping[Better, Preference] = {"first": "a", "second": "b", "tie": "tie"}
_B_FIRST: Mapping[Better, Preference] = {"first": "b", "second": "a", "tie": "tie"}


class Judge(Program):
    """Rate one summary against its conversation."""

    def __init__(self, *, retries: int = RETRIES) -> None:
        super().__init__()
        self.rate = dspy.Predict(RateSummary)
        self.retries = retries

    async def aforward(self, conversation: Conversation, summary: str) -> dspy.Prediction:
        """Return Prediction(rating: Rating). Raises ModelError when no answer can be parsed."""
        answer = await ask(
            self.rate, retries=self.retries, conversation=conversation.as_numbered_text(), summary=summary
        )
        rating = Rating(
            rating=int(answer.rating),
            faithful=int(answer.faithful),
            complete=int(answer.complete),
            concise=int(answer.concise),
            reasons=" ".join(answer.reasons.split()),
            model=lm_name(self.rate),
            prompt=prompt_name(RUBRIC_VERSION, self.rate),
        )
        return dspy.Prediction(rating=rating)


class ComparePair(Program):
    """Compare two summaries of one conversation, shown in both orders."""

    def __init__(self, *, retries: int = RETRIES) -> None:
        super().__init__()
        self.compare = dspy.Predict(CompareSummaries)
        self.retries = retries

    async def aforward(self, conversation: Conversation, a: Summary, b: Summary) -> dspy.Prediction:
        """Return Prediction(verdict: PairVerdict). The same text twice is a tie without a call.

        Raises ModelError when no answer to one of the two questions can be parsed.
        """
        facts: dict[str, Any] = {
            "conversation_id": conversation.id,
            "channel": conversation.channel,
            "a": a.system,
            "b": b.system,
            "words_a": len(a.text.split()),
            "words_b": len(b.text.split()),
            "model": lm_name(self.compare),
            "prompt": prompt_name(PAIRWISE_VERSION, self.compare),
        }
        if a.text.split() == b.text.split():
            return dspy.Prediction(verdict=PairVerdict(winner="tie", **facts))
        one, other = await asyncio.gather(
            self._ask(conversation, a.text, b.text), self._ask(conversation, b.text, a.text)
        )
        a_first, b_first = _A_FIRST[one.better], _B_FIRST[other.better]
        verdict = PairVerdict(
            winner=settled(a_first, b_first),
            a_first=a_first,
            b_first=b_first,
            reasons=tuple(" ".join(answer.reasons.split()) for answer in (one, other)),
            **facts,
        )
        return dspy.Prediction(verdict=verdict)

    async def _ask(self, conversation: Conversation, first: str, second: str) -> dspy.Prediction:
        return await ask(
            self.compare,
            retries=self.retries,
            conversation=conversation.as_numbered_text(),
            first_summary=first,
            second_summary=second,
        )


def settled(a_first: Preference, b_first: Preference) -> Preference:
    """Return the winner of a pair that was shown in both orders. It is a tie where the two answers disagree."""
    return a_first if a_first == b_first else "tie"


def prompt_name(version: int, predict: dspy.Predict) -> str:
    """Return `<version>-<hash>`. The hash covers instructions, fields and demonstrations, also of a compiled judge."""
    shown = [dict(demo) for demo in predict.demos]
    return f"{version}-{digest([digest_prompts([predict.signature]), shown])}"

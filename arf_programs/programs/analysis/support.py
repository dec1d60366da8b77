"""The support question: does the conversation support a sentence? The answer is a word and, where possible, a score.

A model is asked, or a checker: a small classifier that scores a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from arf_programs.checkers import FORMS, checker_form, load_checker
from arf_programs.config import CheckerConfig, CheckerForm
from arf_programs.corpus import LabeledExample
from arf_programs.metrics import Calibration, StackedCalibration, fit_calibration, logit, sigmoid
from arf_programs.programs.analysis.one_word import read_word, yes_probability
from arf_programs.programs.analysis.signs import read_signs
from arf_programs.programs.asking import RETRIES, Program, ask
from arf_programs.runs import digest
from arf_programs.text import group_by_sentence, split_sentences
from signatures.exceptions import DataError, EndpointError, ModelError
from signatures.records import Conversation, Record, SentenceScore
from signatures.support_sentence import SupportSentence

NEUTRAL = 0.5
"""From this score on a sentence is flagged, where there is no calibration."""
_TOP = 20  # OpenAI's limit
_TOKENS = 3  # the word, and a quotation mark before it
_NOT_SHOWN = "(not shown)"
_MORE_TOKENS = 64  # where the first tokens say neither yes nor no


class SupportAdapter(dspy.Adapter):  # type: ignore[name-defined, unused-ignore]
    """An adapter without field markers: the system message has the instructions, the user message is `support_text`.

    The conversation comes first, so the sentences of one summary share a long prefix that a server can cache. The
    request comes last, since small models otherwise go on with the conversation. Demonstrations are earlier turns. An
    answer has `supported`, the word, and `probability`, that of "yes" against "no", or None without log-probabilities.
    """

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the messages. A demonstration that lacks a field of the question is left out."""
        messages = [{"role": "system", "content": signature.instructions}]
        for demo in demos:
            if all(name in demo for name in signature.fields):
                messages.append({"role": "user", "content": support_text(demo["conversation"], demo["sentence"])})
                messages.append({"role": "assistant", "content": str(demo["supported"])})
        return [*messages, {"role": "user", "content": support_text(inputs["conversation"], inputs["sentence"])}]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the word of an answer. It is None for another word, since the log-probabilities may still decide."""
        return {"supported": read_word(completion)}

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Do the same as `acall`."""
        values = super().__call__(lm, lm_kwargs, signature, demos, inputs)
        return [_with_probability(signature, value) for value in values]

    async def acall(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Return the answers. Raises AdapterParseError for an answer with neither a word nor a probability."""
        values = await super().acall(lm, lm_kwargs, signature, demos, inputs)
        return [_with_probability(signature, value) for value in values]


def support_text(conversation: str, sentence: str) -> str:
    """Return the user message."""
    return (
        f"Conversation:\n{conversation}\n\nSentence of the summary:\n{sentence}\n\n"
        "Does the conversation support everything in this sentence? Answer with one word, yes or no."
    )


def _with_probability(signature: type[dspy.Signature], value: dict[str, Any]) -> dict[str, Any]:
    probability = yes_probability(value.get("logprobs"))
    word = value["supported"]
    if word is None and probability is not None:
        word = "yes" if probability > 0.5 else "no"
    if word is None:
        raise AdapterParseError(
            adapter_name="SupportAdapter", signature=signature, lm_response="", message="It is neither yes nor no."
        )
    return {"supported": word, "probability": probability}


class SentenceSupport(Program):
    """Ask whether the conversation supports a sentence.

    Args:
        retries: further tries after a malformed answer.
        logprobs: whether to ask for log-probabilities; the score is then 1 - p(yes).
        samples: answers to ask for where the model gives no log-probabilities; the score is then the share of "no".
            With one sample there is no score.
        subtract_prior: whether to ask about the sentence without the conversation, too, and to take the log-odds of
            that answer from those of the score (contextual calibration: Zhao et al. 2021, arXiv 2102.09690). What a
            small model thinks of any such sentence then cancels out. It needs log-probabilities.
        calibration: turns scores into probabilities, and has the threshold of the decision.
    """

    def __init__(
        self,
        *,
        retries: int = RETRIES,
        logprobs: bool = False,
        samples: int = 1,
        subtract_prior: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.retries = retries
        self.logprobs = logprobs
        self.samples = samples
        self.subtract_prior = subtract_prior
        self.calibration = calibration
        config = {"logprobs": True, "top_logprobs": _TOP, "max_tokens": _TOKENS} if logprobs else {}
        self.ask_support = dspy.Predict(SupportSentence, **config)

    @property
    def model(self) -> str:
        """The name of the model that answers, by which a calibration is kept."""
        name: str = self.ask_support.lm.model
        return name

    @property
    def threshold(self) -> float:
        """A sentence is flagged if its score is at least this."""
        return NEUTRAL if self.calibration is None else self.calibration.threshold

    @property
    def neutral(self) -> float:
        """The probability of support at which the decision changes.

        A deleted sentence counts as having this probability.
        """
        return 1 - self.threshold

    @property
    def analyst_sees(self) -> bool:
        """Whether the analyst is good enough for questions about errors.

        Its own stacked calibration may say that it is not.
        """
        return not isinstance(self.calibration, StackedCalibration) or self.calibration.uses_score

    def prompt_digest(self) -> str:
        """Return a hash of the instructions and demonstrations of the question, and of how its score is made."""
        demos = [{name: str(demo[name]) for name in sorted(dict(demo))} for demo in self.ask_support.demos]
        prior = ["less its prior"] if self.subtract_prior else []
        return digest([self.ask_support.signature.instructions, demos, *prior])

    async def aforward(self, conversation: Conversation, sentence: str) -> dspy.Prediction:
        """Return Prediction(score: SentenceScore, raw: float | None). `raw` is the score before calibration.

        A stacked calibration that does not use the model's score asks nobody. Raises ModelError when the model answers
        neither yes nor no.
        """
        stack = self.calibration if isinstance(self.calibration, StackedCalibration) else None
        raw, word = (None, "") if stack and not stack.uses_score else await self._raw(conversation, sentence)
        if stack:
            score = stack.weigh(raw, read_signs(conversation, sentence))
            return dspy.Prediction(
                score=SentenceScore(sentence=sentence, flagged=score >= stack.threshold, score=score), raw=raw
            )
        if raw is None:
            return dspy.Prediction(score=SentenceScore(sentence=sentence, flagged=word == "no"), raw=None)
        score = raw if self.calibration is None else self.calibration.apply(raw)
        flagged = score >= self.threshold if self.calibration or raw != NEUTRAL else word == "no"
        return dspy.Prediction(score=SentenceScore(sentence=sentence, flagged=flagged, score=score), raw=raw)

    async def _raw(self, conversation: Conversation, sentence: str) -> tuple[float | None, str]:
        """Return (score, word). The score is from log-probabilities or from samples, and None without both."""
        if self.logprobs or self.samples == 1:
            answer = await self._ask(conversation.as_numbered_text(), sentence)
            if answer.probability is not None:
                return await self._less_prior(1 - answer.probability, sentence), answer.supported
            if self.samples == 1:
                return None, answer.supported
        text = conversation.as_numbered_text()
        answers = [await self._ask(text, sentence, number) for number in range(1, self.samples + 1)]
        share = sum(answer.supported == "no" for answer in answers) / self.samples
        return share, "no" if share >= NEUTRAL else "yes"

    async def _less_prior(self, score: float, sentence: str) -> float:
        """Return the score less that of the sentence without the conversation, on the scale of log-odds.

        If the model answers neither yes nor no without the conversation, it has no opinion, and nothing is subtracted.
        """
        if not self.subtract_prior:
            return score
        inputs: dict[str, Any] = {"conversation": _NOT_SHOWN, "sentence": sentence}
        try:
            with dspy.context(adapter=SupportAdapter()):
                prior = (await ask(self.ask_support, retries=0, may_be_cut=True, **inputs)).probability
        except EndpointError:
            raise
        except ModelError:
            return score
        return score if prior is None else sigmoid(logit(score) - logit(1 - prior))

    async def _ask(self, conversation: str, sentence: str, sample: int = 0) -> dspy.Prediction:
        """Ask once. If the first tokens say neither yes nor no, ask again with room for a longer answer.

        An answer that is cut off counts if it says yes or no, because the limit is ours.
        """
        inputs: dict[str, Any] = {"conversation": conversation, "sentence": sentence}
        with dspy.context(adapter=SupportAdapter()):
            if not self.logprobs:
                return await ask(self.ask_support, retries=self.retries, sample=sample, may_be_cut=True, **inputs)
            try:
                return await ask(self.ask_support, retries=0, sample=sample, may_be_cut=True, **inputs)
            except ModelError:
                if not self.retries:
                    raise
            limit = self.ask_support.lm.kwargs.get("max_tokens") or _MORE_TOKENS
            room = {"max_tokens": max(_TOKENS, min(_MORE_TOKENS, limit))}
            retries = self.retries - 1
            return await ask(self.ask_support, retries=retries, sample=sample, may_be_cut=True, config=room, **inputs)


def support_of(score: SentenceScore) -> float:
    """Return the probability that the conversation supports the sentence. Without a score it is 1 or 0, by the word."""
    return float(not score.flagged) if score.score is None else 1 - score.score


class SupportRow(Record):
    """A sentence of a labelled summary, with its raw score (None where the model gives none).

    It is `wrong` if the quote of a labelled error overlaps it.
    """

    conversation_id: str
    sentence: str
    score: float | None
    wrong: bool


async def support_rows(support: SentenceSupport, examples: Iterable[LabeledExample]) -> list[SupportRow]:
    """Return a row for each sentence of each labelled summary, in order. Raises what `SentenceSupport` raises."""
    rows = []
    for example in examples:
        wrong = group_by_sentence(example.summary, example.errors)
        for index, sentence in enumerate(split_sentences(example.summary)):
            answer = await support.acall(conversation=example.conversation, sentence=sentence)
            rows.append(
                SupportRow(
                    conversation_id=example.conversation.id, sentence=sentence, score=answer.raw, wrong=index in wrong
                )
            )
    return rows


def calibration_of(rows: Sequence[SupportRow], support: SentenceSupport) -> Calibration:
    """Fit a calibration on these rows, for the model and the wording of the support question.

    Raises DataError if no row has a score, or if not both kinds of sentence are there.
    """
    model = support.model
    scored = [(row.score, row.wrong) for row in rows if row.score is not None]
    if not scored:
        raise DataError(
            f"{model} gives no scores to calibrate: set models.analyst.logprobs to true if its endpoint gives "
            "log-probabilities, else analyze.samples to more than 1"
        )
    scores, labels = [score for score, _ in scored], [wrong for _, wrong in scored]
    return fit_calibration(scores, labels, model=model, prompt=support.prompt_digest())


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

"""Reading a yes-or-no answer: by its word, and by the log-probabilities of its tokens. Pure functions.

The adapter of the support question: plain text, a one-word answer, and the probability of that word.

Whether a conversation supports a sentence: a word, and a score where the model gives one.

The support question over a labelled set: rows of sentence, score and label, and the calibration fitted on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dspy
from dspy.utils.exceptions import AdapterParseError

from arf_programs.corpus import LabeledExample
from arf_programs.programs.asking import ask
from arf_programs.programs.calibration import Calibration, fit_calibration
from arf_programs.runs import digest
from arf_programs.text import notes_by_sentence, split_sentences
from signatures.exceptions import DataError
from signatures.records import Conversation, Record, SentenceScore
from signatures.support_sentence import SupportSentence, Word

_AROUND: Final = " \t\r\n\"'`*_.,:;!?()[]{}#->“”‘’Ġ▁Ċ"
"""What may stand around the word: space, quotes, Markdown, and tokenizers' own signs for a space."""


def read_word(text: str) -> Word | None:
    """The word that an answer begins with, if it is yes or no."""
    first = text.strip(_AROUND).split(maxsplit=1)
    word = first[0].strip(_AROUND).lower() if first else ""
    return "yes" if word == "yes" else "no" if word == "no" else None


def yes_probability(logprobs: Any) -> float | None:
    """The probability of "yes" against "no" where the answer begins, from 0 to 1; None without any mass for either.

    `logprobs` is what OpenAI calls a choice's log-probabilities: `content`, a list of tokens with `top_logprobs`; as an
    object or as the mapping that it is stored as. Counted is each token that is, without what may stand around it and
    in any case, a beginning of yes or of no: p = mass(yes) / (mass(yes) + mass(no)). Where a token is nothing but
    quotes, space or Markdown, the answer begins behind it.
    """
    for position in _get(logprobs, "content") or ():
        if _bare(position):
            mass = _masses([position, *(_get(position, "top_logprobs") or ())])
            both = mass["yes"] + mass["no"]
            return mass["yes"] / both if both > 0 else None
    return None


def _masses(tokens: Iterable[Any]) -> dict[Word, float]:
    """The summed probability of the tokens that begin each word; a token that is listed twice counts once."""
    once = {str(_get(token, "token")): float(_get(token, "logprob")) for token in tokens}
    mass: dict[Word, float] = {"yes": 0.0, "no": 0.0}
    for text, logprob in once.items():
        begun = text.strip(_AROUND).lower()
        for word in mass:
            if begun and word.startswith(begun):
                mass[word] += math.exp(logprob)
    return mass


def _bare(token: Any) -> str:
    return str(_get(token, "token")).strip(_AROUND)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


class SupportAdapter(dspy.Adapter):  # type: ignore[name-defined, unused-ignore]
    """System message: the instructions; user message: conversation, sentence, request, in this order.

    The conversation comes first, so that the sentences of a summary share the longest prefix and a model reads it once;
    the request comes last, since small models otherwise go on with the conversation. Demos are earlier turns. An answer
    is `supported` and `probability`: that of "yes" against "no", None where the model gives no log-probabilities.
    """

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The messages; a demo that lacks a field of the question is not shown."""
        messages = [{"role": "system", "content": signature.instructions}]
        for demo in demos:
            if all(name in demo for name in signature.fields):
                messages.append({"role": "user", "content": support_text(demo["conversation"], demo["sentence"])})
                messages.append({"role": "assistant", "content": str(demo["supported"])})
        return [*messages, {"role": "user", "content": support_text(inputs["conversation"], inputs["sentence"])}]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The word of an answer, None for another word: its log-probabilities may still tell."""
        return {"supported": read_word(completion)}

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """As `acall`."""
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
        """The answers. Raises AdapterParseError for one with neither the word nor its probability."""
        values = await super().acall(lm, lm_kwargs, signature, demos, inputs)
        return [_with_probability(signature, value) for value in values]


def support_text(conversation: str, sentence: str) -> str:
    """The user's message."""
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


NEUTRAL = 0.5
"""The score from which a sentence is flagged where there is no calibration: the model's own word."""

_TOP = 20  # OpenAI's limit
_TOKENS = 3  # the word, and a quotation mark before it


class SentenceSupport(dspy.Module):
    """Asks the support question.

    With `logprobs` the answer's log-probabilities are asked for, and the score is 1 - p(yes). Where the model gives
    none, the score is the share of "no" among `samples` answers, and with one sample there is no score but the word.
    `calibration` turns scores into probabilities and brings the threshold of the decision.
    """

    def __init__(
        self, *, retries: int, logprobs: bool = False, samples: int = 1, calibration: Calibration | None = None
    ) -> None:
        super().__init__()
        self.retries = retries
        self.logprobs = logprobs
        self.samples = samples
        self.calibration = calibration
        config = {"logprobs": True, "top_logprobs": _TOP, "max_tokens": _TOKENS} if logprobs else {}
        self.ask_support = dspy.Predict(SupportSentence, **config)

    @property
    def threshold(self) -> float:
        """The score from which a sentence is flagged."""
        return NEUTRAL if self.calibration is None else self.calibration.threshold

    @property
    def neutral(self) -> float:
        """What a sentence that is not there counts as: the probability of support at which the decision turns."""
        return 1 - self.threshold

    def prompt_digest(self) -> str:
        """Hash of what the question looks like: instructions and demonstrations."""
        demos = [{name: str(demo[name]) for name in sorted(dict(demo))} for demo in self.ask_support.demos]
        return digest([self.ask_support.signature.instructions, demos])

    async def aforward(self, conversation: Conversation, sentence: str) -> dspy.Prediction:
        """Prediction(score: SentenceScore, raw: float | None); `raw` is the score before calibration.

        Raises ModelError when the model answers neither yes nor no.
        """
        raw, word = await self._raw(conversation, sentence)
        if raw is None:
            return dspy.Prediction(score=SentenceScore(sentence=sentence, flagged=word == "no"), raw=None)
        score = raw if self.calibration is None else self.calibration.apply(raw)
        flagged = score >= self.threshold if self.calibration or raw != NEUTRAL else word == "no"
        return dspy.Prediction(score=SentenceScore(sentence=sentence, flagged=flagged, score=score), raw=raw)

    async def _raw(self, conversation: Conversation, sentence: str) -> tuple[float | None, str]:
        """(score, word): the score from log-probabilities, or from samples; None with neither."""
        if self.logprobs or self.samples == 1:
            answer = await self._ask(conversation, sentence)
            if answer.probability is not None or self.samples == 1:
                return (None if answer.probability is None else 1 - answer.probability), answer.supported
        answers = [await self._ask(conversation, sentence, number) for number in range(1, self.samples + 1)]
        share = sum(answer.supported == "no" for answer in answers) / self.samples
        return share, "no" if share >= NEUTRAL else "yes"

    async def _ask(self, conversation: Conversation, sentence: str, sample: int = 0) -> dspy.Prediction:
        with dspy.context(adapter=SupportAdapter()):
            return await ask(
                self.ask_support,
                retries=self.retries,
                sample=sample,
                conversation=conversation.as_numbered_text(),
                sentence=sentence,
            )


def support_of(score: SentenceScore) -> float:
    """The probability that the conversation supports the sentence; without a score that of the word, 1 or 0."""
    return float(not score.flagged) if score.score is None else 1 - score.score


class SupportRow(Record):
    """A sentence of a labelled summary: its raw score, None where the model gives none, and whether it is wrong.

    `wrong` means that the quote of a labelled error overlaps the sentence.
    """

    conversation_id: str
    sentence: str
    score: float | None
    wrong: bool


async def support_rows(support: SentenceSupport, examples: Iterable[LabeledExample]) -> list[SupportRow]:
    """A row for each sentence of each labelled summary, in order. Raises ModelError for an answer of no use."""
    rows = []
    for example in examples:
        wrong = notes_by_sentence(example.summary, example.errors)
        for index, sentence in enumerate(split_sentences(example.summary)):
            answer = await support.acall(conversation=example.conversation, sentence=sentence)
            rows.append(
                SupportRow(
                    conversation_id=example.conversation.id, sentence=sentence, score=answer.raw, wrong=index in wrong
                )
            )
    return rows


def calibration_of(rows: Sequence[SupportRow], support: SentenceSupport) -> Calibration:
    """The calibration that these rows give for the model and the wording of the support question.

    Raises DataError without scores, or without both kinds of sentence.
    """
    model = support.ask_support.lm.model
    scored = [(row.score, row.wrong) for row in rows if row.score is not None]
    if not scored:
        raise DataError(
            f"{model} gives no scores to calibrate: set models.analyst.logprobs to true if its endpoint gives "
            "log-probabilities, else analyze.samples to more than 1"
        )
    scores, labels = [score for score, _ in scored], [wrong for _, wrong in scored]
    return fit_calibration(scores, labels, model=model, prompt=support.prompt_digest())


def summary_score(scores: Iterable[float | None]) -> float | None:
    """The score of a whole summary: that of its worst sentence, 1 - min p(yes); None where no sentence has one."""
    return max((score for score in scores if score is not None), default=None)

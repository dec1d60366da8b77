"""Whether a conversation supports a sentence: a word, and a score where the model gives one."""

from __future__ import annotations

import dspy

from arf_programs.calibration import Calibration
from arf_programs.fingerprint import digest
from arf_programs.programs.ask import ask
from arf_programs.programs.support_adapter import SupportAdapter
from signatures.records import Conversation, SentenceScore
from signatures.support_sentence import SupportSentence

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

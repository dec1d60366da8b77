"""The ways of asking that `questions.py` compares. Each gives the suspicion that a sentence is wrong, as a logit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from arf_programs.checks import Material
from arf_programs.config import Kind
from arf_programs.planting.choose import find_changes_of
from arf_programs.programs.analysis.support import support_text
from signatures.records import Conversation
from signatures.support_sentence import SupportSentence

_NEAREST: Final = 4
_SWAPS: Final = 1
_SYSTEM: Final = SupportSentence.instructions
Messages = tuple[tuple[str, str], ...]
"""(role, text) of each message."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a summary, and where it stands there."""

    conversation: Conversation
    summary: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The sentence itself."""
        return self.summary[self.start : self.end]


@dataclass(frozen=True)
class Prompt:
    """A question, and the two words of which one is the answer."""

    messages: Messages
    words: tuple[str, str] = ("yes", "no")


@dataclass(frozen=True)
class Form:
    """A way of asking: its prompts about a sentence, and the suspicion from the log-odds of their first words."""

    prompts: Callable[[Sentence], list[Prompt]]
    suspicion: Callable[[Sequence[float]], float]


def _ask(user: str, *shown: tuple[str, str]) -> Prompt:
    return Prompt((("system", _SYSTEM), *shown, ("user", user)))


def _talk(sentence: Sentence) -> str:
    return sentence.conversation.as_numbered_text()


def whole(sentence: Sentence) -> list[Prompt]:
    """The support question as it is, with the whole conversation."""
    return [_ask(support_text(_talk(sentence), sentence.text))]


def evidence(sentence: Sentence) -> list[Prompt]:
    """The support question with the turns that share most words with the sentence."""
    material = Material(sentence.conversation, sentence.summary)
    everything = set(range(1, len(material.conversation.turns) + 1))
    turns = material.nearest_turns(everything, sentence.start, most=_NEAREST)
    shown = "\n".join(f"[{turn}] {sentence.conversation.show_turn(turn)}" for turn in turns)
    return [_ask(support_text(shown, sentence.text))]


def less_prior(sentence: Sentence) -> list[Prompt]:
    """The support question, and the same without any conversation (Zhao et al. 2021, arXiv 2102.09690)."""
    return [*whole(sentence), _ask(support_text("(not shown)", sentence.text))]


_JOINT: Final = re.compile(r",? (?:and|but|while|because|so that|although|after|before) |; |, (?:who|which|where) ")
_LEAST_WORDS: Final = 4


def claims_of(sentence: str) -> list[str]:
    """Split a sentence at conjunctions into pieces of at least four words."""
    found: list[str] = []
    last = 0
    for match in _JOINT.finditer(sentence):
        enough = all(
            len(part.split()) >= _LEAST_WORDS for part in (sentence[last : match.start()], sentence[match.end() :])
        )
        if enough:
            found.append(sentence[last : match.start()])
            last = match.end()
    return [*found, sentence[last:]]


def claims(sentence: Sentence) -> list[Prompt]:
    """The support question about each claim of the sentence."""
    return [_ask(support_text(_talk(sentence), claim)) for claim in claims_of(sentence.text)]


_REVERSE: Final = "Is anything in this sentence wrong or not said in the conversation? Answer with one word, yes or no."
_TRUE: Final = "Is this sentence true? Answer with one word, yes or no."


def phrasings(sentence: Sentence) -> list[Prompt]:
    """Three wordings, the last of which asks the reverse."""
    opening = f"Conversation:\n{_talk(sentence)}\n\nSentence of the summary:\n{sentence.text}\n\n"
    return [*whole(sentence), _ask(opening + _TRUE), _ask(opening + _REVERSE)]


_SHOWN_TALK: Final = (
    "[1] Customer: Hello, the toaster that I bought on 3 May does not heat. The order is 7741.\n"
    "[2] Agent: I am sorry. Would you like a new one or the 24 euros back?\n"
    "[3] Customer: A new one, please.\n[4] Agent: Done. It leaves tomorrow and arrives within 4 days."
)
_SHOWN: Final = (
    ("The customer wrote that a toaster bought on 3 May did not heat.", "yes"),
    ("The agent gave the customer 24 euros back.", "no"),
    ("The customer chose a new toaster, which arrives within 4 days.", "yes"),
    ("The agent asked for a new toaster.", "no"),
)


def few_shot(sentence: Sentence) -> list[Prompt]:
    """The support question after four answered ones about an invented conversation."""
    shown = [
        message for text, word in _SHOWN for message in (("user", support_text(_SHOWN_TALK, text)), ("assistant", word))
    ]
    return [_ask(support_text(_talk(sentence), sentence.text), *shown)]


def swaps_of(sentence: Sentence) -> list[str]:
    """The sentence with one thing changed: a value of the conversation, the speaker, a negation, an opposite verb."""
    material = Material(sentence.conversation, sentence.summary)
    kinds: tuple[Kind, ...] = ("number", "amount", "date", "name", "action", "negation", "speaker")
    swapped: dict[str, str] = {}
    for change in find_changes_of(material, kinds, sentence.text):
        inside = sentence.start <= change.start and change.end <= sentence.end
        if inside and change.origin != "invented":
            a, b = change.start - sentence.start, change.end - sentence.start
            swapped.setdefault(change.kind, sentence.text[:a] + change.wrong + sentence.text[b:])
    return list(swapped.values())[:_SWAPS]


_PAIR: Final = (
    "Conversation:\n{talk}\n\nStatement A:\n{a}\n\nStatement B:\n{b}\n\n"
    "Which of the two statements does the conversation support? Answer with one letter, A or B."
)


def contrast(sentence: Sentence) -> list[Prompt]:
    """Which of the sentence and its swapped version the conversation supports, asked in both orders."""
    pairs = [pair for swap in swaps_of(sentence) for pair in ((sentence.text, swap), (swap, sentence.text))]
    texts = [_PAIR.format(talk=_talk(sentence), a=a, b=b) for a, b in pairs]
    return [Prompt((("system", _SYSTEM.split("\n")[0]), ("user", text)), ("A", "B")) for text in texts]


def _contrasted(odds: Sequence[float]) -> float:
    return max([(behind - ahead) / 2 for ahead, behind in zip(odds[::2], odds[1::2], strict=True)], default=0.0)


def difference(sentence: Sentence) -> list[Prompt]:
    """The support question about the sentence and about its swapped versions."""
    return [_ask(support_text(_talk(sentence), text)) for text in (sentence.text, *swaps_of(sentence))]


FORMS: Final[Mapping[str, Form]] = {
    "whole": Form(whole, lambda odds: -odds[0]),
    "evidence": Form(evidence, lambda odds: -odds[0]),
    "less prior": Form(less_prior, lambda odds: odds[1] - odds[0]),
    "claims": Form(claims, lambda odds: -min(odds)),
    "phrasings": Form(phrasings, lambda odds: (odds[2] - odds[1] - odds[0]) / 3),
    "few-shot": Form(few_shot, lambda odds: -odds[0]),
    "contrast": Form(contrast, _contrasted),
    "difference": Form(difference, lambda odds: max([swap - odds[0] for swap in odds[1:]], default=0.0)),
}

_TOGETHER: Final = (
    ("whole", "evidence"),
    ("whole", "contrast"),
    ("evidence", "contrast"),
    ("whole", "evidence", "contrast"),
    ("phrasings", "contrast"),
)


def means(scores: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """The means of the standardised scores of forms that were asked together."""
    made = {}
    for names in _TOGETHER:
        if all(name in scores for name in names):
            columns = [_standardised(scores[name]) for name in names]
            made[" + ".join(names)] = [sum(row) / len(row) for row in zip(*columns, strict=True)]
    return made


def _standardised(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5 or 1.0
    return [(value - mean) / spread for value in values]

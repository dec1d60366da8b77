"""The check of speakers: a sentence credits one side with what the other side said."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final, Literal, NamedTuple

from arf_programs.checks.finding import Finding, Material
from arf_programs.text import stem_words, word_set

Side = Literal["customer", "agent"]

LEAST_MARGIN: Final = 4.0
"""How much more of a sentence the best turn of the other side has to hold. A word that one turn of eight has weighs
2.2, one that half of them have weighs 1.1. Measured on 895 human references of 300 TweetSumm threads: 4 references
(0.4%) are over this margin, and 44% of their 1,708 sentences with customer and agent exchanged."""

_AGENT: Final = re.compile(
    r"agent|bot|rep|support|assistant|advis|operator|sales|staff|service|specialist", re.IGNORECASE
)
_CUSTOMER: Final = re.compile(r"customer|client|user|caller|guest|patient|buyer|member", re.IGNORECASE)
_SUBJECT: Final = re.compile(
    r"\W*(?:\w+,? ){0,3}?(?:the |a |an )?"
    r"(?:(?P<customer>customer|client|user|caller)|(?P<agent>agent|bot|chatbot|representative|advisor))s?\b(?!['’])",
    re.IGNORECASE,
)
_ADDRESSED: Final = word_set(
    "to with by for from of between help thank assist contact guide let give gave send sent tell told ask asked "
    "inform informed advise advised request requested assure assured remind reminded offer offered"
)
"""What stands before a side that is no subject: "Thanked the customer"."""
_IS_TOLD: Final = re.compile(
    r" (?:is|was|were|are|has been|had been|have been|been|being|gets|got) (?:(?:\w+ly|then|also|later|again|now) )*"
    r"(?:told|asked|informed|advised|offered|suggested|requested|instructed|assured|directed|recommended|reminded|"
    r"promised|provided|given|sent|updated|guided|encouraged|urged|invited|warned)\b",
    re.IGNORECASE,
)
_STATES: Final = re.compile(
    r" (?:(?:also|then|first|later|again|finally|further|and|has|had|have|\w+ly|(?:is|was|are|were|been)(?= \w+ing)) )*"
    r"(?:sa(?:id|ys?|ying)|t(?:old|ells?|elling)|stat(?:es?|ed|ing)|add(?:s|ed|ing)|not(?:es|ed|ing)|repl(?:y|ies|ied)|"
    r"(?:explain|report|mention|promis|offer|inform|advis|suggest|respond|updat|claim|assur|recommend|request|ask|apologi[sz]|"
    r"instruct|remind|provid|answer|clarif|warn|urg|invit|direct|guid|describ|question|insist|argu|admit|encourag)\w*)\b",
    re.IGNORECASE,
)
_NEXT_CLAUSE: Final = re.compile(
    r",? (?:who|which|whereas|while|but|and) (?:now |then |also )?(?:the |their |its |our )?(?:\w+ )?"
    r"(?:agent|customer|client|staff|team|company|airline|support|representative|it|he|she|they|we)\b"
    r"|, (?:who|which)\b|,? and (?:then |also )?\w+ed\b",
    re.IGNORECASE,
)


def check_speakers(material: Material) -> list[Finding]:
    """Report sentences that credit one side with what the other side said.

    A sentence is read if it begins with customer or agent, and a verb of saying follows. What a side did, and not said,
    may stand in the words of the other alone. What "the customer was told" is credited to the agent.

    A sentence is an error if its margin (`credit_margin`) is `LEAST_MARGIN` or more.
    """
    talk = _Sides(material)
    findings = []
    for start, end in material.sentences:
        credited = _credited(material.summary[start:end], said_only=True)
        if credited and talk.margin(*credited) >= LEAST_MARGIN:
            reason = f"Turn {talk.best(*credited)} of the other side says this, not the {credited.side}."
            findings.append(Finding("wrong_speaker", start, end, reason, "major", (talk.best(*credited),)))
    return findings


def credit_margin(material: Material, sentence: str) -> float:
    """Return how much more of a sentence the side has that it does not credit: 0 or more.

    Each word weighs `ln(1 + turns / turns that have it)`. The words of the sentence that a turn has are added up. The
    margin is the sum of the other side's best turn less that of the credited side. It is 0 if the sentence does not
    begin with customer or agent, and where speakers cannot be told to be customers and agents.
    """
    credited = _credited(sentence, said_only=False)
    return max(0.0, _Sides(material).margin(*credited)) if credited else 0.0


class _Credited(NamedTuple):
    """What a sentence credits a side with."""

    side: Side
    statement: str


class _Sides:
    """The turns of a conversation (from 1), whose they are, and their words. Turns of other speakers are left out."""

    def __init__(self, material: Material) -> None:
        self._sides: dict[int, Side] = {}
        for number, turn in enumerate(material.conversation.turns, start=1):
            if _CUSTOMER.search(turn.speaker):
                self._sides[number] = "customer"
            elif _AGENT.search(turn.speaker):
                self._sides[number] = "agent"
        self._words = {number: frozenset(stem_words(material.texts[number - 1])) for number in self._sides}
        self._counts = Counter(stem for words in self._words.values() for stem in words)

    def margin(self, side: Side, statement: str) -> float:
        """Return the margin of a statement (see `credit_margin`), below 0 if the credited side has more of it."""
        if len(set(self._sides.values())) < 2:
            return 0.0
        held = self._held(statement)
        own = max(held[number] for number, whose in self._sides.items() if whose == side)
        return held[self.best(side, statement)] - own

    def best(self, side: Side, statement: str) -> int:
        """Return the turn of the other side that has most of a statement, the first of equal ones."""
        held = self._held(statement)
        others = [number for number, whose in self._sides.items() if whose != side]
        return max(others, key=lambda number: (held[number], -number))

    def _held(self, statement: str) -> dict[int, float]:
        stems = {stem for stem in stem_words(statement) if self._counts[stem]}
        weights = {stem: math.log(1 + len(self._words) / self._counts[stem]) for stem in sorted(stems)}
        return {number: math.fsum(weights[stem] for stem in stems & words) for number, words in self._words.items()}


def _credited(sentence: str, *, said_only: bool) -> _Credited | None:
    """Return the side that a sentence credits with its words; with `said_only` only where it is a verb of saying."""
    subject = _SUBJECT.match(sentence)
    if subject is None or _ADDRESSED & set(sentence[: subject.end()].lower().split()):
        return None
    side: Side = "customer" if subject["customer"] else "agent"
    rest = sentence[subject.end() :]
    following = _NEXT_CLAUSE.search(rest)
    rest = rest[: following.start()] if following else rest
    if _IS_TOLD.match(rest):
        return _Credited("agent" if side == "customer" else "customer", rest)
    return _Credited(side, rest) if not said_only or _STATES.match(rest) else None

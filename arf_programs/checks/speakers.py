"""The check of speakers: a sentence credits one side with what the other side said."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from arf_programs.checks.finding import Finding, Material
from arf_programs.text import stem_word, stem_words, word_set

Side = Literal["customer", "agent"]

LEAST_MARGIN: Final = 3.0
"""How much more of a sentence the best turn of the other side has to hold. A word that one turn of eight has weighs
2.2, one that half of them have weighs 1.1. Measured on 884 human references of TweetSumm by `bench/check_alarms.py`: 2
references (0.2%) are over this margin, and 39% of 858 sentences with customer and agent exchanged."""

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
_ASKS: Final = re.compile(r"\b(?:ask|question)", re.IGNORECASE)
_REPORTS: Final = re.compile(
    r"\b(?:told|tell(?:s|ing)?|said|says?|saying|offered|informed|advised|promised|asked|stat(?:es?|ed|ing)|suggest\w*|"
    r"recommend\w*|claim\w*|reply|replied|instruct\w*|assured)\b",
    re.IGNORECASE,
)
"""In a turn that says so, a person repeats what somebody said: "I was told to wait"."""
_NEXT_CLAUSE: Final = re.compile(
    r",? (?:who|which|whereas|while|but|and) (?:now |then |also )?(?:the |their |its |our )?(?:\w+ )?"
    r"(?:agent|customer|client|staff|team|company|airline|support|representative|it|he|she|they|we)\b"
    r"|, (?:who|which)\b|,? and (?:then |also )?\w+ed\b",
    re.IGNORECASE,
)


def check_speakers(material: Material) -> list[Finding]:
    """Report sentences that credit one side with what the other side said.

    A sentence is read if it begins with customer or agent, and a verb of saying follows. What a side did, and not said,
    may stand in the words of the other alone, and so may what an agent asked: the customer's answer has it. What "the
    customer was told" is credited to the agent, but for what the customer repeats of somebody ("They said that ...").

    Each word weighs `ln(1 + turns / turns that have it)`, and function words weigh nothing. The words of the sentence
    that a turn has are added up. A sentence is an error if the best turn of the other side has at least `LEAST_MARGIN`
    more than the best turn of the credited side. Nothing is reported where speakers cannot be told to be customers and
    agents.
    """
    sides = _sides(material)
    if len(set(sides.values())) < 2:
        return []
    hollow = _hollow_stems()
    words = {number: frozenset(stem_words(material.texts[number - 1])) - hollow for number in sides}
    counts = Counter(stem for stems in words.values() for stem in stems)
    findings = []
    for start, end in material.sentences:
        credited = _credited(material.summary[start:end])
        if credited is None:
            continue
        stems = sorted(set(stem_words(credited.statement)) & counts.keys())
        held = {
            number: math.fsum(math.log(1 + len(words) / counts[stem]) for stem in stems if stem in known)
            for number, known in words.items()
        }
        own = max(held[number] for number, side in sides.items() if side == credited.side)
        best = max((n for n, side in sides.items() if side != credited.side), key=lambda n: (held[n], -n))
        is_repeated = credited.is_told and _REPORTS.search(material.texts[best - 1])
        if held[best] - own >= LEAST_MARGIN and not is_repeated:
            reason = f"Turn {best} of the other side says this, not the {credited.side}."
            findings.append(Finding("wrong_speaker", start, end, reason, "major", (best,)))
    return findings


@lru_cache(maxsize=1)
def _hollow_stems() -> frozenset[str]:
    """Return the stems of words that tell nothing about who spoke: the stop words of bm25s, sides, verbs of asking."""
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    further = (
        "also customer client user agent said says told tell asked please help need needed want wanted use used using"
    )
    return frozenset(map(stem_word, [*STOPWORDS_EN_PLUS, *further.split()]))


def _sides(material: Material) -> dict[int, Side]:
    """Return whose the turns (from 1) are. Turns of other speakers are left out."""
    sides: dict[int, Side] = {}
    for number, turn in enumerate(material.conversation.turns, start=1):
        if _CUSTOMER.search(turn.speaker):
            sides[number] = "customer"
        elif _AGENT.search(turn.speaker):
            sides[number] = "agent"
    return sides


class _Credited(NamedTuple):
    """The side that a sentence credits with having said something, and what it said.

    `is_told` says that the sentence is about the other side, which was told it.
    """

    side: Side
    statement: str
    is_told: bool


def _credited(sentence: str) -> _Credited | None:
    """Read who said what; None if a sentence does not begin with a side, or if no verb of saying follows."""
    subject = _SUBJECT.match(sentence)
    if subject is None or _ADDRESSED & set(sentence[: subject.end()].lower().split()):
        return None
    side: Side = "customer" if subject["customer"] else "agent"
    rest = sentence[subject.end() :]
    following = _NEXT_CLAUSE.search(rest)
    rest = rest[: following.start()] if following else rest
    if _IS_TOLD.match(rest):
        return _Credited("agent" if side == "customer" else "customer", rest, is_told=True)
    states = _STATES.match(rest)
    if states is None or (side == "agent" and _ASKS.search(states.group())):
        return None
    return _Credited(side, rest, is_told=False)

"""The check of speakers: a statement is credited to one side, but only the other side made it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import zip_longest
from typing import Final

from arf_programs.checks.finding import Finding, Material, find_words
from arf_programs.text import word_set

LEAST_WORDS: Final = 3
"""Fewest words of an error that only the other side used."""

_AGENT: Final = re.compile(
    r"agent|bot|rep|support|assistant|advis|operator|sales|staff|service|specialist", re.IGNORECASE
)
_CUSTOMER: Final = re.compile(r"customer|client|user|caller|guest|patient|buyer|member", re.IGNORECASE)
_ROLE: Final = re.compile(
    r"\b(?:(?P<customer>customer|client|user|caller)|(?P<agent>agent|bot|chatbot|representative|advisor))s?\b(?!['’])",
    re.IGNORECASE,
)
_STATES: Final = re.compile(
    r" (?:(?:also|then|first|later|has|had|and|again|finally|(?:is|was)(?= \w+ing)) )*"
    r"(?:said|says|saying|stat(?:ed|es|ing)|explain(?:ed|s|ing)|told|tells|report(?:ed|s|ing)|complain(?:ed|s|ing)|"
    r"mention(?:ed|s|ing)|promis(?:ed|es|ing)|offer(?:ed|s|ing)|inform(?:ed|s|ing)|advis(?:ed|es|ing)|add(?:ed|s|ing)|"
    r"suggest(?:ed|s|ing)|repl(?:ied|ies|ying)|updat(?:ed|es|ing)|confirm(?:ed|s|ing)|claim(?:ed|s|ing)|assur(?:ed|es|ing))\b"
    r"(?P<statement>[^.!?\n]*)",
    re.IGNORECASE,
)
_ADDRESSED: Final = re.compile(
    r"\b(?:inform|tell|told|ask|advis|updat|request|confront|assur|remind|suggest|to|with|by|for|from)\w* "
    r"(?:the |a )?$",
    re.IGNORECASE,
)
_HOLLOW: Final = word_set(
    "that this with from have been were will would could should they them their there then than when what which while "
    "because about after before into your more also some such other only very customer agent client user issue issues "
    "asked asks said says told tells want wants wanted need needs needed please help thing things able make made using "
    "used just here back being does doing done still already over same first next under again"
)


def check_speakers(material: Material) -> list[Finding]:
    """Report statements that are credited to one side although only the other side used their words.

    The check reads clauses such as "The customer explained that ...". A clause is an error if at least `LEAST_WORDS` of
    its content words occur only in the other side's turns, and none in the turns of the credited side.
    """
    sides = _sides(material)
    if not all(sides.values()):
        return []
    spoken = {side: _spoken(material, turns) for side, turns in sides.items()}
    findings = []
    for start, end in material.sentences:
        for side, first, last in _statements(material.summary, start, end):
            other = "agent" if side == "customer" else "customer"
            content = _content(material.summary[first:last])
            theirs = (content & spoken[other]) - spoken[side]
            if len(theirs) >= LEAST_WORDS and not content & spoken[side]:
                findings.append(_finding(material, start, end, side, theirs, sides[other]))
    return findings


def _finding(material: Material, start: int, end: int, side: str, theirs: set[str], turns: list[int]) -> Finding:
    shared = Counter({turn: len(theirs & _content(material.conversation.turns[turn - 1].text)) for turn in turns})
    evidence = tuple(sorted(turn for turn, count in shared.most_common(2) if count))
    reason = f"Only the other side said this, not the {side}."
    return Finding("wrong_speaker", start, end, reason, "major", evidence)


def _sides(material: Material) -> dict[str, list[int]]:
    """Sort the turns (from 1) of agents and customers. Other speakers are left out."""
    sides: dict[str, list[int]] = {"agent": [], "customer": []}
    for number, turn in enumerate(material.conversation.turns, start=1):
        if _CUSTOMER.search(turn.speaker):
            sides["customer"].append(number)
        elif _AGENT.search(turn.speaker):
            sides["agent"].append(number)
    return sides


def _spoken(material: Material, turns: list[int]) -> set[str]:
    return set().union(*(_content(material.conversation.turns[turn - 1].text) for turn in turns))


def _statements(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """Find what the sentence credits to a side, as `(side, start, end)`, up to the next mention of a side."""
    roles = list(_ROLE.finditer(text, start, end))
    statements = []
    for role, following in zip_longest(roles, roles[1:]):
        states = _STATES.match(text, role.end(), end)
        if states and not _ADDRESSED.search(text, start, role.start()):
            last = following.start() if following else states.end()
            statements.append(("customer" if role["customer"] else "agent", states.start("statement"), last))
    return [(side, first, last) for side, first, last in statements if first < last]


def _content(text: str) -> set[str]:
    """Return the stems of the content words of `text`."""
    return {_stem(word) for word in find_words(text) if (len(word) > 3 or word.isdecimal()) and word not in _HOLLOW}


def _stem(word: str) -> str:
    """Cut a common ending off and keep at most five letters: a crude stem."""
    return re.sub(r"(?:'s|ing|ies|ied|ed|es|s|e|y)$", "", word)[:5]

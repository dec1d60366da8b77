"""Signs that a sentence is wrong. They need no model, and a calibration may weigh them beside a model's score."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from arf_programs.checks import Material, run_checks
from arf_programs.text import stem_words
from arf_programs.values import Talk, find_values, read_talk, same_value
from signatures.records import Conversation

_MOST: Final = 2.0
_SPAN: Final = 3  # turns that are read together: a question, its answer, and what follows
_NOT: Final = re.compile(r"\b(?:not|no|never|cannot|without|unable|nobody|nothing)\b|n['’]t\b", re.IGNORECASE)


SIGNS: Final = ("checks", "unsupported", "scattered", "apart", "negation")
"""The names of the signs."""


def read_signs(conversation: Conversation, sentence: str) -> dict[str, float]:
    """Return the signs of a sentence, which are about its relation to the conversation.

    - `checks`: errors that the checks quote in it, at most two
    - `unsupported`: the share of the words that it has from the conversation which the best turn lacks, rare ones
      counting more
    - `scattered`: the same for the best three turns in a row
    - `apart`: the share of its values whose turns share no other word with it
    - `negation`: whether just one of the sentence and its best turn has a "not"
    """
    material = Material(conversation, sentence)
    talk = read_talk(conversation.turns)
    known = {stem for stem in stem_words(sentence) if talk.weight(stem) and any(stem in turn for turn in talk.stems)}
    shares = [_weight(talk, known & turn) / (_weight(talk, known) or 1.0) for turn in talk.stems]
    spans = [frozenset().union(*talk.stems[place : place + _SPAN]) for place in range(len(talk.stems))]
    together = max((_weight(talk, known & span) / (_weight(talk, known) or 1.0) for span in spans), default=0.0)
    best = max(range(len(shares)), key=lambda place: shares[place]) if any(shares) else None
    notes = sum(bool(note.quote) for note in run_checks(conversation, sentence))
    return {
        "checks": min(_MOST, float(notes)),
        "unsupported": 1 - max(shares, default=0.0),
        "scattered": 1 - together,
        "apart": _apart(material, talk, known),
        "negation": float(best is not None and _is_negated(sentence) != _is_negated(material.texts[best])),
    }


def _weight(talk: Talk, stems: Collection[str]) -> float:
    return sum(talk.weight(stem) for stem in sorted(stems))


def _apart(material: Material, talk: Talk, known: Collection[str]) -> float:
    values = find_values(material.summary, people=talk.people)
    if not values:
        return 0.0
    apart = 0
    for value in values:
        turns = {item.turn for items in talk.values for item in items if same_value(value, item.value)}
        others = set(known) - set(stem_words(value.whole or value.text))
        apart += not any(others & talk.stems[turn] for turn in turns)
    return apart / len(values)


def _is_negated(text: str) -> bool:
    return bool(_NOT.search(text))

"""The check of form: sentences that come twice, and phrases repeated in a loop."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from arf_programs.checks.finding import Finding, Material, words

SAME_SHARE: Final = 0.9
"""Sentences whose words agree to this share (difflib ratio) are the same."""

_LEAST_WORDS: Final = 4
_LOOP: Final = re.compile(
    r"\b(?P<unit>(?:[\w$€£'’.-]+[,;]?\s+){0,7}[\w$€£'’.-]+)(?:[,;]?\s+(?:and\s+)?(?P=unit)\b){2,}", re.IGNORECASE
)


def check_repetition(material: Material) -> list[Finding]:
    """Sentences that say the same as an earlier one in nearly the same words, and phrases three times in a row."""
    return [*_sentences(material), *_loops(material)]


def _sentences(material: Material) -> list[Finding]:
    found = []
    earlier: list[list[str]] = []
    for start, end in material.sentences:
        said = words(material.summary[start:end])
        if len(said) >= _LEAST_WORDS and any(_same(said, other) for other in earlier):
            reason = "The sentence repeats an earlier one."
            found.append(Finding("repetition", start, end, reason, "minor"))
        earlier.append(said)
    return found


def _same(one: list[str], other: list[str]) -> bool:
    """Whether two sentences have the same words, numbers included, up to `SAME_SHARE`."""
    if _digits(one) != _digits(other):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= SAME_SHARE and matcher.ratio() >= SAME_SHARE


def _digits(said: list[str]) -> list[str]:
    return [word for word in said if any(char.isdigit() for char in word)]


def _loops(material: Material) -> list[Finding]:
    reason = "The same words are repeated in a loop."
    return [
        Finding("repetition", match.start(), match.end(), reason, "major")
        for match in _LOOP.finditer(material.summary)
        if not match["unit"].isdecimal()
    ]

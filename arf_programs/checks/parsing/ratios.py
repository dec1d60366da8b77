"""Ratios and shares in a text, as pairs of numbers: "4 out of 5", "two thirds", "1 in 10", "3/4", "4 stars"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from arf_programs.checks.parsing.number_words import find_number_words

_PARTS: Final = {
    **{"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5},
    **{"sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10},
}
_SHARE: Final = re.compile(
    rf"\b(?:(?P<count>an?|\d|one|two|three|four|five|six|seven|eight|nine)[ -])?(?P<part>{'|'.join(_PARTS)})s?\b",
    re.IGNORECASE,
)
_RATIO: Final = re.compile(
    r"\b(?P<a>\d\d?|[a-z]+) (?:out of|of|in)(?: every| the| my| our)? (?P<b>\d\d?|[a-z]+)\b"
    r"|(?<![\w/.])(?P<a2>\d\d?)/(?P<b2>\d\d?)(?![\w/])",
    re.IGNORECASE,
)
_STARS: Final = re.compile(r"\b(?P<count>[1-5]|one|two|three|four|five)(?:[ -]stars?\b|\*)", re.IGNORECASE)
_MOST_STARS: Final = 5


def find_ratios(text: str) -> set[tuple[int, int]]:
    """Find the ratios in `text`. The first number is not larger than the second."""
    return {(one, other) for one, other in _read(text) if one <= other}


def _read(text: str) -> Iterator[tuple[int, int]]:
    for match in _SHARE.finditer(text):
        yield _number((match["count"] or "one").lower()), _PARTS[match["part"].lower()]
    for match in _STARS.finditer(text):
        yield _number(match["count"]), _MOST_STARS
    for match in _RATIO.finditer(text):
        one, other = (_number(match[name] or match[f"{name}2"]) for name in ("a", "b"))
        if one and other:
            yield one, other


def _number(word: str) -> int:
    """Return a number in digits or in one word; 0 if it is none."""
    if word.isdecimal():
        return int(word)
    if word in ("a", "an"):
        return 1
    found = find_number_words(word)
    return int(found[0].value) if len(found) == 1 and found[0].counts else 0

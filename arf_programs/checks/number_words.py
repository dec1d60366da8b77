"""Numbers written as words: "twenty-five", "two hundred and ten", "a dozen"."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS: Final = {
    word: value
    for value, word in enumerate(
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"], start=1
    )
}
_SCALES: Final = {"hundred": 100.0, "thousand": 1000.0, "grand": 1000.0, "million": 1_000_000.0}
_SINGLE: Final = {"once": 1, "twice": 2, "thrice": 3, "couple": 2, "both": 2, "pair": 2, "double": 2, "triple": 3}
_SMALL: Final = {
    **{word: float(value) for value, word in enumerate(_UNITS.split())},
    **{word: 10.0 * value for value, word in enumerate(_TENS.split(), start=2)},
    "dozen": 12.0,
}
_PART: Final = "|".join(sorted([*_SMALL, *_SCALES], key=len, reverse=True))
_RUN: Final = re.compile(rf"\b(?:{_PART})(?:(?:[ -]| and )(?:{_PART}))*\b", re.IGNORECASE)
_LONE: Final = re.compile(rf"\b(?:{'|'.join([*_SINGLE, *_ORDINALS])})\b", re.IGNORECASE)


class NumberWord(NamedTuple):
    """A number in words at `start:end`; `counts` is false for "first", "twice", "both" and their like."""

    value: float
    start: int
    end: int
    counts: bool


def number_words(text: str) -> list[NumberWord]:
    """The numbers that `text` spells out. A list of digits ("one two five") is several numbers."""
    found: list[NumberWord] = []
    for run in _RUN.finditer(text):
        found.extend(_numbers(run))
    single = {**_SINGLE, **_ORDINALS}
    for lone in _LONE.finditer(text):
        found.append(NumberWord(float(single[lone.group().lower()]), lone.start(), lone.end(), counts=False))
    return sorted(found, key=lambda number: number.start)


def _numbers(run: re.Match[str]) -> list[NumberWord]:
    """The numbers in a run of number words, cut wherever two words cannot be one number ("two five")."""
    found: list[NumberWord] = []
    value, start, end, last = 0.0, run.start(), run.start(), None
    for word in re.finditer(rf"{_PART}", run.group(), re.IGNORECASE):
        part = word.group().lower()
        place = run.start() + word.start()
        if last is not None and not _continues(last, part):
            found.append(NumberWord(value, start, end, counts=True))
            value, start = 0.0, place
        value = _add(value, part)
        end, last = run.start() + word.end(), part
    found.append(NumberWord(value, start, end, counts=True))
    return found


def _continues(last: str, part: str) -> bool:
    if part in _SCALES or part == "dozen" or last in _SCALES:
        return True
    return last in _TENS.split() and _SMALL[part] < 10


def _add(value: float, part: str) -> float:
    """The number so far with one more word: scales multiply what came since the last larger scale."""
    if part == "dozen":
        return max(value, 1.0) * 12
    if part not in _SCALES:
        return value + _SMALL[part]
    scale = _SCALES[part]
    low = value % (scale * 1000) if scale == 100 else value
    high = value - low
    return high + max(low, 1.0) * scale

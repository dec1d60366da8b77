"""Numbers in words: "twenty-five", "half a dozen", "two and a half lakh", and digits that are read out one by one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.checks.units import SCALES


def _listed(words: str) -> list[str]:
    return words.split()


_UNITS: Final = _listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = _listed("twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS: Final = {
    word: value
    for value, word in enumerate(
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"], start=1
    )
}
_SINGLE: Final = {"once": 1, "twice": 2, "thrice": 3, "couple": 2, "both": 2, "pair": 2, "double": 2, "triple": 3}
_SMALL: Final = {
    **{word: float(value) for value, word in enumerate(_UNITS)},
    **{word: 10.0 * value for value, word in enumerate(_TENS, start=2)},
    "dozen": 12.0,
    "fiver": 5.0,
    "tenner": 10.0,
}
_PART: Final = "|".join(sorted([*_SMALL, *(f"{scale}s?" for scale in SCALES)], key=len, reverse=True))
_RUN: Final = re.compile(rf"\b(?:{_PART})(?:(?:[ -]| and )(?:{_PART}))*\b", re.IGNORECASE)
_LONE: Final = re.compile(rf"\b(?:{'|'.join([*_SINGLE, *_ORDINALS])})\b", re.IGNORECASE)
_HALF_OF: Final = re.compile(r"\bhalf (?:an? )$", re.IGNORECASE)
HALF_MORE: Final = re.compile(rf" and a half\b(?: (?P<scale>{'|'.join(SCALES)})s?\b)?", re.IGNORECASE)
"""What may follow a number: "and a half", "and a half million"."""

_POINT: Final = re.compile(rf" point(?P<digits>(?:[ -](?:{'|'.join(_UNITS[:10])}|oh)\b)+)", re.IGNORECASE)


class NumberWord(NamedTuple):
    """A number in words at `start:end`. `counts` is false for words such as "first", "twice" and "both"."""

    value: float
    start: int
    end: int
    counts: bool


def find_number_words(text: str) -> list[NumberWord]:
    """Find the numbers in words. A list of digits ("one two five") is several numbers."""
    numbers: list[NumberWord] = []
    for run in _RUN.finditer(text):
        found = _numbers(run)
        numbers.extend([*found[:-1], _with_fraction(text, found[-1])])
        half = _HALF_OF.search(text, 0, run.start())
        if half:
            first = numbers[-len(found)]
            numbers[-len(found)] = first._replace(value=first.value / 2, start=half.start())
    single = {**_SINGLE, **_ORDINALS}
    for lone in _LONE.finditer(text):
        numbers.append(NumberWord(float(single[lone.group().lower()]), lone.start(), lone.end(), counts=False))
    return sorted(numbers, key=lambda number: number.start)


def _with_fraction(text: str, number: NumberWord) -> NumberWord:
    """Add "and a half" or "point five" where it follows."""
    half = HALF_MORE.match(text, number.end)
    if half:
        scale = SCALES[half["scale"].lower()] if half["scale"] else 1.0
        return number._replace(value=(number.value + 0.5) * scale, end=half.end())
    point = _POINT.match(text, number.end)
    if point:
        digits = "".join(_digit(word) for word in re.findall("[a-z]+", point["digits"].lower()))
        return number._replace(value=float(f"{number.value:.0f}.{digits}"), end=point.end())
    return number


def _digit(word: str) -> str:
    return "0" if word in ("oh", "o", "nought") else str(_UNITS.index(word))


def _numbers(run: re.Match[str]) -> list[NumberWord]:
    """Read the numbers in a run of number words. It is cut where two words cannot be one number ("two five")."""
    numbers: list[NumberWord] = []
    value, start, end, last = 0.0, run.start(), run.start(), None
    for word in re.finditer(rf"(?:{_PART})\b", run.group(), re.IGNORECASE):
        part = word.group().lower()
        part = part if part in _SMALL or part in SCALES else part.removesuffix("s")
        place = run.start() + word.start()
        if last is not None and not _continues(last, part):
            numbers.append(NumberWord(value, start, end, counts=True))
            value, start = 0.0, place
        value = _add(value, part)
        end, last = run.start() + word.end(), part
    numbers.append(NumberWord(value, start, end, counts=True))
    return numbers


def _continues(last: str, part: str) -> bool:
    if part in SCALES or part == "dozen" or last in SCALES:
        return True
    return last in _TENS and 0 < _SMALL[part] < 10


def _add(value: float, part: str) -> float:
    """Add one more word to the number so far. A scale multiplies all since the last larger scale."""
    if part == "dozen":
        return max(value, 1.0) * 12
    if part not in SCALES:
        return value + _SMALL[part]
    scale = SCALES[part]
    low = value % (scale * 1000) if scale == 100 else value
    high = value - low
    return high + max(low, 1.0) * scale


_DIGIT: Final = rf"(?:{'|'.join(_UNITS[:10])}|oh|nought|\d)"
_TOKEN: Final = (
    rf"(?:(?:double|triple)[ -]{_DIGIT}|(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_UNITS[1:10])}))?"
    rf"|{'|'.join(_UNITS[10:])}|{_DIGIT})"
)
_READ_OUT: Final = re.compile(
    rf"(?<![\w.,:/$€£-])(?:{_TOKEN}(?:(?:, ?|[ .-]){_TOKEN})+|triple[ -]{_DIGIT})(?![\w%]|[.,:/-]\d)", re.IGNORECASE
)
_TOKENS: Final = re.compile(rf"{_TOKEN}(?![^\W\d_])", re.IGNORECASE)


class ReadOut(NamedTuple):
    """Digits that are read out at `start:end`: "double four seven one" is `digits` 4471 in 3 `parts`: 44, 7, 1."""

    digits: str
    parts: tuple[str, ...]
    start: int
    end: int
    joined: bool
    """Only spaces and hyphens stand between the parts."""


def find_read_out(text: str) -> list[ReadOut]:
    """Find digits and pairs of digits that are read out, in words or one by one: "four four seven one", "4 4 7 1"."""
    found = []
    for match in _READ_OUT.finditer(text):
        parts = tuple(_spell(token.group().lower()) for token in _TOKENS.finditer(match.group()))
        found.append(ReadOut("".join(parts), parts, *match.span(), not re.search("[,.]", match.group())))
    return found


def _spell(token: str) -> str:
    """Return the digits of one part: "double four" is 44, "forty-four" is 44, "twelve" is 12."""
    words = re.split("[ -]", token)
    if words[0] in ("double", "triple"):
        digit = words[1] if words[1].isdigit() else _digit(words[1])
        return digit * (2 if words[0] == "double" else 3)
    if words[0] in ("oh", "nought"):
        return "0"
    return token if token.isdigit() else f"{sum(_SMALL[word] for word in words):.0f}"

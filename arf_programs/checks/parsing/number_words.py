"""Numbers in words: "twenty-five", "half a dozen", "two and a half lakh", and digits that are read out one by one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.checks.parsing.units import SCALES


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
_RUN: Final = re.compile(rf"\b(?:{_PART})(?:(?:[ -]| and (?!three quarters|two thirds))(?:{_PART}))*\b", re.IGNORECASE)
_LONE: Final = re.compile(rf"\b(?:{'|'.join([*_SINGLE, *_ORDINALS])})\b", re.IGNORECASE)
_HALF_OF: Final = re.compile(r"\bhalf (?:an? )$", re.IGNORECASE)
_ADDED: Final = {"a half": 0.5, "a quarter": 0.25, "a third": 0.333333, "three quarters": 0.75, "two thirds": 0.666667}
_THEN_SCALE: Final = rf"(?: (?P<scale>{'|'.join(SCALES)})s?\b)?"
_MORE: Final = re.compile(rf" and (?P<part>{'|'.join(_ADDED)})\b(?! of\b){_THEN_SCALE}", re.IGNORECASE)
_POINT: Final = re.compile(
    rf" ?\bpoint(?P<digits>(?:[ -](?:{'|'.join(_UNITS[:10])}|oh)\b)+){_THEN_SCALE}", re.IGNORECASE
)
_BEFORE_POINT: Final = re.compile(r"^|\b(?:nought|oh|is|was|just|only|about|by|of)(?= point)", re.IGNORECASE)
_SHARE_OF: Final = re.compile(
    rf"\b(?P<part>half|three[ -]quarters|quarter|couple)(?: of)?(?: an?)? (?P<scale>{'|'.join(SCALES)})\b",
    re.IGNORECASE,
)
_SHARES: Final = {"half": 0.5, "quarter": 0.25, "couple": 2.0}


class NumberWord(NamedTuple):
    """A number in words at `start:end`. `counts` is false for words such as "first", "twice" and "both"."""

    value: float
    start: int
    end: int
    counts: bool


def find_number_words(text: str) -> list[NumberWord]:
    """Find the numbers in words. A list of digits ("one two five") is several numbers."""
    numbers = _shares(text)
    taken = [(number.start, number.end) for number in numbers]
    for run in _RUN.finditer(text):
        if any(start < run.end() and run.start() < end for start, end in taken):
            continue
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


def _shares(text: str) -> list[NumberWord]:
    """Find "quarter of a million", and "point five" with no number before it."""
    found = [
        NumberWord(_SHARES.get(share["part"].lower(), 0.75) * _scale(share), *share.span(), counts=True)
        for share in _SHARE_OF.finditer(text)
    ]
    for before in _BEFORE_POINT.finditer(text):
        point = _POINT.match(text, before.end())
        if point:
            found.append(NumberWord(_decimals(0.0, point), point.start(), point.end(), counts=True))
    return found


def add_more(value: float, text: str, place: int) -> tuple[float, int]:
    """Add "and a half" or "and a quarter million" to a number that ends at `place`, and return its new end."""
    more = _MORE.match(text, place)
    return ((value + _ADDED[more["part"].lower()]) * _scale(more), more.end()) if more else (value, place)


def _scale(match: re.Match[str]) -> float:
    return SCALES[match["scale"].lower()] if match["scale"] else 1.0


def _decimals(whole: float, point: re.Match[str]) -> float:
    digits = "".join(_digit(word) for word in re.findall("[a-z]+", point["digits"].lower()))
    return round(float(f"{whole:.0f}.{digits}") * _scale(point), 6)


def _with_fraction(text: str, number: NumberWord) -> NumberWord:
    """Add "and a half" or "point five" where it follows."""
    point = _POINT.match(text, number.end)
    if point:
        return number._replace(value=_decimals(number.value, point), end=point.end())
    value, end = add_more(number.value, text, number.end)
    return number._replace(value=value, end=end)


def _digit(word: str) -> str:
    return "0" if word in ("oh", "o", "nought") else str(_UNITS.index(word))


def _numbers(run: re.Match[str]) -> list[NumberWord]:
    """Read the numbers in a run of number words. It is cut where two words cannot be one number ("two five")."""
    numbers: list[NumberWord] = []
    values: list[float] = []
    start, end, last = run.start(), run.start(), None
    for word in re.finditer(rf"(?:{_PART})\b", run.group(), re.IGNORECASE):
        part = word.group().lower()
        part = part if part in _SMALL or part in SCALES else part.removesuffix("s")
        if last is not None and not _continues(last, part):
            numbers.append(NumberWord(sum(values), start, end, counts=True))
            values, start = [], run.start() + word.start()
        _add(values, part)
        end, last = run.start() + word.end(), part
    return [*numbers, NumberWord(sum(values), start, end, counts=True)]


def _continues(last: str, part: str) -> bool:
    if part in SCALES or part == "dozen" or last in SCALES:
        return True
    return last in _TENS and 0 < _SMALL[part] < 10


def _add(values: list[float], part: str) -> None:
    """Add one more word to the parts of a number. A scale multiplies the smaller parts that stand before it."""
    scale = 12.0 if part == "dozen" else SCALES.get(part)
    if scale is None:
        values.append(_SMALL[part])
        return
    smaller = 0.0
    while values and values[-1] < scale:
        smaller += values.pop()
    values.append((smaller or 1.0) * scale)


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

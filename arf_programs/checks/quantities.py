"""Numbers in words ("twenty-five", "a dozen") and in digits, with their units ("$45", "three days", "10 %")."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
    """A number in words at `start:end`. `counts` is false for words such as "first", "twice" and "both"."""

    value: float
    start: int
    end: int
    counts: bool


def find_number_words(text: str) -> list[NumberWord]:
    """Find the numbers in words. A list of digits ("one two five") is several numbers."""
    numbers: list[NumberWord] = []
    for run in _RUN.finditer(text):
        numbers.extend(_numbers(run))
    single = {**_SINGLE, **_ORDINALS}
    for lone in _LONE.finditer(text):
        numbers.append(NumberWord(float(single[lone.group().lower()]), lone.start(), lone.end(), counts=False))
    return sorted(numbers, key=lambda number: number.start)


def _numbers(run: re.Match[str]) -> list[NumberWord]:
    """Read the numbers in a run of number words. It is cut where two words cannot be one number ("two five")."""
    numbers: list[NumberWord] = []
    value, start, end, last = 0.0, run.start(), run.start(), None
    for word in re.finditer(rf"{_PART}", run.group(), re.IGNORECASE):
        part = word.group().lower()
        place = run.start() + word.start()
        if last is not None and not _continues(last, part):
            numbers.append(NumberWord(value, start, end, counts=True))
            value, start = 0.0, place
        value = _add(value, part)
        end, last = run.start() + word.end(), part
    numbers.append(NumberWord(value, start, end, counts=True))
    return numbers


def _continues(last: str, part: str) -> bool:
    if part in _SCALES or part == "dozen" or last in _SCALES:
        return True
    return last in _TENS.split() and _SMALL[part] < 10


def _add(value: float, part: str) -> float:
    """Add one more word to the number so far. A scale multiplies all since the last larger scale."""
    if part == "dozen":
        return max(value, 1.0) * 12
    if part not in _SCALES:
        return value + _SMALL[part]
    scale = _SCALES[part]
    low = value % (scale * 1000) if scale == 100 else value
    high = value - low
    return high + max(low, 1.0) * scale


CURRENCIES: Final = {
    **dict.fromkeys(("$", "usd", "dollar", "dollars", "bucks", "us$"), "dollar"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "euro"),
    **dict.fromkeys(("£", "gbp", "quid", "pound", "pounds"), "pound"),
    **dict.fromkeys(("¥", "jpy", "yen"), "yen"),
    **dict.fromkeys(("₹", "inr", "rs", "rupee", "rupees"), "rupee"),
    **dict.fromkeys(("chf", "franc", "francs"), "franc"),
    **dict.fromkeys(("crown", "crowns"), "crown"),
    **dict.fromkeys(("cent", "cents", "pence"), "cent"),
}
DAYS: Final = {
    **{"second": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "night": 1.0, "week": 7.0},
    **{"fortnight": 14.0, "month": 30.0, "quarter": 90.0, "year": 360.0},
}
TIME_UNITS: Final = {
    **{form: unit for unit in DAYS for form in (unit, f"{unit}s")},
    **dict.fromkeys(("min", "mins"), "minute"),
    **dict.fromkeys(("hr", "hrs"), "hour"),
    **dict.fromkeys(("wk", "wks"), "week"),
    **dict.fromkeys(("yr", "yrs"), "year"),
    **dict.fromkeys(("sec", "secs"), "second"),
}
_PERCENT: Final = ("%", "percent", "pct")
_FILLERS: Final = r"(?:(?:business|working|calendar|full|whole|consecutive|more|extra|additional)[ -])?"
_SIGNS: Final = "$€£¥₹"
_DIGITS: Final = re.compile(
    rf"(?P<sign>(?:US|CA|AU)?[{_SIGNS}] ?|\b(?:USD|EUR|GBP|CHF|INR|Rs\.?) ?)?"
    r"(?<![\w.,])(?P<digits>\d{1,3}(?:\.\d{3})+,\d\d?|\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)"
    r"(?:(?P<scale>[kKmM]|bn)\b)?(?P<ordinal>(?:st|nd|rd|th)\b)?"
)
_UNIT: Final = re.compile(rf"[ -]?(?:(?P<sign>%|[{_SIGNS}])|per cent\b|{_FILLERS}(?P<word>[A-Za-z]+))")
_ARTICLE: Final = re.compile(
    r"\b(?P<half>half )?(?P<article>an?|one|per|each|every|this|next|another|single|full|whole)[ -]"
    r"(?P<unit>minute|hour|day|week|fortnight|month|year)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quantity:
    """A number at `start:end` of a text.

    `unit` is "" if there is none, else a currency of `CURRENCIES`, "%", a unit of `TIME_UNITS` or another word. `kind`
    is "money", "percent", "time" or "plain". `spelled` says that the number is in words. `counts` says that it is not
    an ordinal and no word such as "both" or "once". `also` holds other readings, such as 1200 for "1.200".
    """

    value: float
    unit: str
    kind: str
    start: int
    end: int
    spelled: bool = False
    counts: bool = True
    also: tuple[float, ...] = ()


def find_quantities(text: str) -> list[Quantity]:
    """Find the numbers in `text`, in digits or in words, in order. Their spans include sign and unit."""
    quantities = [_from_digits(match, text) for match in _DIGITS.finditer(text)]
    taken = [(item.start, item.end) for item in quantities]
    for word in find_number_words(text):
        if not any(start < word.end and word.start < end for start, end in taken):
            bare = Quantity(word.value, "", "plain", word.start, word.end, spelled=True, counts=word.counts)
            quantities.append(_with_unit(text, bare))
    return sorted(quantities, key=lambda item: item.start)


def find_indefinite_durations(text: str) -> list[tuple[float, str]]:
    """Find durations without a number, as `(value, unit)`: "an hour", "half a day", "per month"."""
    return [(0.5 if match["half"] else 1.0, match["unit"].lower()) for match in _ARTICLE.finditer(text)]


def read_number(digits: str) -> set[float]:
    """Return the possible values of a number. Comma and point may separate thousands or decimals ("1.200", "18,90")."""
    plain = re.sub(r"[\u00a0\u202f]", "", digits)
    values = {float(plain.replace(",", ""))} if re.fullmatch(r"[\d,]*\.?\d*", plain) else set()
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d\d?", plain):
        return {float(plain.replace(".", "").replace(",", "."))}
    if re.fullmatch(r"\d+,\d{1,2}", plain):
        values = {float(plain.replace(",", "."))}
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", plain):
        values.add(float(plain.replace(".", "")))
    return values


def convert_to_days(value: float, unit: str) -> float | None:
    """Convert a duration to days, so that "24 hours" equals "a day". None for other units.

    A night counts as a day, and a month as 30 days, so that a year is 360.
    """
    return value * DAYS[unit] if unit in DAYS else None


def _from_digits(match: re.Match[str], text: str) -> Quantity:
    scale = {"k": 1e3, "m": 1e6, "bn": 1e9}.get((match["scale"] or "").lower(), 1.0)
    value, *also = (reading * scale for reading in sorted(read_number(match["digits"])))
    end = max(match.end("digits"), match.end("scale"), match.end("ordinal"))
    if match["ordinal"]:
        return Quantity(value, "", "plain", match.start("digits"), end, counts=False)
    if match["sign"]:
        sign = re.sub(r"[ .]|^[A-Z]{2}(?=\W)", "", match["sign"])
        return Quantity(value, CURRENCIES[sign.lower()], "money", match.start(), end, also=tuple(also))
    return _with_unit(text, Quantity(value, "", "plain", match.start("digits"), end, also=tuple(also)))


def _with_unit(text: str, bare: Quantity) -> Quantity:
    """Add the unit that follows the quantity, if there is one."""
    after = _UNIT.match(text, bare.end)
    if after is None:
        return bare
    word = (after["word"] or after["sign"] or "%").lower()
    if word in _PERCENT:
        return replace(bare, unit="%", kind="percent", end=after.end())
    if word in CURRENCIES:
        return replace(bare, unit=CURRENCIES[word], kind="money", end=after.end())
    if word in TIME_UNITS:
        return replace(bare, unit=TIME_UNITS[word], kind="time", end=after.end())
    joined = text[bare.end : bare.end + 1].isalpha()
    return replace(bare, unit=word, end=after.end() if joined else bare.end)

"""Quantities: numbers in digits or in words, with their units ("$45", "45 USD", "three days", "10 %", "1.5 lakh")."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from arf_programs.checks.parsing.number_words import add_more, find_number_words
from arf_programs.checks.parsing.units import (
    AMBIGUOUS_SCALES,
    CURRENCIES,
    DAYS,
    EASTERN_SCALES,
    LETTER_SCALES,
    NATIONAL,
    PERCENT,
    SCALES,
    SIGN,
    SIGNS,
    TIME_UNITS,
    WITHOUT_CENTS,
    read_sign,
)

_FILLERS: Final = r"(?:(?:business|working|calendar|full|whole|consecutive|more|extra|additional)[ -])?"
_NATION: Final = rf"(?:(?P<nation>{'|'.join(re.escape(word) for word in NATIONAL)}) )?"
_LETTERS: Final = "|".join(sorted((scale for scale in LETTER_SCALES if len(scale) <= 3), key=len, reverse=True))
_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_EXPONENT: Final = r"(?:\^[+-]?\d{1,2}|⁻?[⁰¹²³⁴-⁹]{1,2})"
SCIENTIFIC: Final = rf"\d+(?:[.,]\d+)?(?:e[+-]?\d{{1,2}}| ?[x×*·] ?10{_EXPONENT})(?!\w|[.,]\d)"
"""A number with a power of ten, as spreadsheets and programs write it: "1.2E+06", "1.2 x 10^6"."""

NUMBER: Final = (
    rf"(?i:{SCIENTIFIC})|10{_EXPONENT}(?!\w)|"
    r"\d{1,3}(?:\.\d{3})+,\d{1,2}(?!\d)"  # 1.234,50
    r"|\d{1,3}(?:'\d{3})+(?:[.,]\d{1,2})?(?!\d)"  # 1'234.50
    r"|\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?(?!\d)"  # 1,00,000
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)"  # 1,234.50
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)"  # 1.234.567
    r"|(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d{1,2})?(?![.,]?\d| \d)"  # 1 234,50
    r"|\d+(?:[.,]\d+)?|\.\d+"
)
"""A number in digits, in the ways of separating thousands and decimals that are in use."""

_SHORT_SCALES: Final = rf"mn|mio|mln|mil|mrd|mld|bn|cr|tsd|thou|тыс|млн|млрд|[km](?=[{SIGNS}])"
_DIGITS: Final = re.compile(
    rf"(?:(?P<sign>{SIGN}) ?|(?<![\w.,@]))(?P<digits>{NUMBER})(?P<fraction> ?[½¼¾]| (?:1/[234]|2/3|3/4)(?![\d/]))?"
    rf"(?:(?P<eastern>[{''.join(EASTERN_SCALES)}])"
    rf"|(?:(?P<scale>{_LETTERS})|[ -]?(?P<scale_word>{'|'.join(SCALES)}|{_SHORT_SCALES})s?)(?:\b|(?=[{SIGNS}])))?"
    r"(?P<ordinal>(?:st|nd|rd|th)\b)?"
    r"(?P<dash>/-|[.,][-–]+)?",
    re.IGNORECASE,
)
_POWER: Final = re.compile(
    r"(?:(?<![\d.,])(?P<number>[\d.,]+)(?:e|[x×*·]10)|10)(?P<power>(?:(?<=e)|\^)[+-]?\d{1,2}|⁻?[⁰¹²³⁴-⁹]+)",
    re.IGNORECASE,
)
_FRACTION: Final = re.compile(r"(?<![\w/½¼¾])(?:[½¼¾]|(?:1/[234]|2/3|3/4)(?![\d/]))")
_FRACTIONS: Final = {"½": 0.5, "¼": 0.25, "¾": 0.75, "1/2": 0.5, "1/4": 0.25, "3/4": 0.75, "1/3": 1 / 3, "2/3": 2 / 3}
_UNIT: Final = re.compile(
    rf"[ -]?(?:(?P<sign>%|[{SIGNS}](?!(?<=-.) ?\d))|p(?:er|our|or|er) cent[o]?\b|"
    rf"{_FILLERS}{_NATION}(?P<word>[^\W\d_]+(?:\$)?))",
    re.IGNORECASE,
)
_HOURS: Final = re.compile(
    r" ?h(?:rs?|ours?)?(?:(?P<minutes>[0-5]\d)| ?(?P<marked>\d{1,2}) ?(?:m|min|mins))\b", re.IGNORECASE
)
_MARKED_HOURS: Final = re.compile(
    r"(?<![\d:.,])(?P<hours>\d{1,3}(?:[.,]\d)?)(?::(?P<minutes>[0-5]\d))? ?"
    r"(?:h|hrs?|hours?|std|stunden|heures|horas|ore|uur)\b",
    re.IGNORECASE,
)
_ISO_DURATION: Final = re.compile(  # ISO 8601
    r"\bPT(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.\d+)?S)?\b"
)
_CENTS: Final = re.compile(r"\d\d(?!\d|[.,]\d|%)")
_ARTICLE: Final = re.compile(
    r"\b(?:(?P<half>half )|(?P<quarters>(?:a |three )?quarters? of ))?"
    r"(?P<article>an?|one|per|each|every|this|next|another|single|full|whole)[ -]"
    r"(?P<unit>minute|hour|day|week|fortnight|month|year)\b"
    r"(?P<more> and (?:a half|a quarter|three quarters|(?P<minutes>\d\d?)(?: minutes?| mins?)?)\b)?",
    re.IGNORECASE,
)
_MORE: Final = {"half": 0.5, "quarter": 0.25, "quarters": 0.75}
_BARE_MINUTES: Final = re.compile(  # "1hr 20"
    r"(?<![\w.,:])(?P<hours>\d\d?) ?h(?:rs?|ours?)?,? (?:and )?(?P<minutes>[0-5]?\d)\b(?![.,:/]\d)", re.IGNORECASE
)
_PART_HOUR: Final = re.compile(r"(?<![\w/.])(?P<a>[1-3])/(?P<b>[2-4]) (?:of )?an hour\b", re.IGNORECASE)
_EVERY_OTHER: Final = re.compile(r"\bevery (?:other|second) (?P<unit>day|week|month|year)\b", re.IGNORECASE)
_ELAPSED: Final = re.compile(r"(?<![\w:.])(?P<hours>\d\d?):(?P<minutes>[0-5]\d):[0-5]\d(?![\w:])")  # 00:45:10
_OVERNIGHT: Final = re.compile(r"\bovernight\b", re.IGNORECASE)


@dataclass(frozen=True)
class Quantity:
    """A number at `start:end` of a text.

    `unit` is "" if there is none, else a currency of `CURRENCIES`, "%", a unit of `TIME_UNITS` or another word. `kind`
    is "money", "percent", "time" or "plain". `spelled` says that the number is in words. `counts` says that it is not
    an ordinal and no word such as "both" or "once". `also` holds other readings, such as 1200 for "1.200". `parts` are
    the numbers that it may be instead, where it is written with spaces: "5 200".
    """

    value: float
    unit: str
    kind: str
    start: int
    end: int
    spelled: bool = False
    counts: bool = True
    also: tuple[float, ...] = ()
    parts: tuple[float, ...] = ()


def find_quantities(text: str) -> list[Quantity]:
    """Find the numbers in `text`, in digits or in words, in order. Their spans include sign and unit.

    A sum of two units is one quantity: "1 hour 30 minutes", "5 dollars and 50 cents".
    """
    return list(_read(text))


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[Quantity, ...]:
    quantities = [
        _with_unit(text, Quantity(round(_FRACTIONS[match.group()], 6), "", "plain", *match.span()))
        for match in _FRACTION.finditer(text)
    ]
    quantities += [_from_digits(match, text) for match in _DIGITS.finditer(text)]
    taken = [(item.start, item.end) for item in quantities]
    for word in find_number_words(text):
        if not any(start < word.end and word.start < end for start, end in taken):
            bare = Quantity(word.value, "", "plain", word.start, word.end, spelled=True, counts=word.counts)
            quantities.append(_with_unit(text, bare))
    return tuple(_join(sorted(quantities, key=lambda item: (item.start, -item.end)), text))


_BETWEEN: Final = re.compile(r"(?:,? (?:and|und|et|y|e|en|och|og) |,? )?")


def _join(quantities: list[Quantity], text: str) -> list[Quantity]:
    """Join an amount with its cents, and a duration with its smaller unit."""
    joined: list[Quantity] = []
    for item in quantities:
        last = joined[-1] if joined else None
        if last and item.start < last.end:
            continue
        between = text[last.end : item.start] if last else ""
        total = _total(last, item, text) if last and _BETWEEN.fullmatch(between) else None
        if last and total is None and between == " " and text[last.end - 1].isalpha() and _is_cents(last, item):
            total = last.value + item.value / 100  # "5 dollars 50"
        if last and total is not None:
            joined[-1] = replace(last, value=total, end=item.end, parts=(*last.parts, last.value, item.value))
        else:
            joined.append(item)
    return joined


def _total(one: Quantity, other: Quantity, text: str) -> float | None:
    """Add up two quantities, in the unit of the first; None if they are two separate ones."""
    scale, smaller = _scale_of(one, text), _scale_of(other, text)
    if scale > smaller > 1 and other.value < scale and other.kind in ("plain", one.kind):  # 3 lakh 50 thousand
        return one.value + other.value
    if one.kind == other.kind == "money" and other.unit == "cent" != one.unit and other.value < 100:
        return one.value + other.value / 100
    if one.kind == other.kind == "time" and DAYS[other.unit] < DAYS[one.unit]:
        return one.value + other.value * DAYS[other.unit] / DAYS[one.unit]
    return None


def _scale_of(quantity: Quantity, text: str) -> float:
    """Return the scale in words with which a number in digits ends; 1 for any other."""
    words = text[quantity.start : quantity.end].lower().split()
    return SCALES.get(words[-1].removesuffix("s"), 1.0) if words and not quantity.spelled else 1.0


def _is_cents(one: Quantity, other: Quantity) -> bool:
    """Say whether a bare number of two digits stands behind whole dollars, euros or the like."""
    whole = one.kind == "money" and one.unit != "cent" and one.unit not in WITHOUT_CENTS and one.value % 1 == 0
    return whole and other.kind == "plain" and not other.unit and other.value in range(10, 100)


def find_indefinite_durations(text: str) -> list[tuple[float, str]]:
    """Find durations in other forms, as `(value, unit)`: "an hour and a half", "per month", "1:30 h", "PT1H30M"."""
    durations = []
    for match in _MARKED_HOURS.finditer(text):
        durations.append((float(match["hours"].replace(",", ".")) + int(match["minutes"] or 0) / 60, "hour"))
    for match in _BARE_MINUTES.finditer(text):
        durations.append((int(match["hours"]) + int(match["minutes"]) / 60, "hour"))
    for match in _PART_HOUR.finditer(text):
        durations.append((int(match["a"]) / int(match["b"]), "hour"))
    durations += [(1.0, "night") for _ in _OVERNIGHT.finditer(text)]
    durations += [(2.0, match["unit"].lower()) for match in _EVERY_OTHER.finditer(text)]
    durations += [(60.0 * int(match["hours"]) + int(match["minutes"]), "minute") for match in _ELAPSED.finditer(text)]
    for match in _ISO_DURATION.finditer(text):
        hours, minutes, seconds = (float(match[name] or 0) for name in ("hours", "minutes", "seconds"))
        durations.append((hours * 3600 + minutes * 60 + seconds, "second"))
    for match in _ARTICLE.finditer(text):
        quarters = (match["quarters"] or "").lower()
        value = 0.5 if match["half"] else 0.75 if quarters.startswith("three") else 0.25 if quarters else 1.0
        more = (
            int(match["minutes"]) / 60 if match["minutes"] else _MORE[match["more"].split()[-1]] if match["more"] else 0
        )
        durations.append((value + more, match["unit"].lower()))
    return durations


def read_number(digits: str) -> set[float]:
    """Return the possible values of a number. Comma and point may separate thousands or decimals ("1.200", "18,90")."""
    plain = re.sub(r"[\s']", "", digits)
    power = _POWER.fullmatch(plain)
    if power:
        return {float(f"{(power['number'] or '1').replace(',', '.')}e{power['power'].lstrip('^').translate(_RAISED)}")}
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d\d?", plain):
        return {float(plain.replace(".", "").replace(",", "."))}
    if re.fullmatch(r"\d+,\d{1,2}", plain):
        return {float(plain.replace(",", "."))}
    values = {float(plain.replace(",", ""))} if re.fullmatch(r"[\d,]*\.?\d+|\d[\d,]*\.?", plain) else set()
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", plain):
        values.add(float(plain.replace(".", "")))
    return values


def convert_to_days(value: float, unit: str) -> float | None:
    """Convert a duration to days, so that "24 hours" equals "a day". None for other units.

    A night counts as a day, and a month as 30 days, so that a year is 360.
    """
    return value * DAYS[unit] if unit in DAYS else None


def _from_digits(match: re.Match[str], text: str) -> Quantity:
    letters = (match["scale"] or match["scale_word"] or "").lower()
    scale = EASTERN_SCALES[match["eastern"]] if match["eastern"] else LETTER_SCALES.get(letters, 1.0)
    readings = sorted(read_number(match["digits"]))
    fraction = _FRACTIONS.get((match["fraction"] or "").strip(), 0.0)
    value, *also = (round((reading + fraction) * scale, 6) for reading in readings)
    if letters in AMBIGUOUS_SCALES:
        also += readings
    if letters == "mil":  # a thousand in Spanish and Portuguese
        also += [reading * SCALES["thousand"] for reading in readings]
    pieces = [] if _POWER.search(match["digits"]) else match["digits"].split(" ")
    parts = tuple(float(piece.replace(",", ".")) for piece in pieces) if len(pieces) > 1 else ()
    end = max(match.end(name) for name in ("digits", "fraction", "eastern", "scale", "scale_word", "ordinal"))
    if match["scale_word"]:
        end = match.end() - len(match["dash"] or "")
    if not also:
        value, end = add_more(value, text, end)
    if match["ordinal"]:
        return Quantity(value, "", "plain", match.start("digits"), end, counts=False)
    end = match.end() if match["dash"] else end
    bare = Quantity(value, "", "plain", match.start("digits"), end, also=tuple(also), parts=parts)
    if not match["sign"]:
        return _with_unit(text, bare)
    money = replace(bare, unit=read_sign(match["sign"]), kind="money", start=match.start())
    named = _with_unit(text, bare)
    return replace(money, unit=named.unit, end=named.end) if named.kind == "money" else money


def _with_unit(text: str, bare: Quantity) -> Quantity:
    """Add the unit that follows the quantity, if there is one."""
    hours = _HOURS.match(text, bare.end)
    if hours:
        minutes = int(hours["minutes"] or hours["marked"])
        return replace(bare, value=bare.value + minutes / 60, unit="hour", kind="time", end=hours.end())
    after = _UNIT.match(text, bare.end)
    if after is None:
        return bare
    word = (after["word"] or after["sign"] or "%").lower()
    if word in PERCENT:
        return replace(bare, unit="%", kind="percent", end=after.end())
    if word in CURRENCIES:
        unit = NATIONAL.get((after["nation"] or "").lower(), CURRENCIES[word])
        cents = _CENTS.match(text, after.end()) if after["sign"] and bare.value % 1 == 0 else None
        if cents:  # 20€50
            return replace(bare, value=bare.value + int(cents.group()) / 100, unit=unit, kind="money", end=cents.end())
        return replace(bare, unit=unit, kind="money", end=after.end())
    joined = text[bare.end : bare.end + 1].isalpha()
    if word == "p" and joined and bare.value < 100:  # 99p
        return replace(bare, unit="cent", kind="money", end=after.end())
    if word in TIME_UNITS and (word != "h" or joined):
        return replace(bare, unit=TIME_UNITS[word], kind="time", end=after.end())
    return replace(bare, unit=word, end=after.end() if joined else bare.end)

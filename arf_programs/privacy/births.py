"""Recognise dates of birth, and write another date in the same form.

A date is a date of birth where the words before it say so ("born on", "DOB", "geboren am", "né le"). Other dates stay,
since summaries and checks need them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from arf_programs.privacy.patterns import END, START
from arf_programs.privacy.values import Found, Kind

_MONTHS: Final = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "short": "jan feb mar apr may jun jul aug sep oct nov dec",
}
_NAMES: Final = {language: names.split() for language, names in _MONTHS.items()}
_NUMBERS: Final = {name: number for names in _NAMES.values() for number, name in enumerate(names, start=1)}
_MONTH: Final = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_ORDINAL: Final = r"(?:st|nd|rd|th|er|\.|º)?"
_FORMS: Final = tuple(
    re.compile(rf"{START}{form}{END}", re.IGNORECASE)
    for form in (
        r"(?P<year>(?:19|20)\d\d)(?P<separator>[-./])(?P<month>\d{1,2})(?P=separator)(?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})(?P<separator>[-./ ]|\. )(?P<second>\d{1,2})(?P=separator)(?P<year>(?:19|20)?\d\d)",
        rf"(?P<day>\d{{1,2}}){_ORDINAL}(?:\s*(?:of|de|di|-)?\s*)(?P<name>{_MONTH})\.?(?:,|\s*(?:of|de|del|-))?\s*"
        r"(?P<year>(?:19|20)?\d\d)",
        rf"(?P<name>{_MONTH})\.?\s+(?P<day>\d{{1,2}}){_ORDINAL},?\s+(?P<year>(?:19|20)\d\d)",
    )
)
_BORN: Final = re.compile(
    r"\b(?:born(?: on)?|date of birth|birth ?date|birthday|d\.?o\.?b\.?|geboren(?: am)?|geburtsdatum|geb\.|"
    r"née? le|date de naissance|nac[íi](?:do|da)?(?: el)?|fecha de nacimiento|nat[oa](?: il)?|data di nascita|"
    r"geboortedatum|geboren op|urodzon[ya]|data urodzenia)(?![^\W_])[^\n.!?]{0,30}?$",
    re.IGNORECASE,
)
_BEFORE: Final = 60


class BirthDate(NamedTuple):
    """A date as numbers. Where the text does not say which number is the day, `day` is the first one."""

    year: int
    month: int
    day: int


class WrittenDate(NamedTuple):
    """A date at `start:end`. `parts` are the places of its year, day and month; the month may be a word."""

    date: BirthDate
    start: int
    end: int
    parts: tuple[tuple[str, int, int], ...]


def find_written_dates(text: str) -> Iterator[WrittenDate]:
    """Find dates with day, month and year, in numbers or with the month as a word."""
    taken: list[tuple[int, int]] = []
    for form in _FORMS:
        for match in form.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            written = _read(match)
            if written is not None:
                taken.append(match.span())
                yield written


def _read(match: re.Match[str]) -> WrittenDate | None:
    groups = match.groupdict()
    year = int(groups["year"])
    year += 0 if year > 99 else (1900 if year > 25 else 2000)
    if groups.get("name"):
        month, day = _NUMBERS[groups["name"].lower()], int(groups["day"])
        names = ("year", "day", "name")
    elif "first" in groups:
        first, second = int(groups["first"]), int(groups["second"])
        day, month = (second, first) if second > 12 else (first, second)
        names = ("year", "second", "first") if second > 12 else ("year", "first", "second")
    else:
        month, day = int(groups["month"]), int(groups["day"])
        names = ("year", "day", "month")
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    roles = ("year", "day", "month")
    parts = tuple((role, *match.span(name)) for role, name in zip(roles, names, strict=True))
    return WrittenDate(BirthDate(year, month, day), *match.span(), parts)


def find_births(text: str) -> list[Found]:
    """Find the dates that words before them call a date of birth."""
    return [
        Found(Kind.BIRTH_DATE, written.start, written.end)
        for written in find_written_dates(text)
        if _BORN.search(text[max(0, written.start - _BEFORE) : written.start])
    ]


def draw_birth(date: BirthDate, random: Random) -> BirthDate:
    """Return another date, of a person about as old. Day and month can be told apart as well as in `date`."""
    days = range(13, 29) if date.day > 12 else range(1, 13)
    day = random.choice([number for number in days if number != date.day])
    month = random.choice([number for number in range(1, 13) if number not in (date.month, day)])
    return BirthDate(date.year + random.choice((-3, -2, -1, 1, 2, 3)), month, day)


def write_like(text: str, written: WrittenDate, date: BirthDate) -> str:
    """Write `date` in the form of `written`, a date of `text`."""
    values = {"year": date.year, "month": date.month, "day": date.day}
    shown = text[written.start : written.end]
    padded = all(text[start:end].isdecimal() for _, start, end in written.parts)
    for role, start, end in sorted(written.parts, key=lambda part: -part[1]):
        old = text[start:end]
        new = _number_like(old, values[role], padded=padded) if old.isdecimal() else _month_like(old, date.month)
        shown = shown[: start - written.start] + new + shown[end - written.start :]
    return shown


def _number_like(old: str, value: int, *, padded: bool) -> str:
    digits = str(value)[-2:] if len(old) == 2 and value > 99 else str(value)
    return digits.zfill(len(old)) if padded or old.startswith("0") else digits


def _month_like(old: str, month: int) -> str:
    language = next(language for language, names in _NAMES.items() if old.lower() in names)
    name = _NAMES[language][month - 1]
    return name.upper() if old.isupper() else name.capitalize() if old[0].isupper() else name

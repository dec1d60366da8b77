"""The values of a text: numbers, amounts of money, dates, times of day, codes and names, as the checks read them."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from arf_programs.checks import (
    TITLES,
    Date,
    Quantity,
    convert_to_days,
    find_codes,
    find_dates,
    find_names,
    find_quantities,
    find_taken_spans,
    find_times,
    find_words,
)
from arf_programs.text import GIVEN_NAMES, is_list_marker

ValueKind = Literal["number", "amount", "date", "time", "code", "name"]

WORDS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
"""The numbers in words that can be read and written."""

_DIGITS: Final = re.compile(r"\d{1,3}(?:[,.]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?")
_CENTS: Final = re.compile(r"\d+[.,]\d\d")
_MEASURES: Final = frozenset(("m", "km", "cm", "mm", "kg", "g", "l", "ml", "kwh", "gb", "mb", "tb", "litres", "metres"))
_FOLLOWS_TITLE: Final = re.compile(rf"\b(?:{'|'.join(TITLES)})\.?\s+$", re.IGNORECASE)


@dataclass(frozen=True)
class Value:
    """A value at `start:end` of a text.

    For a number or an amount the span has the digits or the word alone. `quantity` is its reading with the unit, and
    `whole` is its text with the unit. `key` is what the value means: two values of one kind with a common member of
    `key` are the same. A name may be that of a `person`, follow a title (`titled`), or be a `handle` ("@name").
    """

    kind: ValueKind
    start: int
    end: int
    text: str
    key: frozenset[object]
    quantity: Quantity | None = None
    whole: str = ""
    date: Date | None = None
    person: bool = False
    titled: bool = False
    handle: bool = False


def same_value(one: Value, other: Value) -> bool:
    """Say whether two values mean the same."""
    alike = one.kind == other.kind or {one.kind, other.kind} == {"number", "amount"}
    return alike and not one.key.isdisjoint(other.key)


def find_values(text: str, *, people: AbstractSet[str] = frozenset(), lenient: bool = False) -> list[Value]:
    """Find the values of `text`, in order.

    `people` are words that name persons, such as the speakers. With `lenient` dates need no capitals, as in chats.
    """
    return list(_read(text, frozenset(people), lenient))


@lru_cache(maxsize=512)
def _read(text: str, people: frozenset[str], lenient: bool) -> tuple[Value, ...]:
    found = [*find_numbers(text), *_dates(text, lenient), *_times(text), *_codes(text), *read_names(text, people)]
    return tuple(sorted(found, key=lambda value: (value.start, value.end)))


def find_numbers(text: str) -> list[Value]:
    """Find counts, percentages, durations and amounts of money, but no "first" and "both", and no parts of others.

    A bare number with two decimals is a price.
    """
    taken = find_taken_spans(text)
    numbers = []
    for item in find_quantities(text):
        span = _digits(item, text)
        if span is None or not item.counts or is_list_marker(text, item.start, item.end):
            continue
        if any(a < item.end and item.start < b for a, b in taken):
            continue
        written = text[slice(*span)]
        priced = bool(_CENTS.fullmatch(written)) and item.unit not in _MEASURES
        money = item.kind == "money" or (item.kind == "plain" and priced)
        kind: ValueKind = "amount" if money else "number"
        numbers.append(Value(kind, *span, written, _meanings(item), item, text[item.start : item.end]))
    return numbers


def _digits(item: Quantity, text: str) -> tuple[int, int] | None:
    """Find the digits or the word of a quantity, without sign and unit; None if it cannot be written otherwise."""
    if item.spelled:
        words = re.match(r"[A-Za-z]+(?:-[A-Za-z]+)?", text[item.start :])
        return (item.start, item.start + words.end()) if words and words.group().lower() in WORDS else None
    digits = _DIGITS.search(text, item.start)
    joined = digits is not None and text[digits.end() : digits.end() + 1].isalpha()
    return digits.span() if digits and digits.end() <= item.end and not joined else None


def _meanings(item: Quantity) -> frozenset[object]:
    """The values that a quantity may have; a duration is also its length in days."""
    days = convert_to_days(item.value, item.unit)
    if days is not None:
        return frozenset({("days", round(days, 6))})
    return frozenset({item.value, *item.also})


def _dates(text: str, lenient: bool) -> list[Value]:
    return [
        Value(
            "date",
            date.start,
            date.end,
            text[date.start : date.end],
            frozenset({("weekday", date.weekday)}) if date.weekday is not None else frozenset(date.days),
            date=date,
        )
        for date in find_dates(text, lenient=lenient)
    ]


def _times(text: str) -> list[Value]:
    return [
        Value("time", time.start, time.end, text[time.start : time.end], frozenset(time.minutes))
        for time in find_times(text)
    ]


def _codes(text: str) -> list[Value]:
    return [
        Value("code", code.start, code.end, text[code.start : code.end], frozenset({code.key}))
        for code in find_codes(text)
    ]


def read_names(text: str, people: AbstractSet[str] = frozenset()) -> list[Value]:
    """Find the names. A name is a person's if it follows a title, or its first word is a given name or in `people`."""
    names = []
    for start, end in find_names(text):
        words = find_words(text[start:end])
        titled = bool(_FOLLOWS_TITLE.search(text, 0, start))
        person = titled or words[0] in GIVEN_NAMES or words[0] in people
        key = frozenset({" ".join(words)})
        names.append(Value("name", start, end, text[start:end], key, person=person, titled=titled))
    return names

"""The kinds of error that change a detail to another: a number, an amount of money, a date or a name.

`date` is a date, month or weekday, and a wrong one is written in the form of the right one. `name` may be the name of a
person, place, product or firm.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

from arf_programs.checks import (
    Date,
    Material,
    Moments,
    Quantity,
    convert_to_days,
    find_codes,
    find_dates,
    find_quantities,
    find_words,
    read_moments,
    read_number,
    squeeze,
)
from arf_programs.config import Kind
from arf_programs.planting.records import Change, swapped
from arf_programs.values import Value, ValueKind, find_numbers, read_names, write_date, write_like

_NUMBER_TRIES: Final = 60
_LONG: Final = 4
_SHORTEST: Final = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}
_DATE_TRIES: Final = 40


class _Number(NamedTuple):
    """A number of a text: the span of its digits or words, whether it is an amount of money, and how it was read."""

    start: int
    end: int
    kind: ValueKind
    read: Quantity


def plant_numbers(material: Material, rng: Random) -> list[Change]:
    """Change counts, percentages, durations and codes."""
    numbers = [number for number in _numbers(material.summary) if number.kind == "number"]
    changes = [change for number in numbers for change in _both(material, rng, "number", number)]
    return changes + _codes(material, rng)


def plant_amounts(material: Material, rng: Random) -> list[Change]:
    """Change amounts of money, and bare numbers with two decimals, which are prices."""
    numbers = [number for number in _numbers(material.summary) if number.kind == "amount"]
    return [change for number in numbers for change in _both(material, rng, "amount", number)]


def _numbers(text: str) -> list[_Number]:
    """The numbers that can be changed: no "one"."""
    return [
        _Number(value.start, value.end, value.kind, value.quantity)
        for value in find_numbers(text)
        if value.quantity is not None and value.quantity.value not in (0, 1)
    ]


def _both(material: Material, rng: Random, kind: Kind, number: _Number) -> list[Change]:
    """Change the number to another of the conversation, and to an invented one. Either may be missing."""
    span = (number.start, number.end)
    old = material.summary[slice(*span)]
    changes = []
    others = sorted({write_like(old, value) or spelling for value, spelling in _others(material, kind, number)} - {old})
    if others:
        changes.append(swapped(material, kind, span, rng.choice(others), "conversation"))
    invented = _invent(material, rng, number, old)
    if invented:
        changes.append(swapped(material, kind, span, invented, "invented"))
    return changes


def _others(material: Material, kind: Kind, number: _Number) -> set[tuple[float, str]]:
    """Other values of the same sort in the conversation, with their spelling there.

    The sort is the kind of quantity, for a duration also its unit, and for a bare number also its length.
    """
    wanted, values = number.read, set()
    for text in material.texts:
        for other in _numbers(text):
            alike = other.kind == "amount" if kind == "amount" else other.read.kind == wanted.kind
            if alike and kind == "number" and wanted.kind == "plain":
                alike = abs(len(str(int(other.read.value))) - len(str(int(wanted.value)))) <= 1
            same_unit = other.read.unit == wanted.unit if wanted.kind == "time" else True
            if alike and same_unit and other.read.value != wanted.value:
                values.add((other.read.value, text[other.start : other.end]))
    return values


def _invent(material: Material, rng: Random, number: _Number, old: str) -> str | None:
    """A number of similar size that the conversation does not contain, in digits or in words."""
    mentioned = _values(material)
    days = {d for d in (convert_to_days(item.value, item.unit) for item in _quantities(material)) if d is not None}
    for _ in range(_NUMBER_TRIES):
        value = _near(rng, number.read, old)
        new = write_like(old, value)
        same_time = convert_to_days(value, number.read.unit) in days if number.read.kind == "time" else False
        if new is None or new == old or value in mentioned or value == number.read.value or same_time:
            continue
        if len(new) < _LONG or squeeze(new) not in material.squeezed:
            return new
    return None


def _near(rng: Random, quantity: Quantity, old: str) -> float:
    """A random value of the size and roundness of the old one."""
    value = quantity.value
    if quantity.spelled:
        return float(rng.randint(2, min(20, max(9, int(2 * value)))))
    if quantity.unit == "%":
        return float(rng.randint(2, 98)) if value % 5 else 5.0 * rng.randint(1, 19)
    cents = re.search(r"[.,](\d\d)$", old)
    if cents:
        return round(value * rng.uniform(0.4, 2.5) * 2, 1 if cents[1].endswith("0") else 2) / 2
    if value >= 10 ** (_LONG - 1) and value == int(value):
        return float(rng.randrange(10 ** (len(str(int(value))) - 1), 10 ** len(str(int(value)))))
    step = 10 if value % 10 == 0 and value > 20 else 5 if value % 5 == 0 and value > 5 else 1
    return float(step * rng.randint(max(1, int(value * 0.3 / step)) + (step == 1), int(value * 2.5 / step) + 3))


def _quantities(material: Material) -> list[Quantity]:
    return [item for text in material.texts for item in find_quantities(text)]


def _values(material: Material) -> set[float]:
    """All values that the numbers of the conversation may mean."""
    values = {value for item in _quantities(material) for value in (item.value, *item.also)}
    for text in material.texts:
        for match in re.finditer(r"\d+(?:[.,]\d+)*", text):
            values |= read_number(match.group()) | {float(part) for part in re.split("[.,]", match.group())}
    return values


def _codes(material: Material, rng: Random) -> list[Change]:
    """Change order numbers, references and models to another of the conversation, and to one with other digits."""
    codes = sorted({text[code.start : code.end] for text in material.texts for code in find_codes(text)})
    changes = []
    for code in find_codes(material.summary):
        span = (code.start, code.end)
        others = [other for other in codes if code.key not in squeeze(other) and squeeze(other) not in code.key]
        if others:
            changes.append(swapped(material, "number", span, rng.choice(others), "conversation"))
        new = re.sub(
            r"\d", lambda digit: str((int(digit[0]) + rng.randint(1, 8)) % 9 + 1), material.summary[slice(*span)]
        )
        if squeeze(new) != code.key and squeeze(new) not in material.squeezed:
            changes.append(swapped(material, "number", span, new, "invented"))
    return changes


def plant_dates(material: Material, rng: Random) -> list[Change]:
    """Change each date of the summary to another date of the conversation, and to one that is not in it."""
    moments = read_moments(material.texts)
    changes = []
    for date in find_dates(material.summary):
        span = (date.start, date.end)
        old = material.summary[slice(*span)]
        other = _from_conversation(date, old, moments, rng)
        if other:
            changes.append(swapped(material, "date", span, other, "conversation"))
        invented = _invent_date(date, old, moments, rng)
        if invented:
            changes.append(swapped(material, "date", span, invented, "invented"))
    return changes


def _from_conversation(date: Date, old: str, moments: Moments, rng: Random) -> str | None:
    if date.weekday is not None:
        weekdays = sorted(moments.weekdays - {date.weekday})
        return write_date(old, weekday=rng.choice(weekdays)) if weekdays else None
    with_day = all(day for day, _ in date.days)
    pairs = sorted(pair for pair in moments.pairs - date.days if bool(pair[0]) == with_day)
    if not pairs or date.numeric:
        return None
    day, month = rng.choice(pairs)
    return write_date(old, day=day or None, month=month)


def _invent_date(date: Date, old: str, moments: Moments, rng: Random) -> str | None:
    """A date whose day and month (or weekday) are not together in the conversation."""
    if date.weekday is not None:
        weekdays = sorted(set(range(7)) - moments.weekdays - {date.weekday})
        return write_date(old, weekday=rng.choice(weekdays)) if weekdays else None
    day, month = min(date.days)
    if not day:
        months = sorted(set(range(1, 13)) - moments.months - {month})
        return write_date(old, month=rng.choice(months)) if months else None
    for _ in range(_DATE_TRIES):
        change_day = date.numeric or rng.random() < 0.6
        pair = (rng.randint(1, 28), month) if change_day else (day, rng.randint(1, 12))
        if pair in moments.pairs | date.days or pair[0] > _SHORTEST.get(pair[1], 31):
            continue
        return write_date(old, day=pair[0]) if change_day else write_date(old, month=pair[1])
    return None


GIVEN: Final = (
    *("Aurelia", "Bertram", "Corinne", "Dominik", "Esther", "Florian", "Greta", "Hamish", "Ines", "Jerome", "Kasimir"),
    *("Leonora", "Milan", "Nadine", "Orlando", "Petra", "Quentin", "Rosalind", "Stefan", "Tabitha", "Ulrike", "Vivek"),
)
_FAMILY: Final = (
    *("Abernathy", "Bellamy", "Castellan", "Drummond", "Eriksen", "Fairweather", "Galbraith", "Hathaway", "Ivanov"),
    *("Jankowski", "Kettering", "Lindqvist", "Moreau", "Nakamura", "Okonkwo", "Pemberton", "Quispe", "Rasmussen"),
)
_OTHER: Final = (
    *("Aberdale", "Brightwater", "Cordova", "Dunmore", "Elmshorn", "Fenwick", "Glasbury", "Hartwell", "Kestrelline"),
    *("Larkspur", "Monterra", "Northbeam", "Oakhurst", "Pinnova", "Quillford", "Ravenna", "Solvantis", "Tamworth"),
)


def plant_names(material: Material, rng: Random) -> list[Change]:
    """Change each name that the conversation has to another of its names, and to an invented one.

    An invented name is `fabricated`: it names somebody or something that is not in the conversation.
    """
    speakers = {word for turn in material.conversation.turns for word in find_words(turn.speaker)}
    changes = []
    others = {name.text: name.person for text in material.texts for name in _names(text, speakers)}
    for name in _names(material.summary, speakers):
        span, old = (name.start, name.end), material.summary[name.start : name.end]
        if not set(find_words(old)) <= material.known_words:
            continue
        other_names = [
            text for text, person in sorted(others.items()) if person == name.person and not _shares(text, old)
        ]
        if other_names:
            changes.append(swapped(material, "name", span, rng.choice(other_names), "conversation"))
        invented = _invent_name(name, old, material, rng)
        if invented:
            changes.append(swapped(material, "name", span, invented, "invented", category="fabricated"))
    return changes


def _names(text: str, speakers: set[str]) -> list[Value]:
    """The names in a text, without acronyms, since a name is no plausible replacement for one."""
    return [
        name
        for name in read_names(text, speakers)
        if not name.text.isupper() and not any(char.isdigit() for char in name.text) and len(find_words(name.text)) <= 2
    ]


def _shares(a: str, b: str) -> bool:
    return bool(set(find_words(a)) & set(find_words(b)))


def _invent_name(name: Value, old: str, material: Material, rng: Random) -> str | None:
    """A name of the same sort whose words are not in the conversation."""
    count = len(find_words(old))
    if not name.person:
        pools: list[tuple[str, ...]] = [_OTHER] * count
    elif count == 2:
        pools = [GIVEN, _FAMILY]
    else:
        pools = [_FAMILY if name.titled else GIVEN]
    chosen: list[str] = []
    for pool in pools:
        free = [word for word in pool if word.lower() not in material.known_words and word not in chosen]
        if not free:
            return None
        chosen.append(rng.choice(free))
    return " ".join(chosen)

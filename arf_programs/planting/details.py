"""The kinds of error that change a date (`date`: date, month or weekday) or a name (`name`) to another.

A wrong date is written in the form of the right one. A name may be that of a person, place, product or firm.
"""

from __future__ import annotations

from random import Random
from typing import Final

from arf_programs.checks import Date, Material, Moments, find_dates, find_words, read_moments
from arf_programs.planting.records import Change, swapped
from arf_programs.values import Value, read_names, write_date

_SHORTEST: Final = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}
_TRIES: Final = 40


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
    for _ in range(_TRIES):
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

    An invented name is `fabricated`: it brings in somebody or something that is not in the conversation.
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

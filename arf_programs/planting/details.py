"""The kinds of error that change a date (`date`: date, month or weekday) or a name (`name`) to another.

A wrong date is written in the form of the right one. A name may be that of a person, place, product or firm.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

from arf_programs.checks import (
    GIVEN_NAMES,
    TITLES,
    Date,
    Material,
    Moments,
    find_dates,
    find_names,
    find_words,
    read_moments,
)
from arf_programs.planting.records import Change, swapped

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAME: Final = re.compile(rf"\b(?:{'|'.join(f'{n[:3]}[a-z]*' for n in (*_MONTHS, *_WEEKDAYS))})\b", re.IGNORECASE)
_DAY: Final = re.compile(r"\b(\d\d?)(st|nd|rd|th)?\b")
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


def write_date(old: str, *, day: int | None = None, month: int | None = None, weekday: int | None = None) -> str | None:
    """Write `old` with another day (1 to 31), month (1 to 12) or weekday (0 is Monday), in its own form.

    None if the form cannot be changed: only dates with a name of month or weekday can, and the day of ISO dates.
    """
    new = old
    if weekday is not None:
        new = _NAME.sub(lambda name: _in_form(_WEEKDAYS[weekday], name.group()), new, count=1)
    if month is not None:
        if not _NAME.search(new):
            return None
        new = _NAME.sub(lambda name: _in_form(_MONTHS[month - 1], name.group()), new, count=1)
    if day is not None:
        if re.match(r"\d{4}-\d\d?-\d\d?$", new):
            return f"{new.rpartition('-')[0]}-{day:02d}"
        if not _NAME.search(new):
            return None
        new = _DAY.sub(lambda number: f"{day}{_ordinal(day) if number[2] else ''}", new, count=1)
    return None if new == old else new


def _in_form(name: str, old: str) -> str:
    """Write `name` in the form of `old`: in full or short, with a capital or not."""
    full = len(old) > 4 or old.lower() in ("may", "june", "july")
    new = name if full else name[:3]
    return new if old[0].isupper() else new.lower()


def _ordinal(day: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10 if day not in (11, 12, 13) else 0, "th")


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


_GIVEN: Final = (
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
_FOLLOWS_TITLE: Final = re.compile(rf"\b(?:{'|'.join(TITLES)})\.?\s+$", re.IGNORECASE)


class _Name(NamedTuple):
    start: int
    end: int
    person: bool
    titled: bool


def plant_names(material: Material, rng: Random) -> list[Change]:
    """Change each name that the conversation has to another of its names, and to an invented one.

    An invented name is `fabricated`: it brings in somebody or something that is not in the conversation.
    """
    speakers = {word for turn in material.conversation.turns for word in find_words(turn.speaker)}
    changes = []
    others = _names_of_turns(material)
    for name in _names(material.summary, speakers):
        span, old = (name.start, name.end), material.summary[name.start : name.end]
        if not set(find_words(old)) <= material.known_words:
            continue
        other_names = [text for text, person in others.items() if person == name.person and not _shares(text, old)]
        if other_names:
            changes.append(swapped(material, "name", span, rng.choice(other_names), "conversation"))
        invented = _invent_name(name, old, material, rng)
        if invented:
            changes.append(swapped(material, "name", span, invented, "invented", category="fabricated"))
    return changes


def _names(text: str, speakers: set[str]) -> list[_Name]:
    """The names in a text, without acronyms, since a name is no plausible replacement for one."""
    names = []
    for start, end in find_names(text):
        spelled = text[start:end]
        spelled_words = find_words(spelled)
        titled = bool(_FOLLOWS_TITLE.search(text, 0, start))
        if spelled.isupper() or any(char.isdigit() for char in spelled) or len(spelled_words) > 2:
            continue
        person = titled or spelled_words[0] in GIVEN_NAMES or spelled_words[0] in speakers
        names.append(_Name(start, end, person, titled))
    return names


def _names_of_turns(material: Material) -> dict[str, bool]:
    """{name in the turns: whether it is a person's}, in the order of the alphabet."""
    speakers = {word for turn in material.conversation.turns for word in find_words(turn.speaker)}
    names = {text[n.start : n.end]: n.person for text in material.texts for n in _names(text, speakers)}
    return dict(sorted(names.items()))


def _shares(a: str, b: str) -> bool:
    return bool(set(find_words(a)) & set(find_words(b)))


def _invent_name(name: _Name, old: str, material: Material, rng: Random) -> str | None:
    """A name of the same sort whose words are not in the conversation."""
    count = len(find_words(old))
    if not name.person:
        pools: list[tuple[str, ...]] = [_OTHER] * count
    elif count == 2:
        pools = [_GIVEN, _FAMILY]
    else:
        pools = [_FAMILY if name.titled else _GIVEN]
    chosen: list[str] = []
    for pool in pools:
        free = [word for word in pool if word.lower() not in material.known_words and word not in chosen]
        if not free:
            return None
        chosen.append(rng.choice(free))
    return " ".join(chosen)

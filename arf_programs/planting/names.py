"""Kind `name`: the name of a person, place, product or firm changed to another."""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

from arf_programs.checks.finding import Material, words
from arf_programs.checks.given_names import GIVEN_NAMES
from arf_programs.checks.names import TITLES, name_spans
from arf_programs.planting.change import Change, swapped

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
    """Each name that the conversation has, changed to another of its names and to an invented one.

    An invented name is `fabricated`: it brings in somebody or something that does not exist in the conversation.
    """
    speakers = {word for turn in material.conversation.turns for word in words(turn.speaker)}
    found = []
    others = _names_said(material)
    for name in _names(material.summary, speakers):
        span, old = (name.start, name.end), material.summary[name.start : name.end]
        if not set(words(old)) <= material.known_words:
            continue
        known = [text for text, person in others.items() if person == name.person and not _shares(text, old)]
        if known:
            found.append(swapped(material, "name", span, rng.choice(known), "conversation"))
        invented = _invent(name, old, material, rng)
        if invented:
            found.append(swapped(material, "name", span, invented, "invented", category="fabricated"))
    return found


def _names(text: str, speakers: set[str]) -> list[_Name]:
    """The names in a text; acronyms, which nobody would mix up with a name, are left out."""
    found = []
    for start, end in name_spans(text):
        spelled = text[start:end]
        told = words(spelled)
        titled = bool(_FOLLOWS_TITLE.search(text, 0, start))
        if spelled.isupper() or any(char.isdigit() for char in spelled) or len(told) > 2:
            continue
        person = titled or told[0] in GIVEN_NAMES or told[0] in speakers
        found.append(_Name(start, end, person, titled))
    return found


def _names_said(material: Material) -> dict[str, bool]:
    """{name: whether it is a person's} of the turns, in the order of the alphabet."""
    speakers = {word for turn in material.conversation.turns for word in words(turn.speaker)}
    said = {text[n.start : n.end]: n.person for text in material.texts for n in _names(text, speakers)}
    return dict(sorted(said.items()))


def _shares(a: str, b: str) -> bool:
    return bool(set(words(a)) & set(words(b)))


def _invent(name: _Name, old: str, material: Material, rng: Random) -> str | None:
    """A name of the same sort, none of whose words the conversation has."""
    count = len(words(old))
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

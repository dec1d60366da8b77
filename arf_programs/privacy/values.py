"""The kinds of private values, and where one stands in a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a private value is."""

    EMAIL = "e-mail address"
    URL = "URL with an id"
    IBAN = "IBAN"
    CARD = "card number"
    BIRTH_DATE = "date of birth"
    STREET = "street address"
    PHONE = "phone number"
    PLATE = "licence plate"
    NUMBER = "account or order number"
    NAME = "name"


CODES: Final = frozenset((Kind.IBAN, Kind.CARD, Kind.PHONE, Kind.PLATE, Kind.NUMBER))
"""Kinds whose values are letters and digits, with any punctuation between them."""


class Found(NamedTuple):
    """A private value at `start:end` of a text."""

    kind: Kind
    start: int
    end: int


_ORDER: Final = {kind: place for place, kind in enumerate(Kind)}


def without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Return the values in the order of the text. Where two overlap, the longer one stays, then the earlier kind."""
    kept: list[Found] = []
    for item in sorted(found, key=lambda item: (item.start - item.end, _ORDER[item.kind], item.start)):
        if all(item.end <= other.start or other.end <= item.start for other in kept):
            kept.append(item)
    return sorted(kept, key=lambda item: item.start)


def code_key(text: str) -> str:
    """Return the letters and digits of a code in lower case: `ORD-12 34` and `ord1234` are one code."""
    return "".join(character for character in text.lower() if character.isalnum())


def word_key(word: str) -> str:
    """Return a word of a name in lower case and without accents: `José` and `JOSE` are one name."""
    parts = unicodedata.normalize("NFD", word.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part)).replace("’", "'")

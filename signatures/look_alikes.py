"""Letters of other scripts that look like Latin ones."""

from __future__ import annotations

import re
from typing import Final

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_LATIN: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁһԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧνορυα", "ABESIJKMHOPCTYXaesijopcyxdhqwlABEZHIKMNOPTYXvopua"
)


def write_in_latin(text: str) -> str:
    """Write a word that mixes Latin letters with Cyrillic or Greek ones in Latin letters alone, as it looks.

    Nobody means such a word: `Сustomer` with a Cyrillic first letter is `Customer`.
    """
    return text if text.isascii() else _LETTERS.sub(_in_latin, text)


def _in_latin(word: re.Match[str]) -> str:
    return word.group().translate(_LATIN) if re.search("[A-Za-z]", word.group()) else word.group()

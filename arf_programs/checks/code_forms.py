"""The forms of one code: v2.1 for version 2.1, BA0123 for BA 123, T5 for terminal 5, 32x34 for 32 by 34."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from arf_programs.checks.finding import squeeze
from arf_programs.text import word_set

NUMBERED: Final = word_set("terminal gate platform room floor level route interstate bus zone version ticket")
"""Words that are written as their first letter before a number: T5, I-95."""

_SHORTEST: Final = 3
_SIZE: Final = re.compile(r"(\d+)x(\d+)")
_LETTER_FIRST: Final = re.compile(r"(?P<letter>[a-z])(?P<number>\d+)")
_LETTER_LAST: Final = re.compile(r"(?P<number>\d+)(?P<letter>[a-z])")
_QUARTERS: Final = ("first|1st", "second|2nd", "third|3rd", "fourth|4th")


def has_other_form(key: str, texts: Sequence[str]) -> bool:
    """Say whether one of the texts has the code in another form. `key` is in lower case, without punctuation."""
    bare = without_zeros(re.sub(r"^(?:v|0x)(?=\d)", "", key))
    if not any(char.isdigit() for char in bare):
        return False
    if len(bare) >= _SHORTEST and any(bare in without_zeros(squeeze(text)) for text in texts):
        return True
    forms = "|".join(_patterns(key))
    return forms != "" and any(re.search(forms, text, re.IGNORECASE) for text in texts)


def without_zeros(key: str) -> str:
    """Leave out the zeros between letters and a number: BA0123 is BA123."""
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", key)


def _patterns(key: str) -> list[str]:
    """Return what the code may be in words."""
    if size := _SIZE.fullmatch(key):
        return [rf"(?<!\d){size[1]}\W*(?:x|by|×|\*)\W*{size[2]}(?!\d)"]
    if last := _LETTER_LAST.fullmatch(key):
        return [rf"\b{last['number']}\b.*\bseat {last['letter']}\b"]
    first = _LETTER_FIRST.fullmatch(key)
    if first is None:
        return []
    number = int(first["number"])
    quarter = first["letter"] == "q" and 1 <= number <= len(_QUARTERS)
    words = [word for word in sorted(NUMBERED) if word[0] == first["letter"]]
    return [rf"\b{word} {number}\b" for word in words] + (
        [rf"\b(?:{_QUARTERS[number - 1]}) quarter\b"] if quarter else []
    )

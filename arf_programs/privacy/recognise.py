"""Recognise all private values of a text."""

from __future__ import annotations

from functools import lru_cache

from arf_programs.privacy.births import find_births
from arf_programs.privacy.patterns import find_patterns
from arf_programs.privacy.people import find_people
from arf_programs.privacy.streets import find_streets
from arf_programs.privacy.values import Found, Kind, without_overlaps


@lru_cache(maxsize=2048)
def recognise(text: str) -> tuple[Found, ...]:
    """Find the private values of a folded text, without overlaps, in the order of the text. Each word of a name is one.

    What a name or number means nothing to any pattern or phrase is not found: see docs/privacy.md.
    """
    found = [*find_births(text), *find_streets(text), *find_patterns(text)]
    found += [Found(Kind.NAME, start, end) for start, end in find_people(text)]
    return tuple(without_overlaps(found))

"""Find private values of a run's conversations in texts that others may see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from arf_programs.privacy.births import find_written_dates
from arf_programs.privacy.elsewhere import Value
from arf_programs.privacy.name_lists import STAND_INS
from arf_programs.privacy.people import NAME_PART
from arf_programs.privacy.recognise import recognise
from arf_programs.privacy.values import CODES, Kind, code_key, word_key
from arf_programs.privacy.words import COMMON_NAMES, NO_NAMES
from arf_programs.text import fold

_SHORTEST: Final = 5
_TOKEN: Final = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*")


class Seen(NamedTuple):
    """An original value that stands in a text, and where: a file, with its line."""

    kind: Kind
    value: str
    place: str


class Originals:
    """The original values that are looked for.

    Names that are common words, or that stand-ins are drawn from, and codes of fewer than five signs are left out:
    nobody can tell whether they are the original.
    """

    def __init__(self, values: Iterable[Value]) -> None:
        self._found: dict[str, Kind] = {}
        self._names: dict[str, str] = {}
        births = set()
        for kind, value, stand_in in values:
            if kind is Kind.NAME:
                self._add_name(value)
            elif kind in CODES:
                if len(code_key(value)) >= _SHORTEST:
                    self._found[code_key(value)] = kind
            elif kind is Kind.BIRTH_DATE:
                births |= {written.date for written in find_written_dates(value)}
            elif value != stand_in:
                self._found[" ".join(value.lower().split())] = kind
        self._births = frozenset(births)

    def __len__(self) -> int:
        return len(self._found) + len(self._names) + len(self._births)

    def _add_name(self, value: str) -> None:
        key = word_key(value)
        if len(key) > 1 and key not in COMMON_NAMES | NO_NAMES | STAND_INS:
            self._names[key] = value

    def find(self, text: str, place: str) -> Iterator[Seen]:
        """Yield the originals in a text, each once."""
        plain = fold(text).text
        seen = {(kind, value) for kind, value in self._values(plain)}
        for kind, value in sorted(seen):
            yield Seen(kind, value, place)

    def _values(self, text: str) -> Iterator[tuple[Kind, str]]:
        for word in NAME_PART.findall(text):
            if word[0].isupper() and word_key(word) in self._names:
                yield Kind.NAME, word
        for match in _TOKEN.finditer(text):
            if (kind := self._found.get(code_key(match.group()))) is not None:
                yield kind, match.group()
        for item in recognise(text):
            value = text[item.start : item.end]
            key = code_key(value) if item.kind in CODES else " ".join(value.lower().split())
            if (kind := self._found.get(key)) is not None:
                yield kind, value
        for written in find_written_dates(text) if self._births else ():
            if written.date in self._births:
                yield Kind.BIRTH_DATE, text[written.start : written.end]

"""Values that are known from a run's conversations, found in other texts.

They are those of other conversations, which stand in demonstrations, in categories and in notes, and the originals in
texts that others may see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Final, NamedTuple

from arf_programs.privacy.births import BirthDate, find_written_dates
from arf_programs.privacy.book import find_words
from arf_programs.privacy.people import NAME_PART
from arf_programs.privacy.recognise import recognise
from arf_programs.privacy.values import CODES, Found, Kind, code_key, word_key
from arf_programs.privacy.words import COMMON_NAMES, NO_NAMES, STAND_INS
from arf_programs.text import fold

_SHORTEST: Final = 5
_TOKEN: Final = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*")
_ELSEWHERE: Final = re.compile(r"(?:(?<![^\W_])|(?<=\\[ntr]))[^\W_]+(?:[-/.][^\W_]+)*")
_SHORTEST_ELSEWHERE: Final = 4
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


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


class Value(NamedTuple):
    """A private value of a conversation, as it is written, and its stand-in."""

    kind: Kind
    value: str
    stand_in: str


@dataclass(frozen=True)
class Elsewhere:
    """Words of names, codes, and dates of birth of all conversations.

    They count only where the conversation at hand does not have them: there its own recognisers decide. Names that are
    common words as well, and years, are left out.
    """

    names: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    births: frozenset[BirthDate] = frozenset()

    @classmethod
    def of(cls, values: Iterable[Value]) -> Elsewhere:
        """Collect what stands elsewhere from the values of all conversations."""
        names: set[str] = set()
        codes: set[str] = set()
        births: set[BirthDate] = set()
        for kind, value, stand_in in values:
            if kind is Kind.NAME:
                names.add(word_key(value))
            elif kind in CODES and not _YEAR.fullmatch(code_key(value)):
                codes.add(code_key(value))
            elif kind is Kind.STREET:
                names |= {word_key(word) for word in NAME_PART.findall(value) if word not in stand_in}
            elif kind is Kind.BIRTH_DATE:
                births |= {written.date for written in find_written_dates(value)}
        known = frozenset(name for name in names if len(name) > 1 and name not in COMMON_NAMES | NO_NAMES)
        return cls(known, frozenset(code for code in codes if len(code) >= _SHORTEST_ELSEWHERE), frozenset(births))

    def find(self, text: str, words: Set[str], codes: Set[str]) -> list[Found]:
        """Find these values in a text. `words` and `codes` are those of the conversation at hand."""

        def is_name(word: str) -> bool:
            key = word_key(word)
            return word[0].isupper() and key in self.names and key not in words

        found = find_words(text, is_name) if self.names else []
        for match in _ELSEWHERE.finditer(text) if self.codes else ():
            key = code_key(match.group())
            if key in self.codes and key not in codes:
                found.append(Found(Kind.NUMBER, *match.span()))
        if self.births:
            dates = (written for written in find_written_dates(text) if written.date in self.births)
            found += [Found(Kind.BIRTH_DATE, written.start, written.end) for written in dates]
        return found


def read_codes(text: str) -> frozenset[str]:
    """Return the words and codes of a text, as `code_key` writes them."""
    return frozenset(code_key(match.group()) for match in _ELSEWHERE.finditer(text))

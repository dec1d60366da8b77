"""Values of other conversations of a run, which stand in demonstrations, in categories and in notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final, NamedTuple

from arf_programs.privacy.births import BirthDate, find_written_dates
from arf_programs.privacy.book import find_words
from arf_programs.privacy.people import NAME_PART
from arf_programs.privacy.values import CODES, Found, Kind, code_key, word_key
from arf_programs.privacy.words import COMMON_NAMES, NO_NAMES

_TOKEN: Final = re.compile(r"(?:(?<![^\W_])|(?<=\\[ntr]))[^\W_]+(?:[-/.][^\W_]+)*")
_SHORTEST: Final = 4
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


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
        return cls(known, frozenset(code for code in codes if len(code) >= _SHORTEST), frozenset(births))

    def find(self, text: str, words: Set[str], codes: Set[str]) -> list[Found]:
        """Find these values in a text. `words` and `codes` are those of the conversation at hand."""

        def is_name(word: str) -> bool:
            key = word_key(word)
            return word[0].isupper() and key in self.names and key not in words

        found = find_words(text, is_name) if self.names else []
        for match in _TOKEN.finditer(text) if self.codes else ():
            key = code_key(match.group())
            if key in self.codes and key not in codes:
                found.append(Found(Kind.NUMBER, *match.span()))
        if self.births:
            dates = (written for written in find_written_dates(text) if written.date in self.births)
            found += [Found(Kind.BIRTH_DATE, written.start, written.end) for written in dates]
        return found


def read_codes(text: str) -> frozenset[str]:
    """Return the words and codes of a text, as `code_key` writes them."""
    return frozenset(code_key(match.group()) for match in _TOKEN.finditer(text))

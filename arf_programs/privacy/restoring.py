"""Restore values in the answer of a model: as they were sent, else with the case and punctuation of the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from arf_programs.privacy.births import BirthDate, find_written_dates, write_like
from arf_programs.privacy.book import cased, codes_pattern, like
from arf_programs.privacy.patterns import END, START
from arf_programs.privacy.values import CODES, Found, Kind, code_key

_GENITIVE: Final = r"(?=(?:['’]?s|['’])?(?![^\W_]))"
_SHORTEST_CODE: Final = 4
_APART: Final = 2


class _Replacement(NamedTuple):
    start: int
    end: int
    text: str


class Pairs:
    """The stand-ins of one request, each with the value that it stands for."""

    def __init__(self) -> None:
        self._texts: dict[Kind, dict[str, str]] = {}
        self._initials: dict[tuple[str, str], str] = {}
        self._births: dict[BirthDate, BirthDate] = {}

    def add(self, kind: Kind, stand_in: str, value: str) -> None:
        """Note that `stand_in` was written for `value`. Of two writings of a value the last one is restored."""
        if kind is not Kind.NAME or len(stand_in) > 1:
            self._texts.setdefault(kind, {})[stand_in] = value

    def add_initial(self, text: str, given: Found, surname: Found, write: Callable[[str, Found], str]) -> None:
        """Note the initial that a model may write for a given name before its surname, as in "T. Berg"."""
        if given.kind is Kind.NAME and 0 < surname.start - given.end <= _APART:
            letter = write(text, given)[0]
            self._initials.setdefault((letter, write(text, surname)), text[given.start])

    def note_births(self, births: Mapping[BirthDate, BirthDate]) -> None:
        """Note the dates of birth and their stand-ins."""
        self._births = {stand_in: date for date, stand_in in births.items()}

    def restore(self, text: str) -> str:
        """Return the text with the values in place of the stand-ins."""
        kept: list[_Replacement] = []
        for item in sorted(self._replacements(text), key=lambda item: item.start - item.end):
            if all(item.end <= other.start or other.end <= item.start for other in kept):
                kept.append(item)
        for item in sorted(kept, reverse=True):
            text = text[: item.start] + item.text + text[item.end :]
        return text

    def _replacements(self, text: str) -> Iterator[_Replacement]:
        for kind, texts in self._texts.items():
            if kind in CODES:
                yield from _codes(texts, text)
            elif kind is Kind.NAME:
                yield from _words(texts, text)
            elif kind is not Kind.BIRTH_DATE:
                yield from _wholes(texts, text)
        for written in find_written_dates(text) if self._births else ():
            if written.date in self._births:
                exact = self._texts.get(Kind.BIRTH_DATE, {}).get(text[written.start : written.end])
                changed = exact or write_like(text, written, self._births[written.date])
                yield _Replacement(written.start, written.end, changed)
        for (letter, surname), initial in self._initials.items():
            for match in re.finditer(rf"{START}{letter}(?=\.? {re.escape(surname)}{END})", text):
                yield _Replacement(*match.span(), initial)


def _codes(texts: Mapping[str, str], text: str) -> Iterator[_Replacement]:
    by_key = {code_key(stand_in): (stand_in, value) for stand_in, value in texts.items()}
    for match in codes_pattern(sorted(by_key, key=len, reverse=True)).finditer(text):
        written = match.group()
        if written in texts:
            yield _Replacement(*match.span(), texts[written])
        elif len(code_key(written)) >= _SHORTEST_CODE:
            yield _Replacement(*match.span(), like(written, code_key(by_key[code_key(written)][1])))


def _words(texts: Mapping[str, str], text: str) -> Iterator[_Replacement]:
    by_key = {stand_in.lower(): value for stand_in, value in texts.items()}
    pattern = "|".join(map(re.escape, sorted(by_key, key=len, reverse=True)))
    for match in re.finditer(rf"{START}(?:{pattern}){_GENITIVE}", text, re.IGNORECASE):
        written = match.group()
        value = texts.get(written) or _in_case(written, by_key[written.lower()])
        yield _Replacement(*match.span(), value)


def _in_case(written: str, value: str) -> str:
    if written.istitle() and value.islower():
        return value.capitalize()
    return value if written.istitle() and not value.isupper() else cased(written, value.capitalize())


def _wholes(texts: Mapping[str, str], text: str) -> Iterator[_Replacement]:
    """Find addresses, in any case and with any white space; a URL also without its scheme."""
    shorter = {key.partition("://")[2]: value.partition("://")[2] for key, value in texts.items() if "://" in key}
    by_key = {" ".join(key.lower().split()): value for key, value in {**shorter, **texts}.items()}
    keys = sorted(by_key, key=len, reverse=True)
    pattern = "|".join(r"\s+".join(map(re.escape, key.split())) for key in keys)
    for match in re.finditer(rf"{START}(?:{pattern})", text, re.IGNORECASE):
        yield _Replacement(*match.span(), by_key[" ".join(match.group().lower().split())])

"""Replace the private values of a conversation by stand-ins, and restore them in what a model answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from arf_programs.privacy.births import BirthDate, find_written_dates, write_like
from arf_programs.privacy.book import Book, cased, codes_pattern, like
from arf_programs.privacy.known_values import Elsewhere, Value, read_codes
from arf_programs.privacy.patterns import END, START, amounts_and_dates
from arf_programs.privacy.people import NAME_PART, names_of_value
from arf_programs.privacy.recognise import recognise
from arf_programs.privacy.values import CODES, Found, Kind, code_key, without_overlaps, word_key
from arf_programs.text import fold, meets

NOTHING: Final = Elsewhere()
_LETTERS: Final = re.compile(r"[^\W_]")
_WORDS: Final = re.compile(r"[^\W\d_]+")


Finder = Callable[[str], Iterable[tuple[int, int]]]
"""Returns the places of words of names in a folded text."""
_GENITIVE: Final = r"(?=(?:['’]?s|['’])?(?![^\W_]))"
_SHORTEST_CODE: Final = 4
_APART: Final = 2


class Pseudonyms:
    """The stand-ins of one conversation. They depend on the texts and the seed alone.

    Args:
        seed: of the random numbers.
        name: the conversation's id, or another name of the stream of random numbers.
        texts: all texts of the conversation, its turns first.
        names: values that are names, such as those of a column "agent".
        people: finds further words of names in a text, as a model of names does; given as `(start, end)` spans.
    """

    def __init__(
        self,
        seed: int,
        name: str,
        texts: Sequence[str],
        *,
        names: Iterable[str] = (),
        people: Finder | None = None,
    ) -> None:
        self._people = people
        self._stream = f"{seed} {name}"
        folded = [fold(text).text for text in texts]
        everything = "\n".join(folded)
        self.words = frozenset(word_key(word) for word in _WORDS.findall(everything))
        self.codes = read_codes(everything)
        self._letters = "".join(_LETTERS.findall(everything.lower()))
        self._book = Book(self._stream, self.words, self._letters)
        self.values = self._learn(folded, [word for value in names for word in names_of_value(fold(value).text)])

    def _learn(self, texts: Sequence[str], names: Sequence[str]) -> tuple[Value, ...]:
        """Draw the stand-ins of all values of the texts: long codes first, since others are their ends."""
        found = [(text, item) for text in texts for item in self._recognise(text)]
        codes = [pair for pair in found if pair[1].kind in CODES]
        others = [pair for pair in found if pair[1].kind not in CODES and pair[1].kind is not Kind.URL]
        for text, item in sorted(codes, key=lambda pair: pair[1].start - pair[1].end):
            self._book.write(text, item)
        for name in names:
            self._book.name(name)
        for text, item in others:
            self._book.write(text, item)
        values: dict[Value, None] = {}
        for text in texts:
            for item in self._find(text):
                values[Value(item.kind, text[item.start : item.end], self._book.write(text, item))] = None
        return tuple(values)

    def _recognise(self, text: str) -> list[Found]:
        found = recognise(text)
        people = self._people(text) if self._people else []
        words = (part.span() for span in people for part in NAME_PART.finditer(text, *span))
        return without_overlaps([*found, *(Found(Kind.NAME, start, end) for start, end in words)])

    def _find(self, text: str) -> list[Found]:
        return without_overlaps([*self._recognise(text), *kept_apart(text, self._book.find_known(text))])

    def for_request(self, elsewhere: Elsewhere = NOTHING) -> Request:
        """Begin a request, in which values of other conversations (`elsewhere`) are replaced as well."""
        return Request(self, elsewhere)


class Request:
    """What was replaced in one request: the texts of the conversation, and values that only the request has."""

    def __init__(self, pseudonyms: Pseudonyms, elsewhere: Elsewhere) -> None:
        self._of = pseudonyms
        self._elsewhere = elsewhere
        self._book = Book(f"{pseudonyms._stream} request", pseudonyms.words, pseudonyms._letters, pseudonyms._book)
        self.pairs = Pairs()

    def replace(self, text: str) -> str:
        """Return the text with stand-ins for all private values."""
        folded = fold(text)
        plain = folded.text
        parts: list[str] = []
        last = 0
        found = self._found(plain)
        for number, item in enumerate(found):
            start, end = folded.span(item.start, item.end)
            stand_in = self._write(plain, item)
            self.pairs.add(item.kind, stand_in, text[start:end])
            if item.kind is Kind.NAME and number:
                self.pairs.add_initial(plain, found[number - 1], item, self._write)
            parts += [text[last:start], stand_in]
            last = end
        return "".join([*parts, text[last:]])

    def _found(self, text: str) -> list[Found]:
        known = kept_apart(text, self._book.find_known(text))
        others = kept_apart(text, self._elsewhere.find(text, self._of.words, self._of.codes))
        return without_overlaps([*self._of._recognise(text), *known, *others])

    def _write(self, text: str, item: Found) -> str:
        written = self._book.write(text, item)
        self.pairs.note_births(self._book.birth_dates)
        return written

    def restore(self, text: str) -> str:
        """Return the text with the values in place of their stand-ins."""
        return self.pairs.restore(text)


def kept_apart(text: str, known: Iterable[Found]) -> list[Found]:
    """Leave out codes that are a part of an amount, a share or a date, since these stay."""
    codes = list(known)
    if not any(item.kind in CODES for item in codes):
        return codes
    kept = amounts_and_dates(text)
    return [item for item in codes if item.kind not in CODES or not meets(item, kept)]


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

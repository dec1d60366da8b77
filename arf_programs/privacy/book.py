"""The stand-ins of one conversation, in tables: codes, names, streets, addresses and dates of birth."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cached_property
from random import Random
from typing import Final

from arf_programs.privacy.births import BirthDate, draw_birth, find_written_dates, write_like
from arf_programs.privacy.patterns import END, START
from arf_programs.privacy.people import NAME_PART, joined_names
from arf_programs.privacy.recognise import street_words
from arf_programs.privacy.stand_ins import draw_code, draw_email, draw_name, draw_street, draw_url
from arf_programs.privacy.values import CODES, Found, Kind, code_key, word_key
from arf_programs.privacy.words import COMMON_NAMES, GIVEN, KNOWN_SURNAMES, NO_NAMES, is_name_word

_BETWEEN: Final = r"[ ./()#\u00a0-]{0,2}"
_SHORTEST: Final = 4
_SHORTEST_GENITIVE: Final = 4
_SHORTEST_PART: Final = 5
_SHORTEST_MISSPELLED: Final = 5
_TAIL: Final = 4
_SEPARATOR: Final = re.compile(r"[-/_ .#]+")
_INITIAL: Final = re.compile(rf"{START}(?P<letter>[A-Z])\. $")


class Book:
    """Draws a stand-in for each value once, and gives the same one for the same value afterwards.

    Args:
        stream: names the stream of random numbers: the seed, the conversation, and what is drawn for it.
        words: words in lower case that no stand-in may be.
        letters: all letters and digits of the texts, in lower case; no code may be a part of them.
        first: a book whose stand-ins are used where it has one.
    """

    def __init__(self, stream: str, words: Collection[str], letters: str, first: Book | None = None) -> None:
        self._stream, self._words, self._letters = stream, words, letters
        self._codes: dict[str, tuple[Kind, str]] = dict(first._codes) if first else {}
        self._names: dict[str, str] = dict(first._names) if first else {}
        self._streets: dict[str, str] = dict(first._streets) if first else {}
        self._emails: dict[str, str] = dict(first._emails) if first else {}
        self._births: dict[BirthDate, BirthDate] = dict(first._births) if first else {}
        self._urls: dict[str, str] = dict(first._urls) if first else {}
        self._houses: dict[str, str] = dict(first._houses) if first else {}
        self._used: set[str] = set(first._used) if first else set()
        self._drawn = 0

    def __bool__(self) -> bool:
        return bool(self._codes or self._names or self._streets or self._emails or self._births)

    @property
    def birth_dates(self) -> dict[BirthDate, BirthDate]:
        """The dates of birth and their stand-ins."""
        return self._births

    def write(self, text: str, found: Found) -> str:
        """Return the stand-in of a value of `text`, written as the value is."""
        value = text[found.start : found.end]
        if found.kind in CODES:
            written = like(value, self.code(found.kind, code_key(value)))
            self._note_parts(found.kind, value)
            return written
        match found.kind:
            case Kind.NAME:
                return self.write_word(value)
            case Kind.EMAIL:
                return self._email(value)
            case Kind.URL:
                return self._url(value)
            case Kind.STREET:
                return self._street(text, found)
        return self._birth(text, found)

    def code(self, kind: Kind, key: str) -> str:
        """Return the stand-in of a code, both as letters and digits in lower case.

        The end of a longer number has the end of its stand-in: a card and its last four digits, and a phone number with
        and without the code of the country.
        """
        if key not in self._codes:
            self._codes[key] = (kind, self._tail(key) or draw_code(kind, key, self._random(), self._is_taken_code))
        return self._codes[key][1]

    def _note_parts(self, kind: Kind, value: str) -> None:
        """Give the parts of a code the parts of its stand-in: a text may name `D3NB5VD` alone of `1-D3NB5VD`."""
        stand_in, start = self.code(kind, code_key(value)), 0
        for part in map(code_key, _SEPARATOR.split(value)):
            if _SHORTEST_PART <= len(part) < len(stand_in):
                self._codes.setdefault(part, (kind, stand_in[start : start + len(part)]))
            start += len(part)

    def _tail(self, key: str) -> str:
        core = key.lstrip("0")
        if not key.isdecimal() or len(core) < _TAIL:
            return ""
        for longer, (_, stand_in) in self._codes.items():
            if len(longer) > len(core) and longer.endswith(core):
                return key[: len(key) - len(core)] + stand_in[-len(core) :]
        return ""

    def name(self, word: str) -> str:
        """Return the stand-in of a word of a name, capitalised. An initial has another letter."""
        key = word_key(word)
        stem = key[:-1]
        if key not in self._names and key.endswith("s") and len(stem) >= _SHORTEST_GENITIVE and stem in self._names:
            return f"{self._names[stem]}s"
        if key not in self._names:
            random = self._random()
            if len(key) == 1:
                self._names[key] = random.choice([letter for letter in "ABCDEFGHJKLMNOPRSTVW" if letter.lower() != key])
            else:
                drawn = self._misspelled(key) or draw_name(
                    key,
                    is_given=key in GIVEN,
                    random=random,
                    taken=lambda word: word == key or self._is_taken_word(word),
                )
                self._used.add(drawn.lower())
                self._names[key] = drawn
        return self._names[key]

    def _misspelled(self, key: str) -> str:
        """Return the misspelled stand-in of a known name for a misspelling of that name; empty for any other word."""
        near = self._name_near(key)
        if near is None:
            return ""
        stand_in = self._names[near]
        doubled = (stand_in[:place] + stand_in[place - 1 :] for place in range(2, len(stand_in)))
        return next((word for word in doubled if not self._is_taken_word(word.lower())), "")

    def _name_near(self, key: str) -> str | None:
        """Return the known name that a word misspells by one letter. Known names of people misspell no other."""
        if len(key) < _SHORTEST_MISSPELLED or key in GIVEN | KNOWN_SURNAMES:
            return None
        names = (name for name in self._names if len(name) >= _SHORTEST_MISSPELLED and name != key)
        return next((name for name in names if is_misspelling(key, name)), None)

    def _email(self, value: str) -> str:
        if "@" not in value:
            return like(value, self.code(Kind.NUMBER, code_key(value)))
        key = value.lower()
        if key not in self._emails:
            self._emails[key] = draw_email(key, self._random(), self._is_taken_word, self._code_in_url)
            self._used.add(self._emails[key].partition("@")[0])
        return self._emails[key].upper() if value.isupper() else self._emails[key]

    def _url(self, value: str) -> str:
        if value not in self._urls:
            self._urls[value] = draw_url(value, self._random(), self._code_in_url, self._is_private)
        return self._urls[value]

    def _street(self, text: str, found: Found) -> str:
        written = text[found.start : found.end]
        for start, end in reversed(street_words(text, found.start, found.end)):
            word = text[start:end]
            written = (
                written[: start - found.start] + cased(word, self._street_word(word)) + written[end - found.start :]
            )
        return re.sub(r"\d+", lambda digits: self._house(digits.group()), written)

    def _street_word(self, word: str) -> str:
        key = word_key(word)
        if key not in self._streets:
            self._streets[key] = draw_street(self._random(), lambda word: word == key or self._is_taken_word(word))
            self._used.add(self._streets[key].lower())
        return self._streets[key]

    def _house(self, digits: str) -> str:
        if digits not in self._houses:
            self._houses[digits] = draw_code(Kind.NUMBER, digits, self._random(), lambda _: False)
            if len(digits) >= _SHORTEST:  # a text may have the number alone
                self._codes.setdefault(digits, (Kind.NUMBER, self._houses[digits]))
        return self._houses[digits]

    def _birth(self, text: str, found: Found) -> str:
        for written in find_written_dates(text[found.start : found.end]):
            if written.date not in self._births:
                self._births[written.date] = draw_birth(written.date, self._random())
            return write_like(text[found.start : found.end], written, self._births[written.date])
        return text[found.start : found.end]

    def _code_in_url(self, piece: str) -> str:
        return like(piece, self.code(Kind.NUMBER, code_key(piece)))

    def _is_private(self, piece: str) -> bool:
        parts = [word_key(part.group()) for part in NAME_PART.finditer(piece)]
        return any(part in self._names and part not in NO_NAMES for part in parts)

    def _is_taken_code(self, key: str) -> bool:
        return (
            key in self._codes or any(key == stand_in for _, stand_in in self._codes.values()) or key in self._letters
        )

    def _is_taken_word(self, word: str) -> bool:
        return word in self._used or word in self._words or word in self._names or word in self._streets

    def _random(self) -> Random:
        self._drawn += 1
        return Random(f"{self._stream} {self._drawn}")  # noqa: S311 - no secret is made of it

    def find_known(self, text: str) -> list[Found]:
        """Find the values of this book in a folded text: codes with any punctuation, dates in any form, and names."""
        found = [
            Found(self._codes[code_key(match.group())][0], *match.span())
            for match in (self._code_pattern.finditer(text) if self._code_pattern else ())
        ]
        if self._births:
            found += [
                Found(Kind.BIRTH_DATE, written.start, written.end)
                for written in find_written_dates(text)
                if written.date in self._births
            ]
        names = find_words(text, self.knows_name)
        initials = (_INITIAL.search(text, 0, name.start) for name in names)
        return [*found, *names, *(Found(Kind.NAME, *match.span("letter")) for match in initials if match)]

    @cached_property
    def _code_pattern(self) -> re.Pattern[str] | None:
        keys = sorted((key for key in self._codes if len(key) >= _SHORTEST), key=len, reverse=True)
        return codes_pattern(keys) if keys else None

    def knows_name(self, word: str) -> bool:
        """Say whether a word, as it is written, is a known name or the name of a known street."""
        key = word_key(word)
        if len(key) < 2 or (key not in self._names and key not in self._streets):
            return self._knows_joined(word) or self._knows_misspelled(word, key)
        common = key in COMMON_NAMES or key in NO_NAMES or key not in self._names
        return not common or word[0].isupper()

    def _knows_joined(self, word: str) -> bool:
        return any(word_key(part) in self._names for part in joined_names(word) if len(part) >= _SHORTEST)

    def _knows_misspelled(self, word: str, key: str) -> bool:
        return word[0].isupper() and is_name_word(word) and self._name_near(key) is not None

    def write_word(self, word: str) -> str:
        """Return the stand-in of a name, or of the name of a known street."""
        key = word_key(word)
        if key not in self._names and self._knows_joined(word):
            return "".join(self.name(part) if word_key(part) in self._names else part for part in joined_names(word))
        is_street = key in self._streets and key not in self._names
        return cased(word, self._streets[key] if is_street else self.name(word))


def find_words(text: str, known: Callable[[str], bool]) -> list[Found]:
    """Find words that `known` knows, also with a genitive ending."""
    found = []
    for match in NAME_PART.finditer(text):
        word = match.group()
        start = match.start() + (1 if word[0] in "ntr" and text[match.start() - 1 : match.start()] == "\\" else 0)
        word = text[start : match.end()]
        for ending in ("", "'s", "’s", "s", "'", "’"):
            stem = word.removesuffix(ending) if word.endswith(ending) else ""
            if stem and (ending != "s" or len(stem) >= _SHORTEST_GENITIVE) and known(stem):
                found.append(Found(Kind.NAME, start, start + len(stem)))
                break
    return found


def is_misspelling(word: str, other: str) -> bool:
    """Say whether two words differ in one letter, in one that is missing, or in two that changed places."""
    if abs(len(word) - len(other)) > 1 or word[0] != other[0]:
        return False
    start = next((place for place, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), None)
    if start is None:
        return len(word) != len(other)
    swapped = word[start + 1 : start + 2] + word[start] + word[start + 2 :] == other[start:]
    rests = ((1, 1),) if len(word) == len(other) else ((1, 0), (0, 1))
    return swapped or any(word[start + a :] == other[start + b :] for a, b in rests)


def codes_pattern(keys: Collection[str]) -> re.Pattern[str]:
    """Return a pattern for codes of letters and digits, with any case and punctuation."""
    written = (_BETWEEN.join(map(re.escape, key)) for key in keys)
    return re.compile(rf"{START}(?:{'|'.join(written)}){END}", re.IGNORECASE)


def like(form: str, key: str) -> str:
    """Write the letters and digits of `key` with the case and the punctuation of `form`."""
    signs = iter(key)
    written = [
        (sign.upper() if character.isupper() else sign)
        if character.isalnum() and (sign := next(signs, ""))
        else ("" if character.isalnum() else character)
        for character in form
    ]
    return "".join(written) + "".join(signs)


def cased(form: str, name: str) -> str:
    """Write a capitalised name in the case of `form`."""
    if len(form) > 1 and form.isupper():
        return name.upper()
    return name.lower() if form.islower() else name

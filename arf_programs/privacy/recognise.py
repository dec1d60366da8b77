"""Recognise all private values of a text, and street addresses in the forms of several languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from arf_programs.privacy.births import find_births
from arf_programs.privacy.patterns import END, START, find_patterns
from arf_programs.privacy.people import find_people
from arf_programs.privacy.values import Found, Kind, without_overlaps
from arf_programs.text import word_set

_WORD: Final = r"[^\W\d_][\w'’.-]*"
_CAPITAL: Final = r"(?-i:[A-ZÀ-ÖØ-ÞŁŚŻŹĆŃ])[\w'’.-]*"
_SUFFIX: Final = (
    r"Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Terrace|Crescent|Close|Place|Pl|Square|"
    r"Sq|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Gardens|Grove|Mews|Row|Hill|Walk|Trail"
)
_PLAIN_SUFFIX: Final = r"street|avenue|road|lane|drive|boulevard|crescent|terrace"
_UNIT: Final = r"(?:,? (?:apt|apartment|flat|unit|suite|ste|floor|#)\.? ?#?\w{1,5})?"
_NUMBER: Final = r"\d{1,5}(?:[ -]?[A-Za-z](?![^\W_]))?(?:[-/]\d{1,4})?"
_GERMAN: Final = r"stra(?:ß|ss)e|str\.?|weg|allee|platz|gasse|damm|ufer|ring|steig|chaussee"
_DUTCH: Final = r"straat|laan|plein|gracht|kade|dreef|singel|weg"
_ROMANCE: Final = (
    r"rue|avenue|boulevard|place|chemin|impasse|allée|quai|calle|c/|avenida|avda\.?|plaza|paseo|carrer|ronda|via|viale|"
    r"piazza|corso|largo|rua|ul\.|ulica|aleja"
)
_SMALL: Final = r"de|du|des|la|le|les|l'|d'|del|della|dei|di|los|las|da|do|dos|das|van|den|der|dem|am|an|im|zum|zur"
_ENGLISH: Final = re.compile(
    rf"{START}(?P<number>{_NUMBER}) (?P<words>(?:{_CAPITAL} ){{1,3}})(?P<suffix>{_SUFFIX})\.?{END}{_UNIT}",
    re.IGNORECASE,
)
_TYPED: Final = re.compile(
    rf"{START}(?P<number>{_NUMBER}) (?P<words>(?:[a-z'’-]+ ){{1,2}})(?P<suffix>{_PLAIN_SUFFIX}){END}{_UNIT}"
)
_COMPOUND: Final = re.compile(
    rf"{START}(?P<words>[^\W\d_][^\W\d_-]+?(?:-[^\W\d_]+)*?)-?(?P<suffix>{_GERMAN}|{_DUTCH}) "
    rf"(?P<number>{_NUMBER}){END}",
    re.IGNORECASE,
)
_APART: Final = re.compile(
    rf"{START}(?P<words>{_CAPITAL}(?:[ -]{_CAPITAL}){{0,2}}[ -])"
    rf"(?P<suffix>Stra(?:ß|ss)e|Str\.|Weg|Allee|Platz|Straat|Laan) (?P<number>{_NUMBER}){END}"
)
_NAMED: Final = re.compile(
    rf"{START}(?:(?P<number>{_NUMBER})(?: ?(?:bis|ter))?,? )?(?P<suffix>(?:{_ROMANCE}))(?P<words>(?:(?: |(?<=[/'’.]))"
    rf"(?:(?:{_SMALL})(?![^\W_])|(?:l|d)['’]{_WORD}|{_CAPITAL})){{1,5}})"
    rf"(?:,?(?: n\.?[º°]?)? (?P<after>{_NUMBER}))?{END}",
    re.IGNORECASE,
)
_BOX: Final = re.compile(rf"\b(?:P\.? ?O\.? Box|Postfach|BP) (?P<number>\d{{2,6}}){END}", re.IGNORECASE)
_CITY: Final = re.compile(rf",? ?(?:\n|\\n)?(?P<number>\d{{4,5}}(?: [A-Z]{{2}}(?![^\W_]))?)(?= {_CAPITAL})")
_PATTERNS: Final = (_ENGLISH, _TYPED, _COMPOUND, _APART, _NAMED, _BOX)
_SMALL_WORD: Final = re.compile(rf"(?:{_SMALL})", re.IGNORECASE)
_PIECES: Final = re.compile(r"[^\W\d_]+")
_NO_STREET: Final = word_set("the a an this that one each every same other long main way is was to on by my our")


@lru_cache(maxsize=2048)
def recognise(text: str) -> tuple[Found, ...]:
    """Find the private values of a folded text, without overlaps, in the order of the text. Each word of a name is one.

    What a name or number means nothing to any pattern or phrase is not found: see docs/privacy.md.
    """
    found = [*find_births(text), *find_streets(text), *find_patterns(text)]
    found += [Found(Kind.NAME, start, end) for start, end in find_people(text)]
    return tuple(without_overlaps(found))


def find_streets(text: str) -> list[Found]:
    """Find street addresses (name of the street, number of the house), post-office boxes, and postcodes after."""
    found = []
    for match in _matches(text):
        found.append(Found(Kind.STREET, *match.span()))
        city = _CITY.match(text, match.end())
        if city:
            found.append(Found(Kind.NUMBER, *city.span("number")))
    return found


def _matches(text: str) -> Iterator[re.Match[str]]:
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            numbered = groups.get("number") or groups.get("after")
            words = [word.lower() for word in _PIECES.findall(groups.get("words") or "")]
            if numbered and not (pattern is _TYPED and _NO_STREET & set(words)):
                yield match


def street_words(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the places of the words that name the street at `start:end`."""
    words = []
    for match in _matches(text):
        if match.span() == (start, end) and match.groupdict().get("words"):
            first = match.start("words")
            for piece in _PIECES.finditer(match["words"]):
                if len(piece.group()) > 1 and not _SMALL_WORD.fullmatch(piece.group()):
                    words.append((first + piece.start(), first + piece.end()))
    return words

"""What may stand before the colon of a turn: roles and names of people, in many languages and forms."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from arf_programs.corpus.speakers.mail import is_header_word, is_quotation
from arf_programs.corpus.speakers.stamps import plain_line
from arf_programs.corpus.speakers.words import (
    FIELD,
    FIELD_NOUNS,
    GREETINGS,
    HEADINGS,
    LABEL_WORDS,
    NO_SPEAKERS,
    OPENINGS,
    PARTICLES,
    PROFESSION,
    ROLE,
    ROLE_PHRASES,
    SERVES,
    SYSTEMS,
)
from arf_programs.text import GIVEN_NAMES, MEN_ABROAD, WOMEN_ABROAD, word_set

QUOTED: Final = "quoted"
Kind = Literal["plain", "name", "marked"]
_LABEL = re.compile(r"(?P<label>[^\W\d_][^:：\n]{0,39})[:：](?!//)(?P<text>.*)", re.DOTALL)
_LONG_LABEL = re.compile(r"(?P<label>[^:：\n]{1,80})[:：](?!//)(?P<text>.*)", re.DOTALL)
_BRACKETS = re.compile(r"\([^()]*\)")
_ANY_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>\s]+@[^<>\s]+>")
_NOT_IN_LABEL = re.compile(r"[\t,;!?\"“”„<>=*|(){}\[\]]")
_NOT_IN_NAME = re.compile(r"[;!?\"“”„<>=*{}\[\]()/\\#$%^+0-9]")
_PHONE = re.compile(r"\+\d[\d\s().\-/]{6,20}\d|\(\d{2,5}\)[\d\s.\-/]{5,15}\d|\d{2,5}(?:[\s.\-/]\d{2,8}){2,5}")
_QUOTES = "\"“”„«»‘’'`_「」『』"
_QUOTED = re.compile(
    rf"(?P<mark>[{_QUOTES}\[])\s?(?P<label>[^\"“”„«»「」『』\[\]:：\n]{{1,60}}?)\s?(?:[{_QUOTES}\]]\s*[:：](?!//)|"
    rf"[:：]\s?[{_QUOTES}\]](?=\s))(?P<text>.*)",
    re.DOTALL,
)
_SAYS = re.compile(r"\s+(?:says?|said|sagt(?:e)?|dice|dit|zegt)$", re.IGNORECASE)
_MASKED = re.compile(
    r"(?:[#<]|\{\{?)\s?(?P<label>[^\W\d_][\w ]{0,30}?)\s?(?:[#>]|\}\}?)\s?[:：](?!//)(?P<text>.*)", re.DOTALL
)
_TITLED = re.compile(r"(?P<label>[^\W\d_][^:：\n,]{1,40},\s[^:：\n,;!?]{2,40})\s?[:：](?!//)(?P<text>.*)", re.DOTALL)
_HANDLE = re.compile(r"[\w.@-]+(?:\s\W+)?")
_MARK = re.compile(r"(?P<mark>\*\*|__|\*|[-–•]\s+|\d{1,4}[.)]\s+|\[\d{1,4}\]\s*|#{1,6}\s+|[~@]\s*)")

_SENTENCE = re.compile(r"[^\W\d]{2}[.?!…。！？][\"'”’)]*\s*$|(?:\S+\s+){4}")  # a sentence, and no value of a form


@dataclass(frozen=True)
class Label:
    """A label before a colon and the text behind it.

    `plain` labels are one to four words. A `name` has another form that names have: `Miller, Joe`, a phone number, or
    five words and more. A `marked` label has an emoji, a star or another mark before it.
    """

    name: str
    text: str
    kind: Kind = "plain"
    mark: str = ""

    @property
    def is_role(self) -> bool:
        """Whether the last word is a role. A number or a letter may follow it, or a role stands in brackets.

        Only the last word counts, since `User ID: ...` and `Customer name: ...` are fields. `Agent Anna` is a role too.
        """
        first, *rest = _ANY_BRACKETS.sub("", self.name).split() or [""]
        if rest and ROLE.fullmatch(first) and (_is_person(rest) or _has_surname(first, rest)):
            return True
        if PROFESSION.fullmatch(" ".join([first, *rest])) and _SENTENCE.search(self.text):
            return True
        inside = re.findall(r"[(\[]([^()\[\]]*)[)\]]", self.name)
        return any(_ends_in_role(part) for part in (_ANY_BRACKETS.sub("", self.name), *inside))

    @property
    def is_person(self) -> bool:
        """Whether it is a common given name, alone or with other names: `Anna`, `Miller, Joe`."""
        words = _ANY_BRACKETS.sub("", self.name).split()
        return _is_person(words[1:] + words[:1] if words and words[0].endswith(",") else words)

    def may_be_person(self, first: Label) -> bool:
        """Whether it may be the name of a person that no list has: written like `first`, and no word of a form."""
        if _style(self.name) != _style(first.name):
            return False
        words = [word.casefold() for word in _ANY_BRACKETS.sub("", self.name).split()]
        if not 1 <= len(words) <= 3 or not is_name(self.name.title()) or self.is_role or FIELD.fullmatch(words[0]):
            return False
        return not any(word in _NO_PERSON or word.endswith(_NO_PERSON_ENDINGS) for word in words)

    @property
    def is_field(self) -> bool:
        """Whether all words are those of forms and signatures."""
        words = re.findall(r"[^\W\d_][\w-]*", self.name.casefold())
        return bool(words) and all(word in FIELD_NOUNS for word in words)

    @property
    def is_heading(self) -> bool:
        """Whether it stands above a chat, not before a turn: `Ticket: ...`, `Chat started: ...`, `Agent name: ...`."""
        words = re.findall(r"[^\W\d_][\w-]*", self.name.casefold())
        return self.is_field or bool(words and (words[0] in HEADINGS or (words[-1] in FIELD_NOUNS and len(words) > 1)))


_GIVEN: Final = (
    GIVEN_NAMES
    | WOMEN_ABROAD
    | MEN_ABROAD
    | word_set("ali ann beth bob dan greg josh kate liz matt meg nick sam ted tim")
) - {"guy", "per"}
_NO_PERSON: Final = FIELD_NOUNS | HEADINGS | OPENINGS | LABEL_WORDS | NO_SPEAKERS | SYSTEMS
_ABOUT_AGENTS: Final = word_set(
    "action comments feedback group id identity info notes name names note opinion outcome queue rating reply response "
    "reviews script side skill skills state statement summary team training transfer view wrapup"
)
_NO_PERSON_ENDINGS: Final = ("tion", "sion", "ness", "ings", "ments", "tät", "ung", "ungen")


def _style(name: str) -> str:
    return "upper" if name.isupper() and len(name) > 1 else "lower" if name.islower() else "mixed"


def _is_person(words: list[str]) -> bool:
    given = bool(words) and words[0].strip(",").casefold() in _GIVEN
    return given and all(_is_name_word(word) and word.casefold() not in FIELD_NOUNS for word in words)


def _has_surname(first: str, rest: list[str]) -> bool:
    """Say whether a word for somebody who serves customers stands before a name that no list has: `Agent Smith`."""
    if len(rest) > 1 or not SERVES.fullmatch(first) or not _is_capital(rest[0]):
        return False
    word = rest[0].casefold()
    return rest[0].isalpha() and not rest[0].isupper() and len(word) > 2 and not _is_common(word)


def _is_common(word: str) -> bool:
    return (
        word in _NO_PERSON
        or word in _ABOUT_AGENTS
        or word.endswith(_NO_PERSON_ENDINGS)
        or ROLE.fullmatch(word) is not None
    )


def read_label(line: str) -> Label | None:
    """Split a line that may begin a turn. None for any other, such as an indented one."""
    match = _LABEL.match(line)
    if match and _is_plain(match["label"].strip()):
        return None if is_quotation(line) else Label(_SAYS.sub("", match["label"].strip()), match["text"])
    shown = plain_line(line)
    match = _LONG_LABEL.match(shown)
    if match is None or shown[0].isspace() or is_quotation(line):
        return None
    name = match["label"].strip()
    if is_name(name):
        return Label(name, match["text"], "name")
    if masked := _MASKED.match(shown):
        return Label(masked["label"], masked["text"])
    return _read_titled(shown) or _read_marked(shown)


def _read_titled(line: str) -> Label | None:
    """Read a name with what the person does behind a comma: `Anna, Tier 2 Support: ...`."""
    match = _TITLED.match(line)
    if match is None:
        return None
    name, _, title = match["label"].partition(",")
    return Label(match["label"].strip(), match["text"], "name") if is_name(name) and _ends_in_role(title) else None


def _is_plain(label: str) -> bool:
    """Say whether a label is one to four words without marks of a sentence, and no word of a form or a mail."""
    plain = _BRACKETS.sub("", label)
    words = plain.split()
    if not 1 <= len(words) <= 4 or _NOT_IN_LABEL.search(plain) or FIELD.fullmatch(words[0]):
        return False
    return not is_header_word(" ".join(words)) and words[0].casefold() not in GREETINGS


def is_name(label: str) -> bool:
    """Say whether a label has a form of names: `Miller, Joe`, `Joe [Agent]`, five words and more, or a phone number."""
    if _PHONE.fullmatch(label):
        return True
    if not label[:1].isalpha():
        return False
    plain = _ANY_BRACKETS.sub(" ", label).strip(" ,")
    words = re.split(r"[\s,|–—-]+", plain)
    if not 1 <= len(words) <= 8 or _NOT_IN_NAME.search(plain) or not plain or plain.count(",") > 2:
        return False
    if words[0].casefold().strip(".") in OPENINGS or is_header_word(plain):
        return False
    return all(_is_name_word(word) for word in words) and _is_capital(words[0])


def _is_name_word(word: str) -> bool:
    return _is_capital(word) or word.casefold() in PARTICLES or word.casefold().startswith(("d'", "d’"))


def _is_capital(word: str) -> bool:
    """Say whether a word begins with a capital letter, or with one of a script without capitals."""
    first = word.lstrip("'’.")[:1]
    return (first.isalpha() and first.lower() != first) or (first.isalpha() and first.upper() == first)


def _read_marked(line: str) -> Label | None:
    """Read a label behind an emoji, stars or the mark of a list."""
    quoted = _QUOTED.match(line)
    if quoted and (_is_plain(quoted["label"].strip()) or is_name(quoted["label"].strip())):
        return Label(quoted["label"].strip(), quoted["text"], "marked", QUOTED)
    match = _MARK.match(line)
    length = match.end() if match else _length_of_symbols(line)
    if not length:
        return None
    mark, rest = line[:length].strip(), line[length:]
    if mark in ("**", "__", "*"):
        rest = re.sub(
            r"^([^:：]{1,60}?)\s*(?:" + re.escape(mark) + r"\s*([:：])|([:：])\s*" + re.escape(mark) + ")", r"\1:", rest
        )
    found = _LONG_LABEL.match(rest)
    if found is None:
        return None
    name = found["label"].strip()
    if mark.startswith("@"):
        return Label(name.split()[0], found["text"], "marked", "@") if _HANDLE.fullmatch(name) else None
    if not ((_is_plain(name) and name[0].isalpha()) or is_name(name)):
        return None
    if unicodedata.category(mark[0]) in _SYMBOLS:
        return Label(f"{mark} {name}", found["text"], "marked", "symbol")
    return Label(name, found["text"], "marked", re.sub(r"\d+", "9", mark))


_SYMBOLS: Final = frozenset(["So", "Sk", "Cf", "Mn"])


def _length_of_symbols(line: str) -> int:
    """Count the emoji and other symbols at the beginning of a line, with the spaces behind them."""
    length = 0
    while length < len(line) and unicodedata.category(line[length]) in _SYMBOLS:
        length += 1
    while 0 < length < len(line) and line[length] == " ":
        length += 1
    return length


def _ends_in_role(text: str) -> bool:
    words = re.findall(r"[^\W\d_]{2,}(?:[\u0900-\u0dff\u0e00-\u0e7f]+)*", text)
    if not words:
        return False
    return bool(ROLE.fullmatch(words[-1])) or " ".join(words[-2:]).casefold() in ROLE_PHRASES

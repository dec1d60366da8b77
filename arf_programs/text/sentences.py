"""Sentences and tokens of a summary. Both are exact substrings and need no model and no download."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple, Protocol

from arf_programs.text.characters import fold

_TOKEN: Final = re.compile(r"\w+(?:['’.,:/-]\w+)*|[^\w\s]")


class Token(NamedTuple):
    """A token at `start:end` of its text. `key` is the token in lower case and in one encoding (see characters.py)."""

    key: str
    start: int
    end: int


class Placed(Protocol):
    """A part of a text, at `start:end`."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


def meets(part: Placed, spans: Iterable[tuple[int, int]]) -> bool:
    """Say whether a part of a text has a character in common with one of the places."""
    return any(start < part.end and part.start < end for start, end in spans)


def tokenize(text: str) -> list[Token]:
    """Split `text` into words, numbers with their decimals ("18.90"), and single punctuation marks or signs."""
    folded = fold(text)
    return [Token(m.group().lower(), *folded.span(*m.span())) for m in _TOKEN.finditer(folded.text)]


def split_tokens(text: str) -> list[str]:
    """Return the keys of the tokens of `text`."""
    return [token.key for token in tokenize(text)]


def split_words(text: str) -> list[str]:
    """Return the keys of the tokens of `text` that are words or numbers."""
    return [key for key in split_tokens(text) if key[0].isalnum()]


def align_tokens(correct: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Align two lists of tokens. Return {index in `correct`: index in `other`} of those they have in the same order.

    difflib.SequenceMatcher matches blocks (Ratcliff and Obershelp's "gestalt" pattern matching). The direction is
    always the same, so that equal texts are aligned equally.
    """
    matcher = SequenceMatcher(None, other, correct, autojunk=False)
    return {block.b + step: block.a + step for block in matcher.get_matching_blocks() for step in range(block.size)}


def word_set(words: str) -> frozenset[str]:
    """Make a set of the words of a string. Word lists are written as such strings."""
    return frozenset(words.split())


_END: Final = re.compile(r"(?P<stop>[.!?…]+)(?P<closers>[\"'”’)\]]*)(?=\s|$)")
_BREAK: Final = re.compile(r"\s*\n\s*")
_MARKER: Final = re.compile(r"(?:[-*•–]|\(?\d{1,2}[.)]|\(?[a-z]\))\s")
_NUMBERED: Final = re.compile(r"\s*\(?(?:\d{1,2}|[A-Za-z])\.")
_LAST_WORD: Final = re.compile(r"[\w.'’&-]+$")

_NEVER_LAST: Final = word_set(
    "mr mrs ms mx dr prof rev hon capt lt sgt gen col messrs e.g eg i.e ie vs cf viz approx incl excl esp resp fig "
    "tel ext nr art sec vol pp ca"
)
"""Abbreviations after which a sentence goes on, whatever follows."""

_BEFORE_NUMBER: Final = word_set("no nos num p op ch min max jan feb mar apr jun jul aug sep sept oct nov dec")
"""Abbreviations after which a sentence goes on when a number follows."""

_SELDOM_LAST: Final = word_set(
    "st ave rd blvd ln inc ltd co corp llc plc gmbh jr sr dept bldg apt u.s u.k u.s.a e.u d.c ph.d m.d b.a"
)
"""Abbreviations that end a sentence only before a word that usually opens one."""

_ANY_CASE: Final = frozenset(("a.m", "p.m", "etc", "hrs", "mins", "no", "min", "max"))
"""Abbreviations that end a sentence only before a capital letter."""

_OPENERS: Final = word_set(
    "the this that these those he she it they we you his her its their there then when while after before as because "
    "since although though if however customer agent bot both no in on at for finally also later meanwhile afterwards "
    "an client representative caller user"
)


def is_list_marker(text: str, start: int, end: int) -> bool:
    """Say whether the number at `start:end` only numbers an item of a list: "2. " or "(2) " at the start of a line."""
    line = text.rfind("\n", 0, start) + 1
    marker = _MARKER.match(text, start - (text[max(0, start - 1) : start] == "("))
    return marker is not None and not text[line:start].strip(" \t(") and end <= marker.end()


def find_sentences(text: str) -> list[tuple[int, int]]:
    """Find the `(start, end)` span of each sentence of `text`, in order, without the white space around it.

    A line break ends a sentence, except in a wrapped line: no final punctuation, and the next line begins in lower
    case. Abbreviations, initials, decimals, addresses and list markers ("2. ") do not end a sentence.
    """
    spans: list[tuple[int, int]] = []
    for start, end in _lines(text):
        begin = start
        for match in _END.finditer(text, start, end):
            if _ends_sentence(text[begin:end], match.start() - begin, match.end() - begin, match):
                spans.append((begin, match.end()))
                begin = match.end()
        spans.append((begin, end))
    trimmed = (_trim(text, *span) for span in spans)
    return [(start, end) for start, end in trimmed if start < end]


def split_sentences(text: str) -> list[str]:
    """Split `text` into its sentences, each an exact substring."""
    return [text[start:end] for start, end in find_sentences(text)]


def _lines(text: str) -> list[tuple[int, int]]:
    """Find the spans of the lines of `text`. Wrapped lines are joined."""
    cuts = [0]
    for match in _BREAK.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        wrapped = before[-1:] not in ("", *".!?…:;") and after[:1].islower() and not _MARKER.match(after)
        if match.group().count("\n") > 1 or not wrapped:
            cuts.append(match.end())
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _ends_sentence(line: str, stop: int, end: int, match: re.Match[str]) -> bool:
    """Say whether the punctuation at `stop:end` of `line` ends the sentence with which `line` begins."""
    following = line[end:].lstrip()
    if not following:
        return True
    goes_on = following[0].islower()
    if goes_on and (match["closers"] or len(match["stop"]) > 1 or "…" in match["stop"]):
        return False
    if match["stop"] != ".":
        return True
    if _NUMBERED.fullmatch(line[: stop + 1]):
        return False
    return not _is_abbreviation(line[:stop], following)


def _is_abbreviation(before: str, following: str) -> bool:
    """Say whether the full stop between `before` and `following` belongs to an abbreviation or an initial."""
    match = _LAST_WORD.search(before)
    word = match.group() if match else ""
    short = word.lower()
    opener = re.match(r"\w+", following)
    opens = opener is not None and following[0].isupper() and opener.group().lower() in _OPENERS
    if short in _NEVER_LAST:
        return True
    if short in _BEFORE_NUMBER and (following[0].isdigit() or following[0] == "#"):
        return True
    if short in _ANY_CASE:
        return following[0].islower() and short not in ("no", "min", "max")
    initial = len(word) == 1 and word.isupper()
    return (initial or short in _SELDOM_LAST) and not opens


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without white space at its ends."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())

"""Characters: texts that look equal are made equal, hidden characters made visible, and marks of emphasis kept.

One letter has several encodings: "é" is one character or two, digits may be full-width or Arabic, an apostrophe may be
curly, and a space or a hyphen may forbid a line break. `fold` writes each in one form, for comparing only, and each
character keeps its place in the original. Models leave out marks of Markdown when they quote a text, and when they
write in its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

_SAME: Final = {
    **dict.fromkeys("\u2010\u2011\u2012\u2212\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2028\u2029", "\n"),
    **{"\u066a": "%", "\u066b": ".", "\u066c": ",", "\u20a8": "Rs"},
}
_APOSTROPHES: Final = frozenset("\u2018\u2019\u201b\u02bb\u02bc\u2032\u00b4`")
"""They count as an apostrophe after a letter or a digit."""

_FORMS: Final = ("<wide>", "<narrow>", "<noBreak>", "<font>", "<initial>", "<medial>", "<final>", "<isolated>")
_SHOWN_FORMAT: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Characters of Unicode's class "format" that are shown."""

_SELECTORS: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_BEYOND_ASCII: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+|(?<=[^\W_])`(?=[^\W_])")


@dataclass(frozen=True)
class Folded:
    """A text in one form. `spans` holds the place `(start, end)` in the original of each character of `text`.

    `spans` is None where the text is its own folded form.
    """

    text: str
    original: str
    spans: tuple[tuple[int, int], ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original of the characters `start:end`."""
        if self.spans is None:
            return start, end
        if start >= len(self.spans):
            return len(self.original), len(self.original)
        first = self.spans[start][0]
        return (first, self.spans[end - 1][1]) if end > start else (first, first)

    def written(self, start: int, end: int) -> str:
        """Return the characters `start:end` as the original writes them."""
        return self.original[slice(*self.span(start, end))]


def fold(text: str) -> Folded:
    """Write `text` in one form: NFC, plain digits, letters, spaces, hyphens and apostrophes, nothing invisible.

    Full-width and other forms of a letter become the letter, and digits of every script become 0 to 9. Soft hyphens,
    zero-width characters and marks of direction go. Case, dashes and quotation marks stay.
    """
    return Folded(text, text) if text.isascii() and "`" not in text else _fold(text)


def look_equal(one: str, other: str) -> bool:
    """Say whether two texts look equal on a screen."""
    return one == other or fold(one).text == fold(other).text


def cuts_character(text: str, place: int) -> bool:
    """Say whether `place` stands between a letter and a mark that belongs to it."""
    within = 0 < place < len(text) and not text[place].isascii()
    return within and _extends(text[place]) and not text[place - 1].isspace()


def letters_around(text: str, place: int) -> tuple[str, str]:
    """Return the visible letters before and after `place`, without their marks; "" at the ends of the text."""
    left, right = place - 1, place
    while left > 0 and not text[left].isascii() and (_extends(text[left]) or not _form(text[left])):
        left -= 1
    while right < len(text) - 1 and not text[right].isascii() and not _form(text[right]):
        right += 1
    return text[left : left + 1] if left >= 0 else "", text[right : right + 1]


_PIECE: Final = re.compile(r"\s+|\w+(?:['.,:-]\w+)*|.", re.DOTALL)


def keep_writing(old: str, new: str) -> str:
    """Return `new`, with each word that looks like a word of `old` written as in `old`."""
    if old.isascii() and new.isascii():
        return new
    before, after = fold(old), fold(new)
    olds, news = ([match.span() for match in _PIECE.finditer(side.text)] for side in (before, after))
    written = [after.written(*span) for span in news]
    keys = [[side.text[slice(*span)] for span in spans] for side, spans in ((before, olds), (after, news))]
    for block in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_matching_blocks():
        written[block.b : block.b + block.size] = [
            before.written(*span) for span in olds[block.a : block.a + block.size]
        ]
    return "".join(written)


@lru_cache(maxsize=1024)
def _fold(text: str) -> Folded:
    folded: list[str] = []
    spans: list[tuple[int, int]] = []

    def add(characters: str, start: int, end: int) -> None:
        folded.extend(characters)
        spans.extend([(start, end)] * len(characters))

    last = 0
    for run in _BEYOND_ASCII.finditer(text):
        folded.extend(text[last : run.start()])
        spans.extend((place, place + 1) for place in range(last, run.start()))
        for start, end in _clusters(text, *run.span()):
            cluster = text[start:end]
            follows = bool(folded) and folded[-1].isalnum()
            add("'" if follows and cluster in _APOSTROPHES else _form(cluster), start, end)
        last = run.end()
    folded.extend(text[last:])
    spans.extend((place, place + 1) for place in range(last, len(text)))
    return Folded("".join(folded), text, tuple(spans))


def _clusters(text: str, start: int, end: int) -> Sequence[tuple[int, int]]:
    """Cut `start:end` into letters, each with the marks that follow it."""
    starts = [place for place in range(start, end) if place == start or not cuts_character(text, place)]
    return list(zip(starts, [*starts[1:], end], strict=True))


@lru_cache(maxsize=4096)
def _extends(character: str) -> bool:
    """Say whether the character is drawn with the one before it: accents, vowel signs, selectors, parts of Hangul."""
    code = ord(character)
    joined_forms = 0x1160 <= code <= 0x11FF or code in (0xFF9E, 0xFF9F)
    return unicodedata.category(character).startswith("M") or joined_forms


@lru_cache(maxsize=4096)
def _form(cluster: str) -> str:
    """Return a letter with its marks in one form; "" if it is invisible."""
    plain = "".join(_plain(character) for character in unicodedata.normalize("NFC", cluster))
    return unicodedata.normalize("NFC", plain)


def _plain(character: str) -> str:
    if character in _SAME:
        return _SAME[character]
    category = unicodedata.category(character)
    if (category == "Cf" and character not in _SHOWN_FORMAT) or _SELECTORS.match(character):
        return ""
    if category == "Zs":
        return " "
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    form = unicodedata.decomposition(character)
    if form.startswith(_FORMS) or (form.startswith("<compat>") and category.startswith("L")):
        return unicodedata.normalize("NFKC", character)
    return character


MARKS: Final = frozenset("*_`")
_PAIRS: Final = ("***", "**", "__", "*", "_", "`")
_BULLET: Final = re.compile(r"^\s*\*\s")
_MARKED_PIECE: Final = re.compile(r"[*_`]+|\s+|\w+?(?=[*_`]|\b)|.", re.DOTALL)


def with_pairs(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a place to the marks beside it that open before its first word, or close behind its last."""
    opened = next((mark for mark in _PAIRS if text.endswith(mark, 0, start) and _is_open(text[:start], mark)), "")
    closed = next((mark for mark in _PAIRS if text.startswith(mark, end) and _is_open(text[:end], mark)), "")
    return start - len(opened), end + len(closed)


def _is_open(text: str, mark: str) -> bool:
    """Say whether the last line of `text` is within a pair of this mark. The marker of a list item is none."""
    return _BULLET.sub("", text[text.rfind("\n") + 1 :]).count(mark) % 2 == 1


def without_empty_pair(left: str, right: str) -> tuple[str, str]:
    """Take the marks from the ends of two texts between which the marked words went."""
    mark = next((mark for mark in _PAIRS if left.endswith(mark) and right.startswith(mark)), "")
    return left[: len(left) - len(mark)], right[len(mark) :]


def keep_marks(old: str, new: str) -> str:
    """Return `new` with the marks of `old`, if it has none itself and its words show where all of them belong."""
    if not MARKS.intersection(old) or MARKS.intersection(new):
        return new
    marks: list[tuple[int, str]] = []
    before: list[str] = []
    for piece in _MARKED_PIECE.findall(old):
        if piece[0] in MARKS:
            marks.append((len(before), piece))
        else:
            before.append(piece)
    after = _MARKED_PIECE.findall(new)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    kept = {-1: -1, len(before): len(after)} | {
        block.a + step: block.b + step for block in blocks for step in range(block.size)
    }
    for place, mark in reversed(marks):
        if place - 1 in kept:
            after.insert(kept[place - 1] + 1, mark)
        elif place in kept:
            after.insert(kept[place], mark)
        else:
            return new
    return "".join(after)


# Controls that a browser would obey or hide: bidirectional embeddings, overrides and isolates, invisible characters
# that split or join words, and tag characters. Left-to-right and right-to-left marks (200E, 200F, 061C) stay: Hebrew
# and Arabic need them, and each text is isolated in its own element.
_HIDDEN: Final = re.compile("[\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")
_LINE_ENDS: Final = re.compile("\r\n?|[\u2028\u2029\u0085]")
_KEPT: Final = "\n\t"
REPLACEMENT: Final = "\ufffd"


def clean(text: str) -> str:
    """Replace each control character or override in `text`, which could deceive a reader, by a visible U+FFFD."""
    shown = _HIDDEN.sub(REPLACEMENT, _LINE_ENDS.sub("\n", text))
    if shown.isprintable():
        return shown
    return "".join(REPLACEMENT if _is_control(char) else char for char in shown)


def _is_control(char: str) -> bool:
    return char not in _KEPT and unicodedata.category(char) in ("Cc", "Cs")


def readable(name: str) -> str:
    """Write a name such as the id of a category as words: `wrong_fact` as "wrong fact"."""
    return name.replace("_", " ")

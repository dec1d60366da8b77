"""What a revision changed: the words it wrote, the words it removed, and where the words of the draft stand now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

from arf_programs.text.characters import fold, look_equal
from arf_programs.text.quotes import Span, place_of
from arf_programs.text.seams import place_insertion
from arf_programs.text.sentences import Token, find_sentences, meets, split_words, tokenize
from signatures.records import Edit, EditOp

_CONTEXT: Final = 3  # words shown before what was added or deleted
_STEM: Final = 5  # letters by which two forms of a word are one ("refund", "refunded")
_SHORT: Final = 3  # words of at most this many letters say little
_ROOM: Final = 20  # words of a sentence


def measure_change(before: str, after: str) -> float:
    """Measure the share of words that differ, from 0 (the same words) to 1 (no word in common).

    `1 - 2 M / (A + B)`. A and B are the numbers of words (split at white space) of the two texts. M is the number of
    words in the blocks that difflib.SequenceMatcher matches; words that look equal do. Two empty texts differ by 0.
    """
    matcher = SequenceMatcher(None, _split(before), _split(after), autojunk=False)
    return 1.0 - matcher.ratio()


def find_changes(before: str, after: str) -> tuple[Span, ...]:
    """Find the places (start, end) of `after`, in characters, whose words `before` does not have there.

    The words (split at white space) are compared by difflib.SequenceMatcher. A deletion leaves no word, so it has no
    place. For edits the places are the words of the replacements.
    """
    words = [(match.group(), *match.span()) for match in re.finditer(r"\S+", after)]
    matcher = SequenceMatcher(None, _split(before), [fold(word).text for word, _, _ in words], autojunk=False)
    runs = [(c, d) for tag, _, _, c, d in matcher.get_opcodes() if tag in ("insert", "replace")]
    return tuple((words[c][1], words[d - 1][2]) for c, d in runs)


def _split(text: str) -> list[str]:
    return [fold(word).text for word in text.split()]


def spans_meet(a: Span, b: Span) -> bool:
    """Say whether two places have a character in common."""
    return a[0] < b[1] and b[0] < a[1]


def edit_span(edit: Edit, before: str) -> Span:
    """Return the place of `before` that an edit changes; for an insertion an empty place."""
    end = len(before)
    start, stop = (place_of(edit, before) if edit.quote else None) or (end, end)
    if edit.op is not EditOp.INSERT:
        return start, stop
    point = place_insertion(before, start, stop, edit.replacement)[0] if edit.replacement.strip() else stop
    return point, point


class _Run(NamedTuple):
    """The words `a:b` of the draft, and `c:d` of the revision in their place."""

    a: int
    b: int
    c: int
    d: int


class Changes:
    """The changes from `before` to `after`, word by word (difflib.SequenceMatcher).

    Case, punctuation and white space are no change.
    """

    def __init__(self, before: str, after: str) -> None:
        self.before, self.after = before, after
        self._old, self._new = _words(before), _words(after)
        matcher = SequenceMatcher(None, [w.key for w in self._old], [w.key for w in self._new], autojunk=False)
        opcodes = matcher.get_opcodes()
        self._runs = [_Run(a, b, c, d) for tag, a, b, c, d in opcodes if tag != "equal"]
        self._carried = {a + n: c + n for tag, a, b, c, _ in opcodes if tag == "equal" for n in range(b - a)}

    def wrote(self, place: Span) -> bool:
        """Say whether the revision wrote one of the words at `place` of `after`, or removed words between them."""
        return bool(self._runs_at(place))

    def wrote_most(self, place: Span) -> bool:
        """Say whether the revision wrote at least half of the words at `place` of `after`."""
        first, last = _range(self._new, place)
        written = sum(max(0, min(run.d, last) - max(run.c, first)) for run in self._runs)
        return 2 * written >= last - first

    def kept(self, place: Span) -> bool:
        """Say whether the words at `place` of `before` still stand in their place, one after the other, as written."""
        first, last = _range(self._old, place)
        if first == last:  # a quote without words
            return self.before[slice(*place)] in self.after
        now = [self._carried[index] for index in range(first, last) if index in self._carried]
        if len(now) < last - first or any(b != a + 1 for a, b in pairwise(now)):
            return False
        pairs = zip(self._old[first:last], self._new[now[0] : now[-1] + 1], strict=True)
        return all(look_equal(self.before[a.start : a.end], self.after[b.start : b.end]) for a, b in pairs)

    def touched(self, place: Span) -> bool:
        """Say whether a word changed in the sentences of `before` that `place` touches, or one was added to them."""
        spans = self._around(place)
        if not all(map(self.kept, spans)):
            return True
        kept = [self._kept_at(old) for old in spans]
        return any(self.wrote(now) for now in find_sentences(self.after) if any(spans_meet(now, at) for at in kept))

    def followed(self, place: Span) -> bool:
        """Say whether new words stand right behind the sentences of `before` that `place` touches."""
        return any(self.wrote(self.now(span)) for span in self._around(place))

    def _around(self, place: Span) -> list[Span]:
        return [span for span in find_sentences(self.before) if spans_meet(place, span)]

    def _kept_at(self, place: Span) -> Span:
        """Return where the words at `place` of `before` stand, if all of them were kept."""
        now = [self._carried[index] for index in range(*_range(self._old, place)) if index in self._carried]
        return _span(self._new, now[0], now[-1] + 1) if now else self.now(place)

    def now(self, place: Span) -> Span:
        """Return the place of `after` where the words at `place` of `before` stand, or what stands in their place."""
        first, last = _range(self._old, place)
        left = next((self._carried[n] for n in range(first, -1, -1) if n in self._carried), None)
        begin = 0 if left is None else left + (self._carried.get(first) != left)
        end = next((self._carried[n] for n in range(last, len(self._old)) if n in self._carried), len(self._new))
        return _span(self._new, begin, end)

    def made_by(self, place: Span, edits: Sequence[Edit]) -> list[Edit]:
        """Return those of the edits of `before` that wrote at `place` of `after`, or removed words there."""
        return [edit for edit in edits if any(self._made(run, edit) for run in self._runs_at(place))]

    def _runs_at(self, place: Span) -> list[_Run]:
        first, last = _range(self._new, place)
        return [
            run for run in self._runs if (first < run.d and run.c < last if run.c < run.d else first < run.c < last)
        ]

    def _made(self, run: _Run, edit: Edit) -> bool:
        span = edit_span(edit, self.before)
        if run.a < run.b and edit.op is not EditOp.INSERT:
            return spans_meet(span, _span(self._old, run.a, run.b))
        first = self._first_place(run)
        left = self._old[first - 1].end if first else 0
        right = self._old[run.b].start if run.b < len(self._old) else len(self.before)
        return span[0] <= right and left <= span[1]

    def _first_place(self, run: _Run) -> int:
        """Return the first word of the draft before which an insertion may stand: "b a" in "a b a c" or "a b" in it."""
        first = run.a
        for word in reversed(self._new[run.c : run.d]):
            if not first or run.a < run.b or self._old[first - 1].key != word.key:
                break
            first -= 1
        return first

    @cached_property
    def written(self) -> list[Span]:
        """The places of `after` whose words are new."""
        return [_span(self._new, run.c, run.d) for run in self._runs if run.c < run.d]

    @cached_property
    def deleted(self) -> list[Span]:
        """The places of `before` whose words went, with no other words in their place."""
        return [_span(self._old, run.a, run.b) for run in self._runs if run.c == run.d]

    def lost(self, place: Span | None = None) -> set[str]:
        """Return the stems of words at `place` of `before`, or of all its words, that stand nowhere in `after`.

        Short words do not count.
        """
        return _stems(self.before[slice(*place)] if place else self.before) - _stems(self.after)

    def share_beside(self, wrong: Sequence[Span], *, adds: bool = False) -> float:
        """Measure how much was changed that did not have to be, as a share of the words of `before`, at most 1.

        That is the number of words that were removed, or of those that were written, whichever is larger. Words at the
        places `wrong` have to go, so they do not count, nor do up to 20 words in the place of each. With `adds`
        something was missing, so up to 20 words may be added wherever some were.
        """
        removed = written = 0
        for run in self._runs:
            right = sum(not meets(word, wrong) for word in self._old[run.a : run.b])
            asked = right < run.b - run.a or (run.a == run.b and (adds or self._borders(run, wrong)))
            removed += right
            written += max(0, run.d - run.c - (_ROOM if asked else 0))
        return min(1.0, max(removed, written) / max(1, len(self._old)))

    def _borders(self, run: _Run, places: Sequence[Span]) -> bool:
        """Say whether a word beside an insertion stands at one of the places."""
        beside = self._old[max(0, run.a - 1) : run.a + 1]
        return any(meets(word, places) for word in beside)

    def shown(self) -> Iterator[str]:
        """Yield each change in words, with the words before it where nothing was replaced.

        Changes with fewer words between them than in each of them are shown as one: such words are the same by chance.
        """
        for run in self._joined():
            old, new = (
                self._shown(self._old, self.before, run.a, run.b),
                self._shown(self._new, self.after, run.c, run.d),
            )
            around = self._shown(self._new, self.after, max(0, run.c - _CONTEXT), run.c)
            place = f' after "{around}"' if around else " at the beginning"
            if old and new:
                yield f'"{old}" became "{new}"'
            else:
                yield f'"{new}" was added{place}' if new else f'"{old}" was deleted{place}'

    def _joined(self) -> list[_Run]:
        joined: list[_Run] = []
        for run in self._runs:
            last = joined[-1] if joined else None
            if last and run.a - last.b < min(max(item.b - item.a, item.d - item.c) for item in (last, run)):
                joined[-1] = _Run(last.a, run.b, last.c, run.d)
            else:
                joined.append(run)
        return joined

    @staticmethod
    def _shown(words: Sequence[Token], text: str, first: int, last: int) -> str:
        return " ".join(text[slice(*_span(words, first, last))].split()) if first < last else ""


def _words(text: str) -> list[Token]:
    return [token for token in tokenize(text) if token.key[0].isalnum()]


def _range(words: Sequence[Token], place: Span) -> tuple[int, int]:
    """Return (first, last): the words `first:last` touch `place`."""
    first = next((n for n, word in enumerate(words) if word.end > place[0]), len(words))
    last = next((n for n, word in enumerate(words) if word.start >= place[1]), len(words))
    return first, max(first, last)


def _span(words: Sequence[Token], first: int, last: int) -> Span:
    """Return the characters of the words `first:last`; an empty place before the word `first` if there are none."""
    if first < last:
        return words[first].start, words[last - 1].end
    place = words[first].start if first < len(words) else (words[-1].end if words else 0)
    return place, place


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in split_words(text) if len(word) > _SHORT or any(c.isdigit() for c in word)}


def speaks_of(text: str, stems: set[str]) -> bool:
    """Say whether one of the stems stands in `text`."""
    return bool(_stems(text) & stems)

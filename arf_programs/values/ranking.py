"""Ranks the values of a conversation by how well they fit in the place of a wrong one, without a model.

A value fits if the words around it in its turn are those around the wrong one in the summary, and if it is alike: of
the same sort, form and length.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from arf_programs.checks import Material, find_words
from arf_programs.text import Span, place_stems, stem_word, word_set
from arf_programs.values.reading import Value, find_values, same_value
from arf_programs.values.writing import Replacement, write_value
from signatures.records import Conversation, Turn

_HANDLE: Final = re.compile(r"(?<!\w)[@#]([A-Za-z]\w+)")
_ROLES: Final = word_set("customer agent client user caller bot representative advisor")
_LONG: Final = 4
_NEAR: Final = 4.0

# The weights of the features. A conditional logit, fitted on planted errors of three corpora, gave these proportions.
_WORDS: Final = 3.0
_NEIGHBOUR: Final = 1.0
_CITED: Final = 1.0
_ALIKE: Final = 0.5
_EXPLAINED: Final = 5.0
LEAST_CONTEXT: Final = 1.0
"""From this context on a value is taken to belong in the place."""

_CLEAR: Final = 3.0

MARGIN: Final = 2.0
"""By this much another value has to fit better before the one in the summary is called wrong."""


@dataclass(frozen=True)
class Candidate:
    """A value of the conversation in the place of a wrong one.

    `turns` (from 1) have the value. `context` says how far the words around it agree with those of the summary, from 0
    to about 8. `score` adds how alike the two values are, and orders the candidates. `beside` counts the words right
    beside it, at most two, that are the same in turn and summary.
    """

    replacement: Replacement
    value: Value
    turns: tuple[int, ...]
    context: float
    score: float
    beside: int

    @property
    def fits(self) -> bool:
        """Whether the words around the value say that it belongs in the place."""
        return self.context >= LEAST_CONTEXT

    @property
    def clear(self) -> bool:
        """Whether it may be written although no model looks at it.

        This keeps out most values in the place of one that the conversation lacks: for a name a word beside it has to
        be the same, for other values the score has to be 3 or more (measured by `bench/mend_values.py`).
        """
        return self.fits and (self.beside > 0 if self.value.kind == "name" else self.score >= _CLEAR)


def rank_values(
    material: Material,
    wrong: Value,
    *,
    cited: Collection[int] = (),
    explained: Sequence[Value] = (),
    errors: Sequence[Span] = (),
) -> list[Candidate]:
    """Return the values of the conversation that may stand in the place of `wrong`, the best first.

    `cited` are turns (from 1) that the error cites, `explained` the values that its explanation names, and `errors` the
    places of the summary that are wrong.
    """
    talk = read_talk(material.conversation.turns)
    place = _Place(talk, material, wrong, cited, explained)
    standing = [
        value
        for value in find_values(material.summary, people=talk.people)
        if not any(start < value.end and value.start < end for start, end in (*errors, (wrong.start, wrong.end)))
    ]
    candidates: dict[str, Candidate] = {}
    for occurrences in talk.values:
        candidate = _candidate(material, place, occurrences, standing)
        if candidate is not None:
            words = candidate.replacement.words
            if words not in candidates or candidates[words].score < candidate.score:
                candidates[words] = candidate
    return sorted(candidates.values(), key=lambda item: -item.score)


def find_misplaced(material: Material) -> list[tuple[Value, Candidate]]:
    """Return pairs: a value of the summary, and a value of the conversation that fits better in its place.

    The scores have to differ by `MARGIN`. Values that the conversation does not have are left to the checks.
    """
    talk = read_talk(material.conversation.turns)
    found = []
    for value in find_values(material.summary, people=talk.people):
        place = _Place(talk, material, value, (), ())
        own = [place.score(item) for items in talk.values for item in items if same_value(value, item.value)]
        better = rank_values(material, value)[:1] if own else []
        found += [(value, item) for item in better if item.score - max(own) >= MARGIN and _same_length(value, item)]
    return found


def _same_length(value: Value, better: Candidate) -> bool:
    """Say whether a name has as many words as the better one. A part of a name, or a handle, is no other name."""
    words = len(value.text.split()), len(better.value.text.split())
    return value.kind != "name" or (words[0] == words[1] and not better.value.handle)


def has_value(conversation: Conversation, value: Value) -> bool:
    """Say whether a turn has the value."""
    return any(same_value(items[0].value, value) for items in read_talk(conversation.turns).values)


@dataclass(frozen=True)
class _Occurrence:
    """A value in a turn (from 0), with the stems before and after it, the nearest first."""

    turn: int
    value: Value
    before: tuple[str, ...]
    after: tuple[str, ...]


class Talk:
    """The values and the words of a conversation. `values` groups the occurrences of one value."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.people = frozenset(word for turn in turns for word in find_words(turn.speaker)) - _ROLES
        stems = [place_stems(turn.text) for turn in turns]
        self.stems = [frozenset(stem for stem, _, _ in words) for words in stems]
        self._with = Counter(stem for turn in self.stems for stem in turn)
        groups: dict[object, list[_Occurrence]] = {}
        for number, turn in enumerate(turns):
            for value in _values_of_turn(turn.text, self.people):
                before, after = _around(stems[number], value.start, value.end)
                groups.setdefault((value.kind, value.key), []).append(_Occurrence(number, value, before, after))
        self.values = list(groups.values())

    def weight(self, stem: str) -> float:
        """Return the weight of a word, log((turns + 1) / turns with it): the rarer, the heavier; 0 for common words."""
        return 0.0 if stem in _COMMON else math.log((len(self.stems) + 1) / max(1, self._with[stem]))


@lru_cache(maxsize=64)
def read_talk(turns: tuple[Turn, ...]) -> Talk:
    """Read the values of a conversation. They are cached, since it has several errors."""
    return Talk(turns)


def _values_of_turn(text: str, people: frozenset[str]) -> Iterable[Value]:
    """Return the values of a turn, with each word of a name of several, and with handles as names."""
    for value in find_values(text, people=people, lenient=True):
        yield value
        if value.kind == "name" and " " in value.text:
            for match in re.finditer(r"\S+", value.text):
                yield _name(match.group(), value.start + match.start(), person=value.person)
    for match in _HANDLE.finditer(text):
        if match[1].lower() not in _ROLES:
            yield _name(match[1], match.start(1), handle=True)


def _name(word: str, start: int, *, person: bool = False, handle: bool = False) -> Value:
    key = frozenset({word.lower()})
    return Value("name", start, start + len(word), word, key, person=person, handle=handle)


class _Place:
    """The place of a wrong value in the summary: the words of its sentence, and what the error says."""

    def __init__(
        self, talk: Talk, material: Material, wrong: Value, cited: Collection[int], explained: Sequence[Value]
    ) -> None:
        self.talk = talk
        self.wrong = wrong
        self.cited = cited
        self.explained = explained
        start, end = next(
            (span for span in material.sentences if span[0] <= wrong.start < span[1]), (0, len(material.summary))
        )
        sentence = material.summary[start:end]
        self.before, self.after = _around(place_stems(sentence), wrong.start - start, wrong.end - start)
        self.near = _nearness(self.before, self.after)
        self.total = sum(talk.weight(stem) for stem in self.near) or 1.0

    def context(self, occurrence: _Occurrence) -> float:
        """Score how far the turn of an occurrence shares the sentence's words, above all those near the value."""
        weight, turn = self.talk.weight, self.talk.stems[occurrence.turn]
        near = _nearness(occurrence.before, occurrence.after)
        shared = sum(weight(stem) for stem in self.near if stem in turn)
        closely = sum(weight(stem) * self.near[stem] * near[stem] for stem in self.near if stem in near)
        explained = any(same_value(occurrence.value, value) for value in self.explained)
        cited = occurrence.turn + 1 in self.cited
        words = _WORDS * (shared + closely) / self.total + _NEIGHBOUR * self.beside(occurrence)
        return words + _CITED * cited + _EXPLAINED * explained

    def beside(self, occurrence: _Occurrence) -> int:
        """Count the words right before and right after, 0 to 2, that are the same in summary and turn."""
        sides = ((self.before, occurrence.before), (self.after, occurrence.after))
        return sum(here[:1] == there[:1] != () for here, there in sides)

    def score(self, occurrence: _Occurrence) -> float:
        """Score the context of an occurrence, and how alike its value is to the one in the place."""
        return self.context(occurrence) + _ALIKE * _likeness(self.wrong, occurrence.value)


def _candidate(
    material: Material,
    place: _Place,
    occurrences: Sequence[_Occurrence],
    standing: Sequence[Value],
) -> Candidate | None:
    """Score one value of the conversation; None if it is the wrong one itself, or of another kind."""
    wrong = place.wrong
    fitting = [item for item in occurrences if comparable(wrong, item.value) and _differ(wrong, item.value)]
    if not fitting:
        return None
    best = max(fitting, key=place.score)
    replacement = write_value(material.summary, wrong, best.value)
    if replacement is None:
        return None
    repeated = any(same_value(best.value, value) for value in standing)
    turns = tuple(sorted({item.turn + 1 for item in fitting}))
    score = place.score(best) - _ALIKE * repeated
    return Candidate(replacement, best.value, turns, place.context(best), score, place.beside(best))


def _differ(wrong: Value, other: Value) -> bool:
    """Say whether two values differ, be it in the currency alone."""
    one, two = wrong.quantity, other.quantity
    if one and two and one.kind == two.kind == "money" and one.unit != two.unit:
        return True
    return not same_value(wrong, other)


def comparable(wrong: Value, other: Value) -> bool:
    """Say whether `other` may stand where `wrong` stands: a bare number may be an amount, a share or a long code."""
    kinds = (wrong.kind, other.kind)
    if wrong.quantity and other.quantity:
        same = wrong.quantity.kind == other.quantity.kind or wrong.kind == other.kind == "amount"
        return same or "plain" in (wrong.quantity.kind, other.quantity.kind)
    if "code" in kinds and "number" in kinds:
        return all(len(re.sub(r"\D", "", value.text)) >= _LONG for value in (wrong, other))
    return wrong.kind == other.kind


def _likeness(wrong: Value, other: Value) -> float:
    """Count what two values have in common: the kind, the form, the number of digits, being a person."""
    digits = len(re.sub(r"\D", "", wrong.text)) == len(re.sub(r"\D", "", other.text))
    same_person = wrong.kind == "name" and wrong.person == other.person
    return float((wrong.kind == other.kind) + _same_form(wrong, other) + digits + same_person)


def _same_form(wrong: Value, other: Value) -> bool:
    if wrong.quantity and other.quantity:
        return wrong.quantity.spelled == other.quantity.spelled and ("." in wrong.text) == ("." in other.text)
    if wrong.date and other.date:
        days = [all(day for day, _ in date.days) for date in (wrong.date, other.date)]
        return (wrong.date.weekday is None) == (other.date.weekday is None) and days[0] == days[1]
    if wrong.kind == "name":
        return wrong.titled == other.titled and not other.handle
    return wrong.kind == "code" and _shape(wrong.text) == _shape(other.text)


def _shape(code: str) -> str:
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", code))


def _around(words: Sequence[tuple[str, int, int]], start: int, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stems before and after `start:end`, the nearest first."""
    before = tuple(stem for stem, _, last in reversed(words) if last <= start)
    return before, tuple(stem for stem, first, _ in words if first >= end)


def _nearness(before: Sequence[str], after: Sequence[str]) -> dict[str, float]:
    """Return for each word how near it is: 1 beside the value, less by a factor of e every four words."""
    near: dict[str, float] = {}
    for words in (before, after):
        for distance, stem in enumerate(words, start=1):
            near[stem] = max(near.get(stem, 0.0), math.exp(-distance / _NEAR))
    return near


_COMMON: Final = frozenset(
    stem_word(word)
    for word in word_set(
        "the a an and or but of to in on at for from by with is was were are be been has had have he she it they we "
        "you i his her its their our your my that this these those as not no do did does will would can could so if "
        "then than there here what when which who how about after before because while also just get got me him them "
        "us customer agent client user bot representative ask asked said told says asks"
    )
)

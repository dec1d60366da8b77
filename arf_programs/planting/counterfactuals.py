"""Counterfactuals: a conversation and its right summary, changed together, so that the summary stays right.

Planting changes a detail in the summary alone, which makes an error. Here the same detail is changed wherever it
stands, in the turns too (Kaushik, Hovy and Lipton 2020, arXiv 1909.12434, let people do that). No model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, get_args

from arf_programs.checks import Material, find_words
from arf_programs.planting.choose import PLANTERS
from arf_programs.planting.records import Change, with_turns
from arf_programs.text import stem_words
from arf_programs.values import (
    Replacement,
    Value,
    find_opposites,
    find_values,
    has_value,
    read_talk,
    same_value,
    write_value,
)
from signatures.records import Conversation

Facet = Literal["number", "amount", "date", "name", "action"]
"""What a counterfactual changes. They are kinds of planted errors; `action` turns round what was done."""

FACETS: Final[tuple[Facet, ...]] = get_args(Facet)
_MOST: Final = 6  # details changed in one pair
_SMALL: Final = 10
_NEAR: Final = 4  # words on each side that say what an action is about
_Rewrite = Callable[[str], str]


@dataclass(frozen=True)
class Swap:
    """What stood in the summary, and what stands there now."""

    facet: Facet
    old: str
    new: str


@dataclass(frozen=True)
class Counterfactual:
    """A changed conversation, the summary that is right for it, and what was changed in both."""

    conversation: Conversation
    summary: str
    swaps: tuple[Swap, ...]


def make_counterfactual(
    conversation: Conversation, summary: str, facets: Collection[Facet], rng: Random
) -> Counterfactual | None:
    """Change every detail of these facets that stands in both texts, and at most one action; None if there is none.

    A detail is left as it is where it cannot be changed everywhere: where it would still stand in a turn, or where the
    new one is there already. References and drafts of the conversation are left out, since they tell the old story.
    """
    pair = Counterfactual(with_turns(conversation, conversation.turns), summary, ())
    for facet in (facet for facet in FACETS if facet in facets):
        pair = _change_all(pair, facet, rng)
    return pair if pair.swaps else None


def _change_all(pair: Counterfactual, facet: Facet, rng: Random) -> Counterfactual:
    tried: set[str] = set()
    most = 1 if facet == "action" else _MOST
    while sum(swap.facet == facet for swap in pair.swaps) < most:
        change = next((item for item in _changes(pair, facet, rng) if _words(pair, item) not in tried), None)
        if change is None:
            break
        tried.add(_words(pair, change))
        pair = (_turned(pair, change) if facet == "action" else _swapped(pair, facet, change)) or pair
    return pair


def _changes(pair: Counterfactual, facet: Facet, rng: Random) -> list[Change]:
    """Return the changes that bring in a detail which the conversation does not have, in random order."""
    found = PLANTERS[facet](Material(pair.conversation, pair.summary), rng)
    changes = [change for change in found if change.origin != "conversation"]
    rng.shuffle(changes)
    return changes


def _words(pair: Counterfactual, change: Change) -> str:
    return pair.summary[change.start : change.end]


def _swapped(pair: Counterfactual, facet: Facet, change: Change) -> Counterfactual | None:
    """Write another detail wherever the old one stands; None if that is not possible everywhere."""
    people = read_talk(pair.conversation.turns).people
    wrong = pair.summary[: change.start] + change.wrong + pair.summary[change.end :]
    old = _value_at(pair.summary, change.start, change.end, people)
    new = _value_at(wrong, change.start, change.start + len(change.wrong), people)
    if old is None or new is None or _is_small(old) or any(swap.new == old.text for swap in pair.swaps):
        return None
    if not has_value(pair.conversation, old) or has_value(pair.conversation, new):
        return None
    if facet == "name":
        rewrite = _rename(old.text, new.text, [*_texts(pair.conversation), pair.summary])
        if rewrite is None:
            return None
    else:

        def rewrite(text: str) -> str:
            return _written(text, old, new, people)

    changed = _rewritten(pair, rewrite, Swap(facet, old.text, new.text))
    if has_value(changed.conversation, old) or not has_value(changed.conversation, new):
        return None
    values = find_values(changed.summary, people=people)
    return None if any(same_value(value, old) for value in values) else changed


def _is_small(value: Value) -> bool:
    """Say whether a value is a small number without a unit: one number may then stand for several things."""
    quantity = value.quantity
    return quantity is not None and quantity.kind == "plain" and value.kind == "number" and quantity.value < _SMALL


def _value_at(text: str, start: int, end: int, people: frozenset[str]) -> Value | None:
    """Return the longest value of a text that overlaps a place."""
    there = [value for value in find_values(text, people=people) if value.start < end and start < value.end]
    return max(there, key=lambda value: value.end - value.start, default=None)


def _written(text: str, old: Value, new: Value, people: frozenset[str]) -> str:
    """Write `new` in the place of each value of a text that means the same as `old`."""
    places: list[Replacement] = []
    for value in find_values(text, people=people, lenient=True):
        if same_value(value, old) and not any(value.start < place.end and place.start < value.end for place in places):
            place = write_value(text, value, new)
            places += [place] if place else []
    return _replaced(text, places)


def _replaced(text: str, places: Iterable[Replacement]) -> str:
    for start, end, words in sorted(places, reverse=True):
        text = text[:start] + words + text[end:]
    return text


def _rename(old: str, new: str, texts: Sequence[str]) -> _Rewrite | None:
    """Return what replaces each word of a name by one of the new name; None where a word is also an ordinary word.

    "will" beside "Will" may be a verb. In an address such as will@example.com it is the name.
    """
    pairs = dict(zip(find_words(old), re.findall(r"[^\W_]+(?:['’][^\W_]+)*", new), strict=False))
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, pairs))})(?![^\W_])", re.IGNORECASE)
    for text in texts:
        for token in re.findall(r"\S+", text):
            if "@" not in token and any(match.islower() for match in pattern.findall(token)):
                return None

    def written(match: re.Match[str]) -> str:
        word: str = pairs.get(match[0].lower(), match[0])
        return word.upper() if match[0].isupper() else word.lower() if match[0].islower() else word

    return lambda text: pattern.sub(written, text)


def _turned(pair: Counterfactual, change: Change) -> Counterfactual | None:
    """Write the opposite of an action wherever it is named.

    None if it is also named in a form that has no opposite, or if no turn speaks of the same action: a word beside it
    has to be the same.
    """
    said = _words(pair, change)
    old, new = _stem_of(said), _stem_of(change.wrong)
    if old == new or new in _stems(pair):
        return None

    def actions(text: str) -> list[Replacement]:
        return [Replacement(*item[:3]) for item in find_opposites(text) if _stem_of(item.said) == old]

    def rewrite(text: str) -> str:
        return _replaced(text, actions(text))

    beside = _beside(pair.summary, change.start, change.end)
    turns = [(turn.text, action) for turn in pair.conversation.turns for action in actions(turn.text)]
    if not any(beside & _beside(text, action.start, action.end) for text, action in turns):
        return None

    changed = _rewritten(pair, rewrite, Swap("action", said, change.wrong))
    return None if old in _stems(changed) or changed.summary == pair.summary else changed


def _beside(text: str, start: int, end: int) -> set[str]:
    """Return the stems of the telling words beside a place: numbers, and words of four letters or more."""
    near = [*find_words(text[:start])[-_NEAR:], *find_words(text[end:])[:_NEAR]]
    return {stem for word in near if len(word) > 3 or any(map(str.isdigit, word)) for stem in stem_words(word)}


def _stem_of(words: str) -> str:
    """Return the stem of the longest word, which is the verb: of "offered to" that of "offered"."""
    return max(stem_words(words), key=len, default="")


def _stems(pair: Counterfactual) -> set[str]:
    return {stem for text in (*_texts(pair.conversation), pair.summary) for stem in stem_words(text)}


def _texts(conversation: Conversation) -> list[str]:
    return [text for turn in conversation.turns for text in (turn.speaker, turn.text)]


def _rewritten(pair: Counterfactual, rewrite: _Rewrite, swap: Swap) -> Counterfactual:
    """Rewrite turns, the names of speakers, and the summary."""
    talk = pair.conversation
    turns = tuple(
        turn.model_copy(update={"text": rewrite(turn.text), "speaker": rewrite(turn.speaker)}) for turn in talk.turns
    )
    return Counterfactual(talk.model_copy(update={"turns": turns}), rewrite(pair.summary), (*pair.swaps, swap))

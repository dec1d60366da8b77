"""A change that would make a right summary wrong, and what the kinds of change share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from arf_programs.checks.finding import Material
from arf_programs.config.plant import Kind
from arf_programs.planting.records import Origin
from signatures.records import Severity

_ARTICLE: Final = re.compile(r"\b([Aa])(n?) ([$€£#]?)$")
_SILENT: Final = ("hour", "honest", "honour", "heir")
_LIKE_YOU: Final = ("uni", "use", "usu", "uti", "eu", "one", "once")


@dataclass(frozen=True)
class Change:
    """`start:end` of the right summary (the material's) is to read `wrong`.

    An empty `wrong` leaves something out. `sentence` says that the whole sentence is to be quoted, since a word alone
    ("agent") would not show what is wrong.
    """

    kind: Kind
    category: str
    origin: Origin
    start: int
    end: int
    wrong: str
    explanation: str
    evidence: tuple[int, ...] = ()
    severity: Severity = "major"
    sentence: bool = False


Planter = Callable[[Material, Random], list[Change]]
"""All places where a summary can be changed in one way, each with one random change (of each origin)."""


def swapped(
    material: Material, kind: Kind, span: tuple[int, int], wrong: str, origin: Origin, *, category: str = "wrong_fact"
) -> Change:
    """A detail replaced by another of its sort."""
    right = material.summary[slice(*span)]
    start, end, wrong = with_article(material.summary, *span, wrong)
    where = "elsewhere" if origin == "conversation" else "nowhere"
    return Change(
        kind=kind,
        category=category,
        origin=origin,
        start=start,
        end=end,
        wrong=wrong,
        explanation=f'The conversation says "{right}" here; "{wrong}" stands {where}.',
        evidence=turns_with(material, right, span[0]),
    )


def with_article(text: str, start: int, end: int, wrong: str) -> tuple[int, int, str]:
    """The change, widened by an indefinite article before it where that has to become "a" or "an"."""
    before = _ARTICLE.search(text, 0, start)
    if before is None:
        return start, end, wrong
    article = before[1] + ("n" if _opens_with_vowel(wrong) else "")
    if article == before[1] + before[2]:
        return start, end, wrong
    return before.start(), end, f"{article} {before[3]}{wrong}"


def _opens_with_vowel(words: str) -> bool:
    """Whether "an" goes before the words, by how they sound: "an hour", "a unit", "an 80", "an 11"."""
    word = words.lstrip("$€£#").lower()
    if word[:1].isdigit():
        return word[0] == "8" or word.split(".")[0] in ("11", "18")
    return word.startswith(_SILENT) or (word[:1] in tuple("aeiou") and not word.startswith(_LIKE_YOU))


def turns_with(material: Material, words: str, start: int) -> tuple[int, ...]:
    """At most two turns (from 1) that have the words, else those nearest to the sentence at `start`."""
    wanted = words.lower()
    having = {turn for turn, text in enumerate(material.texts, start=1) if wanted in text.lower()}
    return material.nearest_turns(having or set(range(1, len(material.texts) + 1)), start)


def last_sentence(material: Material) -> tuple[int, int] | None:
    """The sentence that tells the outcome: the last of at least two; None if there is one only."""
    return material.sentences[-1] if len(material.sentences) > 1 else None


def outcome_or_fact(material: Material, start: int) -> str:
    """The category of a statement turned round: of the last sentence, the outcome, it contradicts that."""
    last = last_sentence(material)
    return "contradicts_outcome" if last and start >= last[0] else "wrong_fact"

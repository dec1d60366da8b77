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

_ARTICLE: Final = re.compile(r"\b([Aa])(n?) $")
_VOWEL: Final = re.compile(r"[aeiou](?!ni[^nm]|se|ne\b|nce\b|u)|8|1[18](?!\d\d?(?!\d))|ho(?:ur|nest)", re.IGNORECASE)


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
    material: Material, rng: Random, kind: Kind, span: tuple[int, int], wrong: str, origin: Origin, *, about: str = ""
) -> Change:
    """A detail replaced by another: the summary still says something of the same sort, so it is a wrong fact."""
    right = material.summary[slice(*span)]
    start, end, wrong = with_article(material.summary, *span, wrong)
    where = "elsewhere in it" if origin == "conversation" else "nowhere in it"
    return Change(
        kind=kind,
        category="wrong_fact",
        origin=origin,
        start=start,
        end=end,
        wrong=wrong,
        explanation=f'The conversation says "{about or right}" here; "{wrong}" stands {where}.',
        evidence=turns_with(material, right, span[0]),
    )


def with_article(text: str, start: int, end: int, wrong: str) -> tuple[int, int, str]:
    """The change, widened by an indefinite article before it where that has to become "a" or "an"."""
    before = _ARTICLE.search(text, 0, start)
    if before is None:
        return start, end, wrong
    article = before[1] + ("n" if _VOWEL.match(wrong.lstrip("$€£#")) else "")
    if article == before[1] + before[2]:
        return start, end, wrong
    return before.start(), end, f"{article} {wrong}"


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

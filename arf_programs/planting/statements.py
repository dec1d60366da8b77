"""Kinds that turn a statement round: `negation` and `action`."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from arf_programs.checks.finding import Material
from arf_programs.config.plant import Kind
from arf_programs.planting.change import Change, outcome_or_fact, turns_with, with_article
from arf_programs.planting.verbs import PHRASES, opposites, past_forms, stated

_AUXILIARY: Final = "was|were|is|are|will|would|could|can|should|did|does|do|has|had|have|must|might"
_NOT: Final = re.compile(rf"\b(?P<verb>{_AUXILIARY})(?: not\b(?! only)|n['’]t\b)|\bcannot\b", re.IGNORECASE)
_PLAIN: Final = re.compile(
    r"\b(?P<verb>was|were|is|are|will|would|could|can|should)\b"
    r"(?! (?:not|no|never|like|able|unable|only|just)\b|['’]|\?|,)"
    r"|\b(?P<perfect>has|had|have)\b(?= (?:been|already been|\w{3,}ed)\b)"
)
_SUBJECT: Final = re.compile(
    r"\b(?:customer|client|caller|user|agent|representative|advisor|bot|he|she|they|it|[A-Z][a-z]+)"
    r"(?= (?P<verb>[a-z]+)\b(?! not\b))"
)
_BEFORE_NOUN: Final = ("the", "a", "an", "his", "her", "their", "this", "that", "any", "no", "and", "or", "")
_BEFORE_VERB: Final = ("to", "will", "would", "could", "can", "should", "not", "must")
_WORD: Final = re.compile(r"[A-Za-z]+")


def plant_negations(material: Material, rng: Random) -> list[Change]:
    """A "not" taken out or put in, at each verb where either is grammatical."""
    found = []
    for match in _NOT.finditer(material.summary):
        if material.summary[: match.start()].endswith(('"', "“", "'", "‘")):
            continue  # a name such as "Do not disturb"
        verb = match["verb"] or "can"
        found.append(_turned(material, "negation", match.span(), verb, f'the conversation says "{match.group()}"'))
    for match in _PLAIN.finditer(material.summary):
        told = match["verb"] or match["perfect"]
        wrong = "cannot" if told == "can" else f"{told} not"
        found.append(_turned(material, "negation", match.span(), wrong, f'the conversation says "{told}"'))
    verbs = stated()
    for match in _SUBJECT.finditer(material.summary):
        verb = verbs.get(match["verb"])
        if verb is not None:
            helper = "does not" if match["verb"] == verb.third else "did not"
            change = f"{helper} {verb.base}"
            found.append(
                _turned(material, "negation", match.span("verb"), change, "the conversation says that it was so")
            )
    return found


def plant_actions(material: Material, rng: Random) -> list[Change]:
    """Verbs and phrases of action changed to their opposites."""
    found = []
    taken: list[tuple[int, int]] = []
    for phrase, wrong in PHRASES.items():
        for match in re.finditer(rf"\b{phrase}\b", material.summary):
            taken.append(match.span())
            found.append(_turned(material, "action", match.span(), wrong, f'right is "{phrase}"'))
    table = opposites()
    for match in _WORD.finditer(material.summary):
        opposite = table.get(match.group())
        inside = any(start < match.end() and match.start() < end for start, end in taken)
        if opposite and not inside and _is_verb(material.summary, match):
            found.append(_turned(material, "action", match.span(), opposite, f'right is "{match.group()}"'))
    return sorted(found, key=lambda change: change.start)


def _is_verb(text: str, match: re.Match[str]) -> bool:
    """Whether the word can only be a verb here: a past form, or an infinitive after "to" or an auxiliary.

    "refund", "order" and "charges" are nouns as often as verbs; a past form before a noun ("the cancelled order") and
    one followed by a preposition of its own ("agreed with") are passed over, since their opposites would not fit.
    """
    word, before, after = match.group(), text[: match.start()].rstrip(), text[match.end() :]
    if re.match(r" (?:with|on|about|for|from|up|out|that|whether|if|as)\b", after):
        return False
    last = re.search(r"[\w'’]+$", before)
    previous = last.group().lower() if last else ""
    if word in past_forms():
        return previous not in ("the", "a", "an", "his", "her", "their", "this", "that", "any", "no", "and", "or", "")
    return previous in ("to", "will", "would", "could", "can", "should", "not", "must") and bool(
        re.match(r" \w", after)
    )


def _turned(material: Material, kind: Kind, span: tuple[int, int], wrong: str, right: str) -> Change:
    start, end, wrong = with_article(material.summary, *span, wrong)
    return Change(
        kind=kind,
        category=outcome_or_fact(material, start),
        origin="none",
        start=start,
        end=end,
        wrong=wrong,
        explanation=f"The statement is turned round: {right}.",
        evidence=turns_with(material, material.sentence_at(start), start),
        severity="critical",
    )

"""The kinds of error that concern a whole sentence: `speaker`, `outcome` and `unsupported`."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from arf_programs.checks import Material
from arf_programs.planting.records import Change, last_sentence, turns_with, with_article

_CUSTOMERS: Final = "customer|client|caller|user"
_AGENTS: Final = "sales agent|agent|representative|advisor|assistant|bot|operator"
_ROLE: Final = re.compile(rf"\b(?:(?P<customer>{_CUSTOMERS})|(?P<agent>{_AGENTS}))\b", re.IGNORECASE)
_OPENS: Final = re.compile(rf"(?:The |A |An )?(?:{_CUSTOMERS}|{_AGENTS})\b(?!['’])", re.IGNORECASE)
_INVENTED: Final = (
    ("{agent} also offered a discount on the next order.", "discount offer percent"),
    ("{agent} gave a voucher as an apology.", "voucher"),
    ("{customer} asked to speak to a supervisor.", "supervisor manager"),
    ("{agent} promised to send a confirmation by post.", "post letter mail confirmation"),
    ("{customer} threatened to leave a negative review.", "review"),
    ("{agent} said that a technician would visit the next morning.", "technician visit engineer"),
    ("{customer} thanked the team and said that the matter was urgent because of a trip abroad.", "trip abroad urgent"),
    ("{agent} extended the warranty by another year at no cost.", "warranty guarantee"),
    ("{customer} had already complained about this in a letter.", "letter"),
    ("{agent} asked for a copy of the passport.", "passport"),
    ("{agent} blamed a strike for the trouble.", "strike"),
    ("{customer} mentioned that a neighbour has the same problem.", "neighbour neighbor"),
    ("{agent} added a free month to the subscription.", "free month subscription"),
    ("{customer} agreed to take part in a survey.", "survey"),
    ("{agent} warned that the price would rise soon.", "rise increase price"),
    ("{agent} passed the case on to the legal department.", "legal lawyer"),
)
_STEM: Final = 6


def plant_speakers(material: Material, rng: Random) -> list[Change]:
    """Exchange customer and agent in each sentence that begins with a role."""
    names = _names_of_roles(material.summary)
    changes = []
    for start, end in material.sentences:
        roles = list(_ROLE.finditer(material.summary, start, end))
        if not _OPENS.match(material.summary, start, end) or not roles:
            continue
        first, last = roles[0].start(), roles[-1].end()
        pieces, at = [], first
        for role in roles:
            other = names["agent" if role["customer"] else "customer"]
            pieces += [material.summary[at : role.start()], other.capitalize() if role.group()[0].isupper() else other]
            at = role.end()
        first, last, wrong = with_article(material.summary, first, last, "".join(pieces))
        sentence = material.summary[start:end]
        changes.append(
            Change(
                kind="speaker",
                category="wrong_speaker",
                origin="none",
                start=first,
                end=last,
                wrong=wrong,
                explanation=f'Customer and agent are mixed up; right is: "{sentence}"',
                evidence=turns_with(material, sentence, start),
                sentence=True,
            )
        )
    return changes


def plant_outcome(material: Material, rng: Random) -> list[Change]:
    """Leave out the last sentence, which tells the outcome, with the space before it."""
    last = last_sentence(material)
    if last is None:
        return []
    start, end = material.sentences[-2][1], last[1]
    outcome = material.summary[slice(*last)]
    turns = len(material.texts)
    return [
        Change(
            kind="outcome",
            category="missing_outcome",
            origin="none",
            start=start,
            end=end,
            wrong="",
            explanation=f'The summary does not say how it ended: "{outcome}"',
            evidence=tuple(range(max(1, turns - 1), turns + 1)),
        )
    ]


def plant_unsupported(material: Material, rng: Random) -> list[Change]:
    """Add a plausible sentence that the conversation does not support, after each sentence in turn."""
    free = [text for text, words in _INVENTED if not any(word[:_STEM] in material.squeezed for word in words.split())]
    if not free:
        return []
    subjects = {role: _subject(material.summary, name) for role, name in _names_of_roles(material.summary).items()}
    return [
        Change(
            kind="unsupported",
            category="fabricated",
            origin="invented",
            start=end,
            end=end,
            wrong=" " + rng.choice(free).format(**subjects),
            explanation="Nobody said or did this in the conversation.",
            severity="critical",
            sentence=True,
        )
        for _, end in material.sentences
    ]


def _names_of_roles(summary: str) -> dict[str, str]:
    """What the summary calls customer and agent; by default those words."""
    names = {"customer": "customer", "agent": "agent"}
    for role in reversed(list(_ROLE.finditer(summary))):
        names["customer" if role["customer"] else "agent"] = role.group().lower()
    return names


def _subject(summary: str, name: str) -> str:
    """Write a role as the subject of a sentence: with the article, or without it if the summary leaves articles out."""
    bare = re.search(rf"(?:^|[.!?]\s+){_ROLE.pattern}", summary, re.IGNORECASE)
    with_the = re.search(rf"\bthe (?:{_CUSTOMERS}|{_AGENTS})\b", summary, re.IGNORECASE)
    return name.capitalize() if bare and not with_the else f"The {name}"

"""The kinds of error that concern a whole sentence: `speaker`, `outcome` and `unsupported`, `negation` and `action`."""

from __future__ import annotations

from random import Random
from typing import Final

from arf_programs.checks import Material
from arf_programs.config import Kind
from arf_programs.planting.records import Change, last_sentence, outcome_or_fact, turns_with
from arf_programs.values import (
    Reversal,
    exchange_roles,
    find_negations,
    find_opposites,
    names_of_roles,
    role_as_subject,
    with_article,
)

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
    changes = []
    for start, end in material.sentences:
        exchanged = exchange_roles(material.summary, start, end)
        if exchanged is None:
            continue
        sentence = material.summary[start:end]
        changes.append(
            Change(
                kind="speaker",
                category="wrong_speaker",
                origin="none",
                start=exchanged.start,
                end=exchanged.end,
                wrong=exchanged.words,
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
    subjects = {
        role: role_as_subject(material.summary, name) for role, name in names_of_roles(material.summary).items()
    }
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


def plant_negations(material: Material, rng: Random) -> list[Change]:
    """Remove or insert a "not", at each verb where that is grammatical."""
    return [_reversed(material, "negation", item) for item in find_negations(material.summary)]


def plant_actions(material: Material, rng: Random) -> list[Change]:
    """Change verbs and phrases of action to their opposites."""
    return [_reversed(material, "action", item) for item in find_opposites(material.summary)]


def _reversed(material: Material, kind: Kind, reversal: Reversal) -> Change:
    start, end, wrong = with_article(material.summary, reversal.start, reversal.end, reversal.words)
    return Change(
        kind=kind,
        category=outcome_or_fact(material, start),
        origin="none",
        start=start,
        end=end,
        wrong=wrong,
        explanation=f'The statement is turned round: right is "{reversal.said}".',
        evidence=turns_with(material, material.sentence_at(start), start),
        severity="critical",
    )

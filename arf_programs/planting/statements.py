"""The kinds of error that reverse a statement: `negation` and `action`."""

from __future__ import annotations

from random import Random

from arf_programs.checks import Material
from arf_programs.config import Kind
from arf_programs.planting.records import Change, outcome_or_fact, turns_with
from arf_programs.values import Reversal, find_negations, find_opposites, with_article


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

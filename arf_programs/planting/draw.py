"""Draws one error for each right summary: the rejected side of a preference pair.

Errors that a teacher makes often, amplified in otherwise right texts, are the rejected samples of SeaPO (arXiv
2509.24781). A kind of error is a category of the taxonomy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

from arf_programs.checks import Material
from arf_programs.config import ErrorKinds
from arf_programs.metrics import Place
from arf_programs.planting.choose import PLANTERS, RightSummary, find_changes_of
from arf_programs.planting.records import Change, plant_text
from signatures.exceptions import DataError


class DrawnError(NamedTuple):
    """A right summary, the change that was drawn for it, and the text with that error."""

    summary: RightSummary
    change: Change
    text: str


def draw_errors(
    summaries: Sequence[RightSummary], kinds: ErrorKinds, counts: Mapping[str, int], seed: int
) -> list[DrawnError | None]:
    """Draw one error for each summary; None where its text allows no error of a wanted kind.

    `counts` holds the errors of the teacher by category. With `teacher` a category is drawn as often as the teacher's
    errors have it, of those that the text allows. `uniform` draws each category equally often. `commonest` takes the
    category that the teacher's errors have most, of those that can be planted in any of the texts. Within the category
    each change is equally likely. A summary's error does not depend on the other summaries, apart from `commonest`.

    Raises DataError if the teacher has no error of a category that can be planted.
    """
    keys = [summary.key(seed) for summary in summaries]
    found = [
        find_changes_of(Material(summary.conversation, summary.text), PLANTERS, key)
        for summary, key in zip(summaries, keys, strict=True)
    ]
    weights = _weights(kinds, counts, {change.category for changes in found for change in changes})
    return [
        _draw(summary, changes, weights, Random(f"{key} rejected"))  # noqa: S311 - repeatable, not secret
        for summary, changes, key in zip(summaries, found, keys, strict=True)
    ]


def _weights(kinds: ErrorKinds, counts: Mapping[str, int], possible: set[str]) -> dict[str, int]:
    """{category: how often to draw it}, without those that are never drawn."""
    if kinds == "uniform" or not possible:
        return dict.fromkeys(possible, 1)
    known = {name: counts[name] for name in sorted(possible) if counts.get(name)}
    if not known:
        raise DataError(
            f"train.preference.kinds: {kinds}: none of the teacher's errors is of a kind that can be planted "
            f"({', '.join(sorted(possible))}): set train.preference.kinds to uniform."
        )
    return known if kinds == "teacher" else {max(known, key=lambda name: known[name]): 1}


def _draw(
    summary: RightSummary, changes: Sequence[Change], weights: Mapping[str, int], rng: Random
) -> DrawnError | None:
    allowed = sorted({change.category for change in changes} & set(weights))
    if not allowed:
        return None
    (category,) = rng.choices(allowed, [weights[name] for name in allowed])
    change = rng.choice([change for change in changes if change.category == category])
    text = plant_text(summary.text, [Place(change.start, change.end, change.wrong)])
    return DrawnError(summary, change, text)

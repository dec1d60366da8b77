"""Which found error is which labelled error."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from arf_programs.metrics.tokens import words_of
from signatures.records import ErrorNote

LEAST_OVERLAP: Final = 0.5
"""Share of the shorter quote that has to stand, word for word, in the longer one."""


def match_errors(
    found: Sequence[ErrorNote], labeled: Sequence[ErrorNote], *, same_category: bool = True
) -> list[tuple[ErrorNote, ErrorNote]]:
    """Pairs `(found, labelled)`, one to one, so that as many and as closely quoted pairs as possible are made.

    Two errors can be a pair if they have the same category and the longest run of words that their quotes share is at
    least `LEAST_OVERLAP` of the shorter quote; omissions, which quote nothing, pair with omissions. With
    `same_category=False` the quotes alone decide: an analyst found the place but names another kind of error.

    Of all one-to-one assignments the one of the greatest total is taken, a pair being worth 1 plus the F1 of its
    quotes' words, `2 c / (a + b)`: scipy.optimize.linear_sum_assignment (Crouse 2016, "On implementing 2D rectangular
    assignment algorithms"). Pairs come in the order of `found`.
    """
    if not found or not labeled:
        return []
    # Imported here because `arf --help` and the checks do without it.
    from scipy.optimize import linear_sum_assignment

    worth = [[_worth(note, label, same_category) for label in labeled] for note in found]
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(found[i], labeled[j]) for i, j in zip(rows, columns, strict=True) if worth[i][j] > 0]


def _worth(found: ErrorNote, labeled: ErrorNote, same_category: bool) -> float:
    """What a pair is worth: 0 if the two cannot be one error, else from 1 to 3."""
    if same_category and found.category != labeled.category:
        return 0.0
    # Where categories do not have to agree, an agreeing pair still comes first.
    agreement = 0.5 * (found.category == labeled.category)
    if not found.quote or not labeled.quote:
        return 0.0 if found.quote or labeled.quote else 1.0 + agreement
    closeness = quote_overlap(found.quote, labeled.quote)
    return 1.0 + closeness + agreement if closeness else 0.0


def quote_overlap(a: str, b: str) -> float:
    """F1 of the words of two quotes, `2 c / (len(a) + len(b))`, c being the longest run of words that they share.

    0 where c is less than `LEAST_OVERLAP` of the shorter quote: a shared "the" is not an overlap.
    """
    left, right = words_of(a) or [a.strip()], words_of(b) or [b.strip()]
    size = SequenceMatcher(None, left, right, autojunk=False).find_longest_match().size
    if size < LEAST_OVERLAP * min(len(left), len(right)):
        return 0.0
    return 2 * size / (len(left) + len(right))

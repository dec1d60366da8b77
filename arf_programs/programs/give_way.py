"""The check of names gives way where a calibrated model is sure that the conversation supports the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from arf_programs.checks import run_checks
from arf_programs.text import find_sentences, place_of
from signatures.records import Conversation, ErrorNote, SentenceScore

SURE: Final = 0.05
"""A calibrated probability that a sentence is wrong, up to which the model counts as sure that it is right.

A calibration maps the scores of a model that cannot tell to probabilities near the share of wrong sentences, so such a
model is never sure.
"""


def give_way(
    checked: Sequence[ErrorNote], conversation: Conversation, summary: str, scores: Sequence[SentenceScore]
) -> list[ErrorNote]:
    """Return the notes of the checks without names in sentences that the model is sure of.

    A name may have a form that no rule knows, while a number, a date or a code is there or it is not. `scores` are
    calibrated scores of sentences of the summary.
    """
    names = {note.id for note in run_checks(conversation, summary, enabled=("names",))}
    supported = {score.sentence for score in scores if score.score is not None and score.score <= SURE}
    sure = [span for span in find_sentences(summary) if summary[slice(*span)] in supported]

    def stays(note: ErrorNote) -> bool:
        place = place_of(note, summary) if note.id in names else None
        return place is None or not any(start <= place[0] and place[1] <= end for start, end in sure)

    return [note for note in checked if stays(note)]

"""Which edits of a rejected revision can be kept, and what is deleted instead. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from arf_programs.flagged import notes_by_sentence, sentence_edit
from signatures.records import Edit, ErrorNote


def verified_edits(applied: Sequence[Edit], remaining: Sequence[ErrorNote], new: Sequence[ErrorNote]) -> list[Edit]:
    """The edits whose errors are gone and whose new words hold no new error.

    A new error without a quote cannot be laid at one edit's door, so then no edit is kept.
    """
    if any(not note.quote for note in new):
        return []
    still_there = {note.id for note in remaining}
    kept = []
    for edit in applied:
        brings_error = any(_overlap(edit.replacement, note.quote) for note in new)
        if edit.mends and not still_there.intersection(edit.mends) and not brings_error:
            kept.append(edit)
    return kept


def deletions(before: str, errors: Sequence[ErrorNote]) -> list[Edit]:
    """One deletion for each sentence of `before` that holds the quote of one of `errors`.

    Deleting the sentence is the one mend that needs no model and cannot bring in a new fact.
    """
    return [sentence_edit(before, index, "", notes) for index, notes in notes_by_sentence(before, errors).items()]


def _overlap(replacement: str, quote: str) -> bool:
    return bool(replacement.strip()) and (quote in replacement or replacement.strip() in quote)

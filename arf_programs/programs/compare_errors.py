"""Compare the errors of a draft with what was found in its revision: remaining, brought in, or only noticed now.

Pure functions. An error counts as brought in only where an edit wrote or removed something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from arf_programs.corpus import FORM_CATEGORIES
from arf_programs.programs.reported_errors import holds_words, is_omission, one_kind, same_error, same_omission
from arf_programs.text import Changes, place_of, spans_meet, speaks_of
from signatures.records import ErrorNote, SentenceScore


@dataclass(frozen=True)
class Second:
    """What was found in a revision.

    `mended` says of errors of the draft, by id, whether the analyst calls them mended, and `explained` why.
    `checked_before` are the errors that the checks found in the draft; `checks` says whether they were run at all.
    """

    found: tuple[ErrorNote, ...] = ()
    mended: Mapping[str, bool] = field(default_factory=dict)
    explained: Mapping[str, str] = field(default_factory=dict)
    sentences: tuple[SentenceScore, ...] = ()
    checked_before: tuple[ErrorNote, ...] = ()
    checks: bool = False


class Compared(NamedTuple):
    """Errors of the draft that remain, errors that the revision brought in, and errors that were overlooked before."""

    remaining: tuple[ErrorNote, ...]
    new: tuple[ErrorNote, ...]
    noticed: tuple[ErrorNote, ...]


def compare_errors(changes: Changes, errors: Sequence[ErrorNote], second: Second) -> Compared:
    """Divide the errors of the draft and those that were found in the revision.

    An error of the draft remains if it was found again at its place or in new words, if the analyst says that it is not
    mended, or if its words stand there untouched. For the last, the analyst's word that it is mended counts where
    something else in the sentence changed; and of what a check found, only the check can say that it remains.

    An error that was found is new if the revision wrote words of its quote, or removed words inside it. An omission is
    new if it is about words that the revision removed. A repetition, or another fault of form that a check finds, is
    new if the check did not find it in the draft.
    """
    again = {old.id: [note for note in second.found if _continues(note, old, changes)] for old in errors}
    remaining = [
        _as_it_remains(old, again[old.id], changes, second) for old in errors if _remains(old, again, changes, second)
    ]
    known = {note.id for notes in again.values() for note in notes}
    others = [note for note in second.found if note.id not in known]
    new = [note for note in others if _is_new(note, changes, second)]
    noticed = [note for note in others if note not in new]
    return Compared(tuple(remaining), tuple(new), tuple(noticed))


def _remains(old: ErrorNote, again: Mapping[str, Sequence[ErrorNote]], changes: Changes, second: Second) -> bool:
    mended = second.mended.get(old.id)
    if is_omission(old.category) or not old.quote:
        return mended is False or (mended is None and bool(again[old.id]))
    if again[old.id] or mended is False:
        return True
    place = place_of(old, changes.before)
    if place is None or not changes.kept(place) or (old.source == "check" and second.checks):
        return False
    return not mended or changes.sentence_kept(place)


def _as_it_remains(old: ErrorNote, again: Sequence[ErrorNote], changes: Changes, second: Second) -> ErrorNote:
    """Return the error with the draft's id, and with the quote and the explanation that hold for the revision."""
    if again:
        return again[0].model_copy(update={"id": old.id})
    place = place_of(old, changes.before)
    start = changes.now(place)[0] if place and changes.kept(place) else None
    explanation = second.explained.get(old.id) or old.explanation
    return old.model_copy(update={"start": start if old.start is not None else None, "explanation": explanation})


def _continues(found: ErrorNote, old: ErrorNote, changes: Changes) -> bool:
    """Say whether an error of the revision is an error of the draft that is still there."""
    if not (found.quote and old.quote):
        return same_omission(found, old)
    if not one_kind(found.category, old.category):
        return False
    if not (holds_words(found.quote, old.quote) or holds_words(old.quote, found.quote)):
        return False
    place, was = place_of(found, changes.after), place_of(old, changes.before)
    if place is None or was is None:
        return True
    return spans_meet(place, changes.now(was)) or changes.wrote(place)


def _is_new(note: ErrorNote, changes: Changes, second: Second) -> bool:
    place = place_of(note, changes.after)
    if place is not None and changes.wrote(place):
        return True
    if note.source == "check":
        # What is repeated or too long may be quoted where nothing was written.
        return note.category in FORM_CATEGORIES and not any(same_error(note, old) for old in second.checked_before)
    return not note.quote and speaks_of(note.explanation, changes.lost())

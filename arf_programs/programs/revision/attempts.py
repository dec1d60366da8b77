"""What is kept of the attempts to mend one draft, so that a right edit is never lost.

An edit that verified is kept even if the rest of its attempt fails. The next attempt is asked only about the errors
that are still open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from arf_programs.programs.revision.propose import Proposal
from arf_programs.programs.revision.verify import Verification, budget_problems
from arf_programs.text import (
    AppliedEdits,
    Changes,
    Span,
    apply_edits,
    edit_sentence,
    edit_span,
    group_by_sentence,
    is_retelling,
    place_of,
    spans_meet,
    speaks_of,
)
from signatures.records import Edit, ErrorNote, RefusedEdit

_CHANGES_SHOWN: Final = 8
_LONGEST_SHOWN: Final = 200


class Attempts:
    """The attempts to mend one draft: the edits that are kept, the errors that are open, and the feedback so far."""

    def __init__(self, before: str, errors: tuple[ErrorNote, ...]) -> None:
        self.before = before
        self.errors = errors
        self.open_errors = errors
        self.kept: list[Edit] = []
        self.feedback: list[str] = []
        self.last = Proposal(after=before)
        self._mended: set[str] = set()
        self._carried: list[Edit] = []

    def with_kept(self, proposal: Proposal) -> Proposal:
        """Return the proposal with the kept edits that it does not touch."""
        if not self._carried:
            return proposal
        result = apply_edits(self.before, _joined(self.before, self._carried, proposal.applied))
        return Proposal(after=result.after, applied=result.applied, refused=(*proposal.refused, *result.refused))

    def failed(self, result: Proposal, verification: Verification) -> None:
        """Keep what was right in an attempt, and add to the feedback what it changed and what was wrong with it."""
        good = verified_edits(self.before, result.after, result.applied, verification, self.errors)
        spoilt = [edit for edit in result.applied if edit not in good]
        self.kept, old = _joined(self.before, good, self.kept), self.kept
        restored = {name for edit in old if edit in self.kept and edit not in good for name in edit.mends}
        remaining = {note.id for note in verification.remaining}
        gone = {note.id for note in self.errors if note.id not in remaining and not self._touched(note, spoilt)}
        self._mended = (gone if good else set()) | (self._mended & restored)
        self._choose_open(carry=not verification.over_budget)
        said = describe_attempt(self.before, result.after, verification, result.refused)
        self.feedback.append(f"{len(self.feedback) + 1}. {said}")
        self.last = result

    def refuted(self) -> list[ErrorNote]:
        """Return the errors that a check found and that no kept edit mends, without the one about most of the draft."""
        mended = self._mended | {name for edit in self.kept for name in edit.mends}
        found = [note for note in self.errors if note.source == "check" and note.id not in mended]
        return [note for note in found if not is_retelling(note, self.before)]

    def _choose_open(self, *, carry: bool) -> None:
        """Choose the errors to ask about next, and the kept edits that stand meanwhile.

        Where an open error stands in the words of a kept edit, all errors of that edit are asked about again. The edit
        comes back if the next attempt mends them no better.
        """
        again = {note.id for note in self.errors if note.id not in self._mended}
        reopened = [
            edit for edit in self.kept if any(note.id in again and self._touched(note, [edit]) for note in self.errors)
        ]
        again.update(name for edit in reopened for name in edit.mends)
        self.open_errors = tuple(note for note in self.errors if note.id in again)
        self._carried = [edit for edit in self.kept if edit not in reopened]
        if not (carry and self.open_errors):
            self.open_errors, self._carried = self.errors, []

    def _touched(self, note: ErrorNote, edits: Sequence[Edit]) -> bool:
        return any(is_for(edit, note, self.before) for edit in edits)


def describe_attempt(before: str, after: str, verification: Verification, refused: Sequence[RefusedEdit] = ()) -> str:
    """Say in one line what an attempt changed, which edits were not made and why, and what was wrong with it."""
    changes = [_shortened(change) for change in Changes(before, after).shown()]
    more = f"; and {len(changes) - _CHANGES_SHOWN} more" if len(changes) > _CHANGES_SHOWN else ""
    made = "; ".join(changes[:_CHANGES_SHOWN]) + more if changes else "nothing was changed"
    lost = "; ".join(_shortened(" ".join(item.reason.split())) for item in refused[:_CHANGES_SHOWN])
    unmade = f" Edits that could not be made: {lost}." if lost else ""
    return f"Tried: {made}.{unmade} Wrong with it: {'; '.join(verification.problems)}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def is_for(edit: Edit, note: ErrorNote, before: str) -> bool:
    """Say whether an edit names an error as one that it mends, or changes the error's words."""
    place = place_of(note, before) if note.quote else None
    return note.id in edit.mends or (place is not None and spans_meet(edit_span(edit, before), place))


def verified_edits(
    before: str, after: str, applied: Sequence[Edit], verification: Verification, errors: Sequence[ErrorNote]
) -> list[Edit]:
    """Return the edits that the verification of their result, `after`, does not object to.

    An edit is dropped in four cases: it wrote the words of a new error, it removed what a new omission is about, it
    replaced a flagged sentence by one that is no better supported, or all errors of the draft that it is about remain.
    """
    changes = Changes(before, after)
    remaining = {note.id for note in verification.remaining}
    blamed = [edit for note in verification.new for edit in _blamed(note, changes, applied)]
    kept = []
    for edit in applied:
        about = {note.id for note in errors if is_for(edit, note, before)}
        useless = bool(about) and about <= remaining
        worse = any(spans_meet(edit_span(edit, before), place) for place in verification.ungained)
        if edit not in blamed and not useless and not worse:
            kept.append(edit)
    return kept


def _blamed(note: ErrorNote, changes: Changes, applied: Sequence[Edit]) -> list[Edit]:
    """Return the edits that brought in an error."""
    place = place_of(note, changes.after)
    if place is not None:
        return changes.made_by(place, applied)
    return [edit for edit in applied if speaks_of(note.explanation, changes.lost(edit_span(edit, changes.before)))]


def deletions(before: str, errors: Sequence[ErrorNote]) -> list[Edit]:
    """Return a deletion for each sentence of `before` that holds the quote of one of `errors`.

    A deletion needs no model and cannot bring in a new fact.
    """
    return [edit_sentence(before, index, "", notes) for index, notes in group_by_sentence(before, errors).items()]


def apply_within(
    before: str, edits: Sequence[Edit], errors: Sequence[ErrorNote] = (), *, max_change: float, min_words: int
) -> AppliedEdits:
    """Apply the edits one after the other. Leave out an edit that would change too much or leave too little."""
    fitting: list[Edit] = []
    for edit in edits:
        after = apply_edits(before, [*fitting, edit]).after
        if not budget_problems(before, after, errors, max_change=max_change, min_words=min_words):
            fitting.append(edit)
    return apply_edits(before, fitting)


def _joined(before: str, first: Sequence[Edit], second: Sequence[Edit]) -> list[Edit]:
    """Return all edits of the first list, and those of the second that touch none of the first."""
    taken: list[Span] = [edit_span(edit, before) for edit in first]
    return [*first, *(edit for edit in second if edit not in first and not _touches(edit_span(edit, before), taken))]


def _touches(span: Span, taken: Sequence[Span]) -> bool:
    return any(spans_meet(span, other) or span == other for other in taken)

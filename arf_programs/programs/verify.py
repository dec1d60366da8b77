"""Verify: a revision is analysed again and compared with the draft that it mends."""

from __future__ import annotations

from collections.abc import Sequence

import dspy

from arf_programs.edits import change_share
from arf_programs.error_notes import is_omission, same_error
from arf_programs.programs.analyze import AnalyzeSummary
from signatures.records import Conversation, ErrorNote, Record

_NEW = "the revision brought in a new error"
_LEFT = "this error is still there"


class Verification(Record):
    """What a second analysis says of a revision. `problems` is in words, as feedback for the next attempt."""

    remaining: tuple[ErrorNote, ...] = ()
    new: tuple[ErrorNote, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems

    def errors(self) -> tuple[ErrorNote, ...]:
        """All errors of the revision."""
        return self.remaining + self.new


class VerifyRevision(dspy.Module):
    """Keeps a revision only if the errors are gone, none is new, and the change stays within its budget."""

    def __init__(self, analyze: AnalyzeSummary, *, max_change: float, min_words: int) -> None:
        super().__init__()
        self.analyze = analyze
        self.max_change = max_change
        self.min_words = min_words

    async def aforward(
        self, conversation: Conversation, before: str, after: str, errors: Sequence[ErrorNote]
    ) -> dspy.Prediction:
        """Prediction(verification: Verification)."""
        analysis = await self.analyze.acall(conversation=conversation, summary=after)
        remaining, new = compare_errors(errors, analysis.errors, after)
        problems = [_say(_LEFT, note) for note in remaining] + [_say(_NEW, note) for note in new]
        problems += budget_problems(before, after, max_change=self.max_change, min_words=self.min_words)
        return dspy.Prediction(verification=Verification(remaining=remaining, new=new, problems=tuple(problems)))


def compare_errors(
    before: Sequence[ErrorNote], after: Sequence[ErrorNote], text: str
) -> tuple[tuple[ErrorNote, ...], tuple[ErrorNote, ...]]:
    """(remaining, new): the errors of the revision `text`, parted by whether the draft had them.

    An error of the draft remains if the analysis of the revision finds it again, or, for one that a model found, if
    the words that it quoted are all still there (a model that overlooks the same words once is no proof).
    """
    again = [note for note in after if any(same_error(note, old) for old in before)]
    new = [note for note in after if note not in again]
    untouched = [
        old
        for old in before
        if old.source == "lm"
        and not is_omission(old.category)
        and old.quote in text
        and not any(same_error(old, note) for note in again)
    ]
    return (*again, *untouched), tuple(new)


def budget_problems(before: str, after: str, *, max_change: float, min_words: int) -> list[str]:
    """What is wrong with the size of the change: too many words changed, or too few left."""
    problems = []
    share = change_share(before, after)
    if share > max_change:
        problems.append(f"too much was changed: {share:.0%} of the words, at most {max_change:.0%} may change")
    words = len(after.split())
    if words < min(min_words, len(before.split())):
        problems.append(f"too little is left: {words} words, at least {min_words} are needed")
    return problems


def _say(what: str, note: ErrorNote) -> str:
    quote = f' at "{note.quote}"' if note.quote else ""
    return f"{what}: {note.category}{quote}. {note.explanation}".strip()

"""Verify: a revision is analysed again and compared with the draft that it mends."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import dspy

from arf_programs.programs.analyze import Analyze
from arf_programs.programs.reported_errors import holds_words, is_omission, same_error
from arf_programs.programs.support import SentenceSupport
from arf_programs.text import change_share, notes_by_sentence, split_sentences
from signatures.records import Conversation, ErrorNote, Record, SentenceScore

_NEW = "the revision brought in a new error"
_LEFT = "this error is still there"
_NO_GAIN = "what replaced this sentence is no better supported by the conversation than it was"


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
    """Keeps a revision only if the errors are gone, none is new, and the change stays within its budget.

    Where the analyst scores sentences, what became of a flagged one must also be better supported than it was.
    `support` is the question by which an editor's candidates are scored; None where no model is asked.
    """

    def __init__(
        self,
        analyze: Analyze,
        *,
        max_change: float,
        min_words: int,
        support: SentenceSupport | None = None,
    ) -> None:
        super().__init__()
        self.analyze = analyze
        self.support = support
        self.max_change = max_change
        self.min_words = min_words

    async def aforward(
        self, conversation: Conversation, before: str, after: str, errors: Sequence[ErrorNote]
    ) -> dspy.Prediction:
        """Prediction(verification: Verification)."""
        analysis = await self.analyze.acall(conversation=conversation, summary=after)
        remaining, new = compare_errors(errors, analysis.errors, after)
        problems = [_say(_LEFT, note) for note in remaining] + [_say(_NEW, note) for note in new]
        problems += ungained(before, after, errors, analysis.sentences)
        problems += budget_problems(before, after, max_change=self.max_change, min_words=self.min_words)
        return dspy.Prediction(verification=Verification(remaining=remaining, new=new, problems=tuple(problems)))


def compare_errors(
    before: Sequence[ErrorNote], after: Sequence[ErrorNote], text: str
) -> tuple[tuple[ErrorNote, ...], tuple[ErrorNote, ...]]:
    """(remaining, new): the errors of the revision `text`, parted by whether the draft had them.

    An error of the draft remains if the analysis of the revision finds it again, or, for one that a model found, if
    the words that it quoted are all still there, as words and in the same spelling (a model that overlooks the same
    words once is no proof).
    """
    again = [note for note in after if any(same_error(note, old) for old in before)]
    new = [note for note in after if note not in again]
    untouched = [
        old
        for old in before
        if old.source == "lm"
        and not is_omission(old.category)
        and _still_there(old.quote, text)
        and not any(same_error(old, note) for note in again)
    ]
    return (*again, *untouched), tuple(new)


def _still_there(quote: str, text: str) -> bool:
    return quote in text and holds_words(text, quote)


def ungained(before: str, after: str, errors: Sequence[ErrorNote], sentences: Sequence[SentenceScore]) -> list[str]:
    """In words, each flagged sentence of `before` that is not better supported in `after`; `sentences` are its scores.

    What became of a sentence is the run of sentences that stands in its place (difflib.SequenceMatcher over sentences):
    it has gained when all of them have a lower score, or when none is left.
    """
    old, new = split_sentences(before), split_sentences(after)
    scores = {
        index: max(note.score for note in notes if note.score is not None)
        for index, notes in notes_by_sentence(before, errors).items()
        if any(note.score is not None for note in notes)
    }
    now = {item.sentence: item.score for item in sentences if item.score is not None}
    problems = []
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        known = [now[text] for text in new[c:d] if text in now]
        worse = [old[index] for index in range(a, b) if index in scores and known and scores[index] <= max(known)]
        problems += [f'{_NO_GAIN}: "{text}"' for text in worse]
    return problems


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

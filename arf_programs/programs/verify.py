"""Verify: analyse a revision again, and compare its errors with those of the draft."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import dspy

from arf_programs.programs.analyze import Analyze
from arf_programs.programs.program import Program
from arf_programs.programs.reported_errors import holds_words, is_omission, same_error
from arf_programs.programs.support import SentenceSupport
from arf_programs.text import fold, group_by_sentence, measure_change, split_sentences
from signatures.records import Conversation, ErrorNote, Record, SentenceScore

_NEW = "the revision brought in a new error"
_LEFT = "this error is still there"
_NO_GAIN = "what replaced this sentence is no better supported by the conversation than it was"


class Verification(Record):
    """The result of the second analysis. `problems` says in words what is wrong, as feedback for the next attempt."""

    remaining: tuple[ErrorNote, ...] = ()
    new: tuple[ErrorNote, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems

    def errors(self) -> tuple[ErrorNote, ...]:
        """All errors of the revision."""
        return self.remaining + self.new


class VerifyRevision(Program):
    """Accept a revision only if the errors are gone, none is new, and the change is small enough.

    Where the analyst scores sentences, the text in the place of a flagged sentence must also have better support.

    Args:
        analyze: finds the errors of the revision.
        max_change: largest share of words, 0 to 1, that a revision may change.
        min_words: a revision with fewer words is refused.
        support: the question that scores an editor's candidates; None where no model is asked.
    """

    def __init__(
        self,
        analyze: Analyze | None = None,
        *,
        max_change: float = 0.6,
        min_words: int = 8,
        support: SentenceSupport | None = None,
    ) -> None:
        super().__init__()
        self.analyze = analyze or Analyze()
        self.support = support
        self.max_change = max_change
        self.min_words = min_words

    async def aforward(
        self, conversation: Conversation, before: str, after: str, errors: Sequence[ErrorNote]
    ) -> dspy.Prediction:
        """Return Prediction(verification: Verification). Raises ModelError when no answer can be parsed."""
        analysis = await self.analyze.acall(conversation=conversation, summary=after)
        remaining, new = compare_errors(errors, analysis.errors, after)
        problems = [_describe(_LEFT, note) for note in remaining] + [_describe(_NEW, note) for note in new]
        problems += ungained(before, after, errors, analysis.sentences)
        problems += budget_problems(before, after, max_change=self.max_change, min_words=self.min_words)
        return dspy.Prediction(verification=Verification(remaining=remaining, new=new, problems=tuple(problems)))


def compare_errors(
    before: Sequence[ErrorNote], after: Sequence[ErrorNote], text: str
) -> tuple[tuple[ErrorNote, ...], tuple[ErrorNote, ...]]:
    """Return (remaining, new): the errors of the revision `text`, divided by whether the draft had them.

    An error of the draft remains if the second analysis reports it again. An error that a model found also remains
    while all the words that it quoted are still there, since a model may overlook the same words the second time.
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
    return fold(quote).text in fold(text).text and holds_words(text, quote)


def ungained(before: str, after: str, errors: Sequence[ErrorNote], sentences: Sequence[SentenceScore]) -> list[str]:
    """Return a problem for each flagged sentence of `before` that is not better supported in `after`.

    `sentences` are the scores of `after`. difflib.SequenceMatcher over sentences says which sentences stand in the
    place of another. A flagged sentence has gained when all of those have a lower score, or when it was deleted.
    """
    old, new = split_sentences(before), split_sentences(after)
    scores = {
        index: max(note.score for note in notes if note.score is not None)
        for index, notes in group_by_sentence(before, errors).items()
        if any(note.score is not None for note in notes)
    }
    score_after = {item.sentence: item.score for item in sentences if item.score is not None}
    problems = []
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        after_scores = [score_after[text] for text in new[c:d] if text in score_after]
        worst = max(after_scores, default=None)
        worse = [old[i] for i in range(a, b) if i in scores and worst is not None and scores[i] <= worst]
        problems += [f'{_NO_GAIN}: "{text}"' for text in worse]
    return problems


def budget_problems(before: str, after: str, *, max_change: float, min_words: int) -> list[str]:
    """Return a problem if too many words were changed, and one if too few are left."""
    problems = []
    share = measure_change(before, after)
    if share > max_change:
        problems.append(f"too much was changed: {share:.0%} of the words, at most {max_change:.0%} may change")
    words = len(after.split())
    if words < min(min_words, len(before.split())):
        problems.append(f"too little is left: {words} words, at least {min_words} are needed")
    return problems


def _describe(what: str, note: ErrorNote) -> str:
    quote = f' at "{note.quote}"' if note.quote else ""
    return f"{what}: {note.category}{quote}. {note.explanation}".strip()

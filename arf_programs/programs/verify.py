"""Verify: are the errors of a draft mended, and is what the revision wrote right?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dspy

from arf_programs.programs.analyze import Analyze, HolisticAnalysis, SentencewiseAnalysis
from arf_programs.programs.asking import ask, typed
from arf_programs.programs.compare_errors import Second, compare_errors
from arf_programs.programs.program import Program
from arf_programs.programs.reported_errors import is_omission, narrow_categories, note_errors
from arf_programs.programs.support import SentenceSupport
from arf_programs.text import (
    Changes,
    Span,
    describe_errors,
    find_sentences,
    group_by_sentence,
    measure_change,
    place_of,
    spans_meet,
    split_sentences,
    split_words,
)
from signatures.check_revision import CheckRevision, MendedError
from signatures.find_errors import FoundError
from signatures.records import Conversation, ErrorNote, Record, SentenceScore

_NEW = "the revision brought in a new error"
_LEFT = "this error is still there"
_NO_GAIN = "what replaced this sentence is no better supported by the conversation than it was"


class Verification(Record):
    """The result of a verification.

    `remaining` are errors of the draft that are still there, with their ids. `new` are errors that the revision brought
    in. `noticed` are errors in words that the revision did not write: the first analysis overlooked them, and they are
    no reason to reject the revision. `ungained` are the places of flagged sentences of the draft whose replacements are
    no better supported. `over_budget` says in words which limit of change was passed.
    """

    remaining: tuple[ErrorNote, ...] = ()
    new: tuple[ErrorNote, ...] = ()
    noticed: tuple[ErrorNote, ...] = ()
    ungained: tuple[Span, ...] = ()
    over_budget: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems

    def errors(self) -> tuple[ErrorNote, ...]:
        """The errors that count against the revision."""
        return self.remaining + self.new


class VerifyRevision(Program):
    """Accept a revision only if the errors are gone, none was brought in, and the change is small enough.

    A holistic analyst is shown the errors and the changes, and says of each error whether it is mended. A sentencewise
    one is asked about the changed sentences only, and the text in the place of a flagged sentence must have better
    support than that had. An unchanged text is not asked about.

    Args:
        analyze: the analyst and the checks.
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
        analysis = self.analyze.analysis
        if isinstance(analysis, HolisticAnalysis):
            new_errors = list[narrow_categories(FoundError, analysis.taxonomy.ids())]  # type: ignore[misc, valid-type]
            self.check = dspy.Predict(typed(CheckRevision, "new_errors", new_errors))

    async def aforward(
        self, conversation: Conversation, before: str, after: str, errors: Sequence[ErrorNote]
    ) -> dspy.Prediction:
        """Return Prediction(verification: Verification). Raises ModelError when no answer can be parsed."""
        if after == before:
            problems = tuple(_describe(_LEFT, note) for note in errors)
            return dspy.Prediction(verification=Verification(remaining=tuple(errors), problems=problems))
        changes = Changes(before, after)
        second = await self._look_again(conversation, changes, errors)
        compared = compare_errors(changes, errors, second)
        worse = ungained(changes, errors, second.sentences)
        budget = budget_problems(before, after, max_change=self.max_change, min_words=self.min_words)
        problems = (
            *(_describe(_LEFT, note) for note in compared.remaining),
            *(_describe(_NEW, note) for note in compared.new),
            *(f'{_NO_GAIN}: "{before[slice(*place)]}"' for place in worse),
            *budget,
        )
        verification = Verification(
            remaining=compared.remaining,
            new=compared.new,
            noticed=compared.noticed,
            ungained=tuple(worse),
            over_budget=tuple(budget),
            problems=problems,
        )
        return dspy.Prediction(verification=verification)

    async def _look_again(self, conversation: Conversation, changes: Changes, errors: Sequence[ErrorNote]) -> Second:
        """Ask the analyst about the changes, and run the checks."""
        checked, checked_before = (self.analyze.check(conversation, text) for text in (changes.after, changes.before))
        analysis = self.analyze.analysis
        if isinstance(analysis, HolisticAnalysis):
            second = await self._ask_about_changes(analysis, conversation, changes, errors)
        elif isinstance(analysis, SentencewiseAnalysis):
            second = await _ask_about_sentences(analysis, conversation, changes, errors)
        else:
            second = Second()
        found = self.analyze.merge(checked, second.found, conversation, changes.after, second.sentences)
        return Second(
            found, second.mended, second.explained, second.sentences, tuple(checked_before), self.analyze.checks
        )

    async def _ask_about_changes(
        self, analysis: HolisticAnalysis, conversation: Conversation, changes: Changes, errors: Sequence[ErrorNote]
    ) -> Second:
        with dspy.context(lm=analysis.find_errors.lm or dspy.settings.lm):
            answer = await ask(
                self.check,
                retries=analysis.retries,
                categories=analysis.taxonomy.as_text(),
                conversation=conversation.as_numbered_text(),
                summary=changes.after,
                errors=describe_errors(errors, changes.before),
                changes="\n".join(f"- {change}" for change in changes.shown()),
            )
        found = note_errors(
            conversation, changes.after, answer.new_errors, [], taxonomy=analysis.taxonomy, within=changes.written
        )
        return Second(tuple(found), *_verdicts(answer.checks, errors))


async def _ask_about_sentences(
    analysis: SentencewiseAnalysis, conversation: Conversation, changes: Changes, errors: Sequence[ErrorNote]
) -> Second:
    """Ask about each sentence that the draft does not have; and what is missing, if something was, or was deleted."""
    known = {tuple(split_words(sentence)) for sentence in split_sentences(changes.before)}
    places = [
        place
        for place in find_sentences(changes.after)
        if tuple(split_words(changes.after[slice(*place)])) not in known
    ]
    missing = bool(changes.deleted) or any(is_omission(note.category) for note in errors)
    answer = await analysis.acall(conversation=conversation, summary=changes.after, places=places, omissions=missing)
    good = [place for place, score in zip(places, answer.sentences, strict=True) if not score.flagged]
    mended = {note.id: True for note in errors if _stands_in(note, changes, good)}
    return Second(tuple(answer.errors), mended, {}, tuple(answer.sentences))


def _stands_in(note: ErrorNote, changes: Changes, sentences: Iterable[Span]) -> bool:
    """Say whether the words of an error, or what took their place, stand in one of these sentences of the revision."""
    place = place_of(note, changes.before)
    if place is None:
        return False
    start, end = changes.now(place)
    return any(first <= start and end <= last for first, last in sentences)


def _verdicts(checks: Sequence[MendedError], errors: Sequence[ErrorNote]) -> tuple[dict[str, bool], dict[str, str]]:
    """Return what the analyst says of each error, by the error's id: whether it is mended, and why."""
    ids = {f"e{number}": note.id for number, note in enumerate(errors, start=1)}
    said = {ids[item.id.strip(" .:").lower()]: item for item in checks if item.id.strip(" .:").lower() in ids}
    return {name: item.mended for name, item in said.items()}, {
        name: " ".join(item.explanation.split()) for name, item in said.items()
    }


def ungained(changes: Changes, errors: Sequence[ErrorNote], sentences: Sequence[SentenceScore]) -> list[Span]:
    """Return the places of the flagged sentences of the draft that are not better supported in the revision.

    `sentences` are scores of sentences of the revision. A flagged sentence has gained when all sentences in its place
    have a lower score, or when it was deleted.
    """
    places = find_sentences(changes.before)
    now = [(span, changes.after[slice(*span)]) for span in find_sentences(changes.after)]
    score_after = {item.sentence: item.score for item in sentences if item.score is not None}
    worse = []
    for index, notes in group_by_sentence(changes.before, errors).items():
        scores = [note.score for note in notes if note.score is not None]
        instead = changes.now(places[index])
        if instead[0] == instead[1]:
            continue  # it was deleted
        after = [score_after[text] for span, text in now if spans_meet(span, instead) and text in score_after]
        if scores and after and max(scores) <= max(after):
            worse.append(places[index])
    return worse


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

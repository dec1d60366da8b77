"""Verify a revision: are the errors of the draft mended, and is what the revision wrote right?

The errors of the draft are compared with those found in the revision. An error has remained, was brought in, or was
only noticed now. It counts as brought in only if an edit wrote or removed something there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import dspy

from arf_programs.corpus import FORM_CATEGORIES
from arf_programs.programs.analysis.analyze import Analyze, HolisticAnalysis, SentencewiseAnalysis
from arf_programs.programs.analysis.reported_errors import (
    holds_words,
    is_old_copy,
    is_omission,
    narrow_categories,
    note_errors,
    one_kind,
    same_error,
    same_omission,
)
from arf_programs.programs.analysis.support import SentenceSupport
from arf_programs.programs.asking import Program, ask, typed
from arf_programs.text import (
    Changes,
    Span,
    describe_errors,
    find_sentences,
    group_by_sentence,
    place_of,
    spans_meet,
    speaks_of,
    split_sentences,
    split_words,
)
from signatures.check_revision import CheckRevision, MendedError
from signatures.find_errors import FoundError
from signatures.records import Conversation, Edit, ErrorNote, Record, SentenceScore

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
        self,
        conversation: Conversation,
        before: str,
        after: str,
        errors: Sequence[ErrorNote],
        edits: Sequence[Edit] = (),
    ) -> dspy.Prediction:
        """Return Prediction(verification: Verification). Raises ModelError when no answer can be parsed.

        `edits` are those that made `after`, where edits did.
        """
        if after == before:
            problems = tuple(_describe(_LEFT, note) for note in errors)
            return dspy.Prediction(verification=Verification(remaining=tuple(errors), problems=problems))
        changes = Changes(before, after)
        second = await self._look_again(conversation, changes, errors)
        compared = compare_errors(changes, errors, second, edits)
        worse = ungained(changes, errors, second.sentences)
        budget = budget_problems(before, after, errors, max_change=self.max_change, min_words=self.min_words)
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
            checked = _without_guesses(checked, changes)
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


def _without_guesses(checked: Sequence[ErrorNote], changes: Changes) -> list[ErrorNote]:
    """Leave out what the check of speakers says of words that the editor wrote: the analyst was asked about these.

    That check compares words. So it mistakes a question of the agent for what the customer said in answer.
    """
    return [
        note
        for note in checked
        if note.check != "speakers" or (place := place_of(note, changes.after)) is None or not changes.wrote(place)
    ]


async def _ask_about_sentences(
    analysis: SentencewiseAnalysis, conversation: Conversation, changes: Changes, errors: Sequence[ErrorNote]
) -> Second:
    """Ask about each sentence that the draft does not have.

    Ask what is missing if something was missing or was deleted.
    """
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


def budget_problems(
    before: str, after: str, errors: Sequence[ErrorNote] = (), *, max_change: float, min_words: int
) -> list[str]:
    """Return a problem if more words were changed than the errors ask for, and a problem if too few words are left.

    An error asks for a change of its quote. An omission asks for added words.
    """
    problems = []
    wrong = [place for note in errors if note.quote and (place := place_of(note, before))]
    share = Changes(before, after).share_beside(wrong, adds=any(not note.quote for note in errors))
    if share > max_change:
        problems.append(
            f"too much was changed beside the errors: {share:.0%} of the words, at most {max_change:.0%} may change"
        )
    words = len(after.split())
    if words < min(min_words, len(before.split())):
        problems.append(f"too little is left: {words} words, at least {min_words} are needed")
    return problems


def _describe(what: str, note: ErrorNote) -> str:
    quote = f' at "{note.quote}"' if note.quote else ""
    return f"{what}: {note.category}{quote}. {note.explanation}".strip()


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


def compare_errors(
    changes: Changes, errors: Sequence[ErrorNote], second: Second, edits: Sequence[Edit] = ()
) -> Compared:
    """Divide the errors of the draft and those that were found in the revision. `edits` made the changes, if any did.

    An error of the draft remains if it was found again at its place or in new words, if the analyst says that it is not
    mended, or if its words stand there untouched. For the last, the analyst's word that it is mended counts where
    something else in the sentence changed, or where a new sentence may say what this one leaves out: an edit was made
    for this error, or no edits are known and new words stand behind the sentence. Of what a check found, only the check
    can say that it remains.

    An error that was found is new if the revision wrote words of its quote, or removed words inside it. An omission is
    new if it is about words that the revision removed. A repetition, or another fault of form that a check finds, is
    new if the check did not find it in the draft. A copied passage is new if the revision wrote at least half of it.
    """
    again = {old.id: [note for note in second.found if _continues(note, old, changes)] for old in errors}
    aimed = {name for edit in edits for name in edit.mends}
    remaining = [
        _as_it_remains(old, again[old.id], changes, second)
        for old in errors
        if _remains(old, again, changes, second, aimed=old.id in aimed if edits else None)
    ]
    known = {note.id for notes in again.values() for note in notes}
    others = [note for note in second.found if note.id not in known]
    new = [note for note in others if _is_new(note, changes, second)]
    noticed = [note for note in others if note not in new]
    return Compared(tuple(remaining), tuple(new), tuple(noticed))


def _remains(
    old: ErrorNote, again: Mapping[str, Sequence[ErrorNote]], changes: Changes, second: Second, *, aimed: bool | None
) -> bool:
    """Say whether an error of the draft remains. `aimed` says whether an edit was made for it, if that is known."""
    mended = second.mended.get(old.id)
    if is_omission(old.category) or not old.quote:
        return mended is False or (mended is None and bool(again[old.id]))
    if again[old.id] or mended is False:
        return True
    place = place_of(old, changes.before)
    if place is None or not changes.kept(place) or (old.source == "check" and second.checks):
        return False
    answered = changes.followed(place) if aimed is None else aimed
    return not mended or not (answered or changes.touched(place))


def _as_it_remains(old: ErrorNote, again: Sequence[ErrorNote], changes: Changes, second: Second) -> ErrorNote:
    """Return the error with the draft's id, and with the quote and the explanation that hold for the revision."""
    if again:
        return again[0].model_copy(update={"id": old.id})
    place = place_of(old, changes.before)
    start = changes.now(place)[0] if place and changes.kept(place) else None
    # What the analyst says of an error that it calls mended is no reason why the error remains.
    said = second.explained.get(old.id) if second.mended.get(old.id) is False else None
    explanation = said or old.explanation
    return old.model_copy(update={"start": start if old.start is not None else None, "explanation": explanation})


def _continues(found: ErrorNote, old: ErrorNote, changes: Changes) -> bool:
    """Say whether an error of the revision is an error of the draft that is still there."""
    if not (found.quote and old.quote):
        return same_omission(found, old)
    by_one_check = found.check is not None and found.check == old.check
    if not (by_one_check or one_kind(found.category, old.category)):
        return False
    if not (holds_words(found.quote, old.quote) or holds_words(old.quote, found.quote)):
        return False
    place, was = place_of(found, changes.after), place_of(old, changes.before)
    if place is None or was is None:
        return True
    return spans_meet(place, changes.now(was)) or changes.wrote(place)


def _is_new(note: ErrorNote, changes: Changes, second: Second) -> bool:
    if is_old_copy(note, changes):
        return False
    place = place_of(note, changes.after)
    if place is not None and changes.wrote(place):
        return True
    if note.source == "check":
        # What is repeated or too long may be quoted where nothing was written.
        return note.category in FORM_CATEGORIES and not any(same_error(note, old) for old in second.checked_before)
    return not note.quote and speaks_of(note.explanation, changes.lost())

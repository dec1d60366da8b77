"""The strategy `edits` for one sentence at a time: the editor writes candidates, and the verifier's score chooses.

The functions at the top are pure: what the editor is shown, and which of its answers can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dspy

from arf_programs.checks import Material, find_words, run_checks
from arf_programs.programs.analysis.reported_errors import is_old_copy, is_omission, same_error
from arf_programs.programs.analysis.support import SentenceSupport, support_of
from arf_programs.programs.analysis.value_candidates import Swaps, find_swaps, swapped_sentences
from arf_programs.programs.asking import RETRIES, ask
from arf_programs.programs.revision.propose import Proposal, Propose, without_private_words
from arf_programs.text import (
    Changes,
    Span,
    apply_edits,
    collect_evidence,
    edit_sentence,
    find_quote,
    find_sentences,
    group_by_sentence,
    place_of,
    readable,
    split_sentences,
    word_set,
)
from arf_programs.values import Replacement
from signatures.exceptions import ModelError
from signatures.records import Conversation, Edit, EditOp, ErrorNote
from signatures.rewrite_sentence import RewriteSentence
from signatures.write_missing import WriteMissing

BLANK: Final = "____"
_NEAREST: Final = 4  # turns shown beside those that an error cites
_LEAST_LEFT: Final = 2  # words beside a blank from which a sentence is still worth showing
_SPOKEN: Final = word_set("i me my we our you your")  # not "us", which may be a country
_QUESTIONS: Final = {
    "missing_reason": "Why did the customer make contact?",
    "missing_action": "What was done about it, and by whom?",
    "missing_outcome": "How did it end?",
}


def turns_text(conversation: Conversation, turns: Iterable[int]) -> str:
    """Return these turns (numbered from 1) as lines `[n] Speaker: text`, in order."""
    return "\n".join(f"[{number}] {conversation.show_turn(number)}" for number in sorted(set(turns)))


def turns_for_sentence(material: Material, place: int, notes: Sequence[ErrorNote]) -> tuple[int, ...]:
    """Return the turns (from 1) that the errors cite, and those that share most words with the sentence at `place`."""
    everything = set(range(1, len(material.conversation.turns) + 1))
    nearest = material.nearest_turns(everything, place, most=_NEAREST)
    return tuple(sorted({*collect_evidence(notes), *nearest}))


def turns_for_omission(conversation: Conversation, note: ErrorNote) -> tuple[int, ...]:
    """Return the turns (from 1) that an omission cites, and the first or last ones if its kind usually stands there."""
    count = len(conversation.turns)
    usual = {
        "missing_reason": range(1, min(_NEAREST, count) + 1),
        "missing_outcome": range(max(1, count - _NEAREST + 1), count + 1),
    }.get(note.category, range(1, 1) if note.evidence else range(1, count + 1))
    return tuple(sorted({*note.evidence, *usual}))


def question_for(note: ErrorNote) -> str:
    """Return the question to the editor about an omission: what the note misses, then a question for its kind."""
    asked = _QUESTIONS.get(note.category, "" if note.explanation else f"What is missing: {readable(note.category)}?")
    return " ".join(filter(None, (note.explanation, asked)))


def blanked(summary: str, index: int, notes: Sequence[ErrorNote], mended: Sequence[Replacement] = ()) -> str:
    """Return the sentence at `index` with blanks for the quoted words, or one blank if hardly a word remains.

    Replacements in `mended` that overlap no blank are made.
    """
    start, end = find_sentences(summary)[index]
    spans = (place_of(note, summary) for note in notes)
    blanks = [Replacement(max(a, start), min(b, end), BLANK) for a, b in filter(None, spans)]
    shown, last = "", start
    for first, stop, words in sorted([*blanks, *mended]):
        if words != BLANK and (first < last or any(a < stop and first < b for a, b, _ in blanks)):
            continue
        if stop > last:
            shown += summary[last : max(first, last)] + ("" if shown.endswith(BLANK) and first <= last else words)
            last = stop
    shown += summary[last:end]
    return shown if len(find_words(shown.replace(BLANK, " "))) >= _LEAST_LEFT else BLANK


def problem_in_words(notes: Sequence[ErrorNote]) -> str:
    """Return the kinds of error, each with its explanation. The wrong words of all notes are blanked out."""
    problems = []
    for note in notes:
        explanation = note.explanation
        for quote in sorted((other.quote for other in notes), key=len, reverse=True):
            explanation = _without(quote, explanation)
        problems.append(readable(note.category) + (f": {explanation}" if explanation else ""))
    return "; ".join(dict.fromkeys(problems))


def _without(quote: str, text: str) -> str:
    """Blank out all occurrences of the quote."""
    span = find_quote(quote, text)
    return text if span is None else f"{text[: span[0]]}{BLANK}{_without(quote, text[span[1] :])}"


def usable_sentences(written: Iterable[str], summary: str, notes: Sequence[ErrorNote]) -> list[str]:
    """Return the first sentence of each answer, each once, if it can replace the wrong one.

    A sentence is left out if it has a blank, copies a sentence of `summary` or of an explanation, or still holds the
    wrong words of an error that the analyst quoted. So is one that repeats a turn instead of telling of it: a question,
    or a sentence with "you", "my" or the like where `summary` has no such word.
    """
    copies = [summary, *(note.explanation for note in notes)]
    existing = [find_words(sentence) for text in copies for sentence in split_sentences(text)]
    usable: dict[str, str] = {}
    for text in written:
        first = (split_sentences(" ".join(text.split())) or [""])[0]
        copied = any(find_quote(note.quote, first) for note in notes if note.source == "lm" and note.quote)
        if copied or _repeats_a_turn(first, summary):
            continue
        if find_words(first) and BLANK not in first and find_words(first) not in existing:
            usable.setdefault(" ".join(find_words(first)), first)
    return list(usable.values())


def _repeats_a_turn(sentence: str, summary: str) -> bool:
    return sentence.endswith("?") or not _spoken_words(sentence) <= _spoken_words(summary)


def _spoken_words(text: str) -> set[str]:
    return {word.split("'")[0] for word in find_words(text)} & _SPOKEN


def needs_no_editor(summary: str, index: int, notes: Sequence[ErrorNote]) -> bool:
    """Say whether deletion is the only way to mend the sentence at `index`.

    It is if a check's note covers the whole sentence, and either calls it a repetition, or is a major note that covers
    further sentences too, such as a dialogue instead of a summary, or sentences beyond the length.
    """
    sentence = find_sentences(summary)[index]
    return any(_only_deletion_mends(note, place_of(note, summary), sentence) for note in notes)


def _only_deletion_mends(note: ErrorNote, place: Span | None, sentence: Span) -> bool:
    if note.source == "lm" or place is None or place[0] > sentence[0] or place[1] < sentence[1]:
        return False
    return note.category == "repetition" or (place != sentence and note.severity == "major")


def brings_error(conversation: Conversation, summary: str, edit: Edit, sentence: str) -> bool:
    """Say whether the deterministic checks object to a sentence in the place where the edit puts it."""
    changes = Changes(summary, apply_edits(summary, [edit]).after)
    before, after = (run_checks(conversation, text) for text in (changes.before, changes.after))
    quoted = [note for note in after if note.quote and not is_old_copy(note, changes)]
    return any(note.quote in sentence or not any(same_error(note, old) for old in before) for note in quoted)


def leaves_enough(summary: str, edits: Sequence[Edit], min_words: int) -> bool:
    """Say whether the edits leave at least `min_words` words, or as many as there were."""
    left = len(apply_edits(summary, list(edits)).after.split())
    return left >= min(min_words, len(summary.split()))


def insertion(summary: str, sentence: str, note: ErrorNote, edited: Iterable[Edit]) -> Edit:
    """Insert a sentence where its kind belongs: a reason first, an action before the last sentence, others last.

    A reason comes second if the first sentence is already edited.
    """
    spans = find_sentences(summary)
    first = summary[slice(*spans[0])] if spans else ""
    touched = any(edit.op is not EditOp.INSERT and first in edit.quote for edit in edited)
    if note.category == "missing_reason" and first and not touched:
        return edit_sentence(summary, 0, f"{sentence} {first}", [note])
    behind = None
    if note.category == "missing_reason" and spans:
        behind = spans[0]
    elif note.category == "missing_action" and len(spans) > 1:
        behind = spans[-2]
    return Edit(
        op=EditOp.INSERT,
        quote=summary[slice(*behind)] if behind else "",
        replacement=sentence,
        mends=(note.id,),
        evidence=note.evidence,
        start=behind[0] if behind else None,
    )


@dataclass
class _Draft:
    """A draft at work, with the edits chosen so far."""

    material: Material
    feedback: str
    support: SentenceSupport | None
    flagged: dict[int, list[ErrorNote]]
    edits: list[Edit] = field(default_factory=list)

    @property
    def conversation(self) -> Conversation:
        return self.material.conversation

    @property
    def summary(self) -> str:
        return self.material.summary

    def sentence(self, index: int) -> str:
        """Return the sentence at `index`, empty beyond the ends."""
        spans = self.material.sentences
        return self.summary[slice(*spans[index])] if 0 <= index < len(spans) else ""

    def shown(self, index: int) -> str:
        """Return the sentence at `index`, with blanks for its own wrong words."""
        return blanked(self.summary, index, self.flagged[index]) if index in self.flagged else self.sentence(index)


class EditSentences(Propose):
    """Mend each flagged sentence, and each omission, by the first candidate that passes.

    With `values` the first candidates are made without a model: a value of the conversation in the place of a wrong
    one, the other role, the opposite statement, or the sentence without its private words. Then the editor is asked for
    one candidate at a time, at most `candidates` times. It sees the turns that matter, what was wrong, and the sentence
    with blanks for the wrong words, so it cannot copy them. A candidate passes unless the checks object to it or the
    support question flags it. If none passes, the sentence is deleted, provided that the support question flags it or a
    check refutes it, and that enough words remain.
    """

    name = "edits"

    def __init__(self, *, retries: int = RETRIES, candidates: int = 3, min_words: int = 1, values: bool = True) -> None:
        super().__init__(retries=retries)
        self.candidates = candidates
        self.values = values
        self.min_words = min_words
        self.rewrite = dspy.Predict(RewriteSentence)
        self.write = dspy.Predict(WriteMissing)

    @property
    def model(self) -> str:
        """The name of the editor's model, empty if no editor is asked."""
        return super().model if self.candidates else ""

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        draft = _Draft(Material(conversation, summary), feedback, support, group_by_sentence(summary, errors))
        for index, notes in draft.flagged.items():
            draft.edits += await self._mend_sentence(draft, index, notes)
        for note in errors:
            if is_omission(note.category):
                draft.edits += await self._mend_omission(draft, note)
        result = apply_edits(summary, draft.edits)
        return Proposal(after=result.after, applied=result.applied, refused=result.refused)

    async def _mend_sentence(self, draft: _Draft, index: int, notes: Sequence[ErrorNote]) -> list[Edit]:
        """Return the edit of a flagged sentence; none if nothing is better than the sentence."""
        if needs_no_editor(draft.summary, index, notes):
            return await self._delete(draft, index, notes)
        swaps = find_swaps(draft.material, index, notes) if self.values else []
        swapped = {note.id for item in swaps for note in item.notes}
        whole = all(note.id in swapped for note in notes)
        made = swapped_sentences(draft.summary, index, swaps) if whole else []
        if draft.support is None:  # no model looks at them
            made = made[:1] if all(item.clear for item in swaps) else []
        cut = without_private_words(draft.sentence(index), notes) if self.values else None
        for text in made if cut is None else [cut]:
            candidate = edit_sentence(draft.summary, index, text, notes)
            passes, support = await _passes(draft, candidate, text)
            if passes:
                return [_with_gain(candidate, _known_support(notes), support)]
        place = draft.material.sentences[index][0]
        edit, support = await self._first_passing(
            draft,
            notes,
            lambda text: edit_sentence(draft.summary, index, text, notes),
            self.rewrite,
            "corrected",
            turns=turns_text(draft.conversation, turns_for_sentence(draft.material, place, notes)),
            before=draft.shown(index - 1),
            sentence=draft.shown(index) if whole else _with_values(draft.summary, index, notes, swaps),
            after=draft.shown(index + 1),
            problem=problem_in_words(notes),
            feedback=draft.feedback,
        )
        if edit is None:
            return await self._delete(draft, index, notes)
        return [_with_gain(edit, _known_support(notes), support)]

    async def _delete(self, draft: _Draft, index: int, notes: Sequence[ErrorNote]) -> list[Edit]:
        """Return the deletion of a flagged sentence; none if nothing refutes it, or too little would be left."""
        deletion = edit_sentence(draft.summary, index, "", notes)
        if not leaves_enough(draft.summary, [*draft.edits, deletion], self.min_words):
            return []
        before, flagged = await _support_of_draft(draft, draft.sentence(index), notes)
        neutral = draft.support.neutral if draft.support else None
        return [_with_gain(deletion, before, neutral)] if flagged else []

    async def _mend_omission(self, draft: _Draft, note: ErrorNote) -> list[Edit]:
        """Return the insertion that mends an omission; none if no candidate is good enough."""
        edit, support = await self._first_passing(
            draft,
            [note],
            lambda text: insertion(draft.summary, text, note, draft.edits),
            self.write,
            "missing",
            turns=turns_text(draft.conversation, turns_for_omission(draft.conversation, note)),
            summary=apply_edits(draft.summary, draft.edits).after,
            question=question_for(note),
            feedback=draft.feedback,
        )
        neutral = draft.support.neutral if draft.support else None
        return [] if edit is None else [_with_gain(edit, neutral, support)]

    async def _first_passing(
        self,
        draft: _Draft,
        notes: Sequence[ErrorNote],
        place: Callable[[str], Edit],
        predict: dspy.Predict,
        answer: str,
        **inputs: Any,
    ) -> tuple[Edit | None, float | None]:
        """Ask for one candidate after the other, and return the edit of the first that passes, with its support.

        The first candidate is written under the editor's own settings, the others are sampled. Raises ModelError when
        no answer could be parsed.
        """
        seen: list[str] = []
        failed, answered = None, False
        for number in range(self.candidates):
            try:
                written = await ask(predict, retries=self.retries, sample=number, **inputs)
            except ModelError as error:
                failed = failed or error
                continue
            answered = True
            for text in usable_sentences([*seen, str(written[answer])], draft.summary, notes)[len(seen) :]:
                seen.append(text)
                edit = place(text)
                passes, support = await _passes(draft, edit, text)
                if passes:
                    return edit, support
        if failed and not answered:
            raise failed
        return None, None


def _with_values(summary: str, index: int, notes: Sequence[ErrorNote], swaps: Sequence[Swaps]) -> str:
    """Return the sentence at `index` with the best values in their places, and blanks for the other wrong words."""
    values = [item for item in swaps if item.are_values]
    mended = {note.id for item in values for note in item.notes}
    return blanked(
        summary, index, [note for note in notes if note.id not in mended], [item.options[0] for item in values]
    )


async def _passes(draft: _Draft, edit: Edit, sentence: str) -> tuple[bool, float | None]:
    """Say whether a candidate passes, and how well it is supported if that was asked."""
    if brings_error(draft.conversation, draft.summary, edit, sentence):
        return False, None
    if draft.support is None:
        return True, None
    score = (await draft.support.acall(conversation=draft.conversation, sentence=sentence)).score
    return not score.flagged, support_of(score)


def _known_support(notes: Sequence[ErrorNote]) -> float | None:
    """Return the support of the draft's sentence if the analysis scored it."""
    scored = [note.score for note in notes if note.score is not None]
    return 1 - max(scored) if scored else None


async def _support_of_draft(draft: _Draft, sentence: str, notes: Sequence[ErrorNote]) -> tuple[float | None, bool]:
    """Return the support of the draft's sentence if known, and whether the support question or a check refutes it."""
    known = _known_support(notes)
    if known is not None or any(note.source != "lm" for note in notes):
        return known, True
    if draft.support is None:
        return None, False
    score = (await draft.support.acall(conversation=draft.conversation, sentence=sentence)).score
    return support_of(score), score.flagged


def _with_gain(edit: Edit, before: float | None, after: float | None) -> Edit:
    """Return the edit with its gain of support, if both values are known."""
    return edit if before is None or after is None else edit.model_copy(update={"gain": after - before})

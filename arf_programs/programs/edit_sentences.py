"""What an editor that mends one sentence at a time is shown, and which of its answers can be used. Pure functions.

The `edits` strategy one sentence at a time: candidates are written, and the verifier's score chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dspy

from arf_programs.checks import Material, run_checks, words
from arf_programs.programs.asking import ask
from arf_programs.programs.propose import Proposal, Propose
from arf_programs.programs.reported_errors import is_omission, same_error
from arf_programs.programs.support import SentenceSupport, support_of
from arf_programs.text import (
    apply_edits,
    evidence_of,
    find_quote,
    notes_by_sentence,
    sentence_edit,
    sentence_spans,
    split_sentences,
)
from signatures.exceptions import ModelError
from signatures.records import Conversation, Edit, EditOp, ErrorNote
from signatures.rewrite_sentence import RewriteSentence
from signatures.write_missing import WriteMissing

BLANK: Final = "____"
_NEAREST: Final = 4  # turns shown beside those that an error cites
_LEAST_LEFT: Final = 2  # words beside a blank from which a sentence is still worth showing
_QUESTIONS: Final = {
    "missing_reason": "Why did the customer make contact?",
    "missing_action": "What was done about it, and by whom?",
    "missing_outcome": "How did it end?",
}


def turns_text(conversation: Conversation, turns: Iterable[int]) -> str:
    """These turns (numbered from 1), as `[n] Speaker: text` lines in order."""
    shown = ((turn, conversation.turns[turn - 1]) for turn in sorted(set(turns)))
    return "\n".join(f"[{number}] {turn.speaker}: {turn.text}" for number, turn in shown)


def turns_for_sentence(material: Material, place: int, notes: Sequence[ErrorNote]) -> tuple[int, ...]:
    """The turns (from 1) that the errors cite, and those that share most words with the sentence at `place`."""
    everything = set(range(1, len(material.conversation.turns) + 1))
    nearest = material.nearest_turns(everything, place, most=_NEAREST)
    return tuple(sorted({*evidence_of(notes), *nearest}))


def turns_for_omission(conversation: Conversation, note: ErrorNote) -> tuple[int, ...]:
    """The turns (from 1) that an omission cites and those where such a thing is said: at the start, or at the end."""
    count = len(conversation.turns)
    usual = {
        "missing_reason": range(1, min(_NEAREST, count) + 1),
        "missing_outcome": range(max(1, count - _NEAREST + 1), count + 1),
    }.get(note.category, range(1, 1) if note.evidence else range(1, count + 1))
    return tuple(sorted({*note.evidence, *usual}))


def question_for(note: ErrorNote) -> str:
    """What an editor is asked for an omission."""
    return _QUESTIONS.get(note.category) or note.explanation or f"What is missing: {_in_words(note.category)}?"


def blanked(summary: str, index: int, notes: Sequence[ErrorNote]) -> str:
    """The sentence at `index` with the quoted words as blanks; one blank where hardly a word would be left."""
    start, end = sentence_spans(summary)[index]
    spans = (find_quote(note.quote, summary) for note in notes)
    shown, last = "", start
    for first, stop in sorted((max(a, start), min(b, end)) for a, b in filter(None, spans)):
        if stop > last:
            shown += summary[last : max(first, last)] + ("" if shown.endswith(BLANK) and first <= last else BLANK)
            last = stop
    shown += summary[last:end]
    return shown if len(words(shown.replace(BLANK, " "))) >= _LEAST_LEFT else BLANK


def problem_in_words(notes: Sequence[ErrorNote]) -> str:
    """The kinds of error, and what is said of each where that does not give the wrong words away."""
    told = []
    for note in notes:
        gives_away = not note.explanation or find_quote(note.quote, note.explanation) is not None
        told.append(_in_words(note.category) + ("" if gives_away else f": {note.explanation}"))
    return "; ".join(dict.fromkeys(told))


def usable_sentences(written: Iterable[str], summary: str, notes: Sequence[ErrorNote]) -> list[str]:
    """The first sentence of each answer, each once, that says something new.

    Out are sentences with a blank, copies of a sentence of `summary` (the wrong one above all), and those that still
    hold the wrong words of an error that the analyst quoted.
    """
    standing = [words(text) for text in split_sentences(summary)]
    found: dict[str, str] = {}
    for text in written:
        first = (split_sentences(" ".join(text.split())) or [""])[0]
        copied = any(find_quote(note.quote, first) for note in notes if note.source == "lm" and note.quote)
        if words(first) and BLANK not in first and words(first) not in standing and not copied:
            found.setdefault(" ".join(words(first)), first)
    return list(found.values())


def brings_error(conversation: Conversation, summary: str, edit: Edit, sentence: str) -> bool:
    """Whether the deterministic checks object to a sentence where the edit puts it."""
    before = run_checks(conversation, summary)
    after = run_checks(conversation, apply_edits(summary, [edit]).after)
    quoted = [note for note in after if note.quote]
    return any(note.quote in sentence or not any(same_error(note, old) for old in before) for note in quoted)


def leaves_enough(summary: str, edits: Sequence[Edit], min_words: int) -> bool:
    """Whether the edits leave at least `min_words` words, or as many as there were."""
    left = len(apply_edits(summary, list(edits)).after.split())
    return left >= min(min_words, len(summary.split()))


def insertion(summary: str, sentence: str, note: ErrorNote, edited: Iterable[Edit]) -> Edit:
    """Puts a sentence where its kind belongs: a reason first, an action before the last sentence, all else last.

    What is already edited is not touched: a reason then comes second.
    """
    spans = sentence_spans(summary)
    first = summary[slice(*spans[0])] if spans else ""
    touched = any(edit.op is not EditOp.INSERT and first in edit.quote for edit in edited)
    if note.category == "missing_reason" and first and not touched:
        return sentence_edit(summary, 0, f"{sentence} {first}", [note])
    quote = ""
    if note.category == "missing_reason":
        quote = first
    elif note.category == "missing_action" and len(spans) > 1:
        quote = summary[slice(*spans[-2])]
    return Edit(op=EditOp.INSERT, quote=quote, replacement=sentence, mends=(note.id,), evidence=note.evidence)


def _in_words(category: str) -> str:
    return category.replace("_", " ")


@dataclass
class _Draft:
    """A draft while it is being mended, with the edits chosen so far."""

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
        """The sentence at `index`; empty beyond the ends."""
        spans = self.material.sentences
        return self.summary[slice(*spans[index])] if 0 <= index < len(spans) else ""

    def shown(self, index: int) -> str:
        """The sentence at `index`, its own wrong words blanked out too."""
        return blanked(self.summary, index, self.flagged[index]) if index in self.flagged else self.sentence(index)


class EditSentences(Propose):
    """Mends each flagged sentence, and each omission, by the best of `candidates` answers.

    The editor sees the turns that matter and the sentence with the wrong words blanked out, so it cannot copy them. Out
    is a candidate to which the checks object or which the support question flags; of the others the best supported one
    is taken. Where none is left the sentence is deleted, if the support question flags it or a check refutes it and
    enough is left without it. Without a support question the first candidate that passes the checks is taken.
    """

    name = "edits"

    def __init__(self, *, retries: int, candidates: int = 3, min_words: int = 1) -> None:
        super().__init__(retries=retries)
        self.candidates = candidates
        self.min_words = min_words
        self.rewrite = dspy.Predict(RewriteSentence)
        self.write = dspy.Predict(WriteMissing)

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        draft = _Draft(Material(conversation, summary), feedback, support, notes_by_sentence(summary, errors))
        for index, notes in draft.flagged.items():
            draft.edits += await self._mended(draft, index, notes)
        for note in errors:
            if is_omission(note.category):
                draft.edits += await self._completed(draft, note)
        result = apply_edits(summary, draft.edits)
        return Proposal(after=result.after, applied=result.applied, refused=result.refused)

    async def _mended(self, draft: _Draft, index: int, notes: Sequence[ErrorNote]) -> list[Edit]:
        """The edit of a flagged sentence; none where nothing is better than what stands there."""
        place = draft.material.sentences[index][0]
        written = await self._written(
            self.rewrite,
            "corrected",
            turns=turns_text(draft.conversation, turns_for_sentence(draft.material, place, notes)),
            before=draft.shown(index - 1),
            sentence=draft.shown(index),
            after=draft.shown(index + 1),
            problem=problem_in_words(notes),
            feedback=draft.feedback,
        )
        wrong = draft.sentence(index)
        edits = {
            text: sentence_edit(draft.summary, index, text, notes)
            for text in usable_sentences(written, draft.summary, notes)
        }
        before, flagged = await _standing(draft, wrong, notes)
        best, value = await _best(draft, edits)
        if best is not None:
            return [_gaining(best, before, value)]
        deletion = sentence_edit(draft.summary, index, "", notes)
        neutral = draft.support.neutral if draft.support else None
        enough = leaves_enough(draft.summary, [*draft.edits, deletion], self.min_words)
        return [_gaining(deletion, before, neutral)] if flagged and enough else []

    async def _completed(self, draft: _Draft, note: ErrorNote) -> list[Edit]:
        """The insertion that mends an omission; none where no candidate is good enough."""
        written = await self._written(
            self.write,
            "missing",
            turns=turns_text(draft.conversation, turns_for_omission(draft.conversation, note)),
            summary=apply_edits(draft.summary, draft.edits).after,
            question=question_for(note),
            feedback=draft.feedback,
        )
        edits = {
            text: insertion(draft.summary, text, note, draft.edits)
            for text in usable_sentences(written, draft.summary, [note])
        }
        best, value = await _best(draft, edits)
        neutral = draft.support.neutral if draft.support else None
        return [] if best is None else [_gaining(best, neutral, value)]

    async def _written(self, predict: dspy.Predict, answer: str, **inputs: Any) -> list[str]:
        """The editor's candidates, the first under its own settings and the others sampled.

        Raises ModelError when none can be parsed.
        """
        written, failed = [], []
        for number in range(self.candidates):
            try:
                written.append(await ask(predict, retries=self.retries, sample=number, **inputs))
            except ModelError as error:
                failed.append(error)
        if not written:
            raise failed[0]
        return [str(item[answer]) for item in written]


async def _best(draft: _Draft, edits: dict[str, Edit]) -> tuple[Edit | None, float | None]:
    """(edit, support): of the candidates that pass, the best supported one; the earlier one of two that are equal."""
    passing = {
        text: edit for text, edit in edits.items() if not brings_error(draft.conversation, draft.summary, edit, text)
    }
    if draft.support is None:
        return next(iter(passing.values()), None), None
    scores = [(await draft.support.acall(conversation=draft.conversation, sentence=text)).score for text in passing]
    good = [score for score in scores if not score.flagged]
    if not good:
        return None, None
    best = max(good, key=support_of)
    return passing[best.sentence], support_of(best)


async def _standing(draft: _Draft, sentence: str, notes: Sequence[ErrorNote]) -> tuple[float | None, bool]:
    """(support, refuted): what the sentence counts as it stands, and whether support question or a check refutes it."""
    checked = any(note.source != "lm" for note in notes)
    if draft.support is None:
        return None, checked
    scored = [note.score for note in notes if note.score is not None]
    if scored:
        return 1 - max(scored), True
    score = (await draft.support.acall(conversation=draft.conversation, sentence=sentence)).score
    return support_of(score), checked or score.flagged


def _gaining(edit: Edit, before: float | None, after: float | None) -> Edit:
    """The edit with its gain, where both sides of it are known."""
    return edit if before is None or after is None else edit.model_copy(update={"gain": after - before})

"""The `edits` strategy one sentence at a time: candidates are written, and the verifier's score chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dspy

from arf_programs.checks.finding import Material
from arf_programs.editing import (
    blanked,
    brings_error,
    insertion,
    leaves_enough,
    problem_in_words,
    question_for,
    turns_for_omission,
    turns_for_sentence,
    turns_text,
    usable_sentences,
)
from arf_programs.edits import apply_edits
from arf_programs.error_notes import is_omission
from arf_programs.flagged import notes_by_sentence, sentence_edit
from arf_programs.programs.ask import ask
from arf_programs.programs.propose import Proposal, Propose
from arf_programs.programs.support import SentenceSupport, support_of
from signatures.exceptions import ModelError
from signatures.records import Conversation, Edit, ErrorNote
from signatures.rewrite_sentence import RewriteSentence
from signatures.write_missing import WriteMissing


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

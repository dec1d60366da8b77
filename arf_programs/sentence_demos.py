"""Demonstrations for the editor that mends one sentence at a time, from labelled corrections. Pure functions."""

from __future__ import annotations

from difflib import SequenceMatcher

import dspy

from arf_programs.checks.finding import Material
from arf_programs.editing import (
    blanked,
    problem_in_words,
    question_for,
    turns_for_omission,
    turns_for_sentence,
    turns_text,
)
from arf_programs.flagged import notes_by_sentence
from arf_programs.labeled import LabeledExample
from arf_programs.sentences import sentence_spans, split_sentences
from signatures.records import ErrorNote


def rewritten_sentence(example: LabeledExample, revised: str) -> dspy.Example | None:
    """The first flawed sentence for which the correction has another in its place; None where there is none."""
    wrong = notes_by_sentence(example.summary, example.errors)
    pairs = _pairs(example.summary, revised)
    index = next((index for index in wrong if index in pairs), None)
    if index is None:
        return None
    material, notes = Material(example.conversation, example.summary), wrong[index]
    turns = turns_for_sentence(material, sentence_spans(example.summary)[index][0], notes)
    return dspy.Example(
        turns=turns_text(example.conversation, turns),
        before=_shown(example, index - 1, wrong),
        sentence=blanked(example.summary, index, notes),
        after=_shown(example, index + 1, wrong),
        problem=problem_in_words(notes),
        feedback="",
        corrected=pairs[index],
    ).with_inputs("turns", "before", "sentence", "after", "problem", "feedback")


def added_sentence(example: LabeledExample, revised: str) -> dspy.Example | None:
    """The first omission, with the sentence that the correction adds; None unless there is an omission and just one."""
    omission = next((note for note in example.errors if not note.quote), None)
    old = split_sentences(example.summary)
    added = [text for text in split_sentences(revised) if text not in old]
    if omission is None or len(added) != 1:
        return None
    return dspy.Example(
        turns=turns_text(example.conversation, turns_for_omission(example.conversation, omission)),
        summary=example.summary,
        question=question_for(omission),
        feedback="",
        missing=added[0],
    ).with_inputs("turns", "summary", "question", "feedback")


def _shown(example: LabeledExample, index: int, wrong: dict[int, list[ErrorNote]]) -> str:
    """A neighbouring sentence as the editor would see it; empty beyond the ends."""
    if index in wrong:
        return blanked(example.summary, index, wrong[index])
    old = split_sentences(example.summary)
    return old[index] if 0 <= index < len(old) else ""


def _pairs(before: str, after: str) -> dict[int, str]:
    """Each sentence of `before`, by its index, with the one that stands in its place in `after`, if it is another."""
    old, new = split_sentences(before), split_sentences(after)
    pairs: dict[int, str] = {}
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "replace" and b - a == d - c:
            pairs.update(zip(range(a, b), new[c:d], strict=True))
    return pairs

"""What an editor that mends one sentence at a time is shown, and which of its answers can be used. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from arf_programs.checks import run_checks
from arf_programs.checks.finding import Material, words
from arf_programs.edits import apply_edits
from arf_programs.error_notes import same_error
from arf_programs.flagged import evidence_of, sentence_edit
from arf_programs.quotes import find_quote
from arf_programs.sentences import sentence_spans, split_sentences
from signatures.records import Conversation, Edit, EditOp, ErrorNote

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

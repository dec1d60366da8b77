"""Demonstrations for analyst and editor, made from the labelled set. Pure functions.

`analysis_examples` and `revision_examples` return a `dspy.Example` for each labelled case that can be shown. It has the
fields of all predictors of the program under their own names, so any optimizer of DSPy can give it to any predictor.
`show` does the same by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Literal

import dspy

from arf_programs.checks import Material
from arf_programs.corpus import LabeledExample
from arf_programs.programs.analysis.reported_errors import is_omission
from arf_programs.programs.asking import show_nearest
from arf_programs.programs.revision.edit_sentences import (
    blanked,
    problem_in_words,
    question_for,
    turns_for_omission,
    turns_for_sentence,
    turns_text,
)
from arf_programs.text import (
    Ranking,
    WordRanking,
    apply_edits,
    describe_errors,
    find_sentences,
    group_by_sentence,
    split_sentences,
)
from signatures.describe_error import SentenceError
from signatures.find_errors import FoundError
from signatures.find_omissions import Omission
from signatures.propose_edits import ProposedEdit
from signatures.records import Edit, EditOp, ErrorNote, Taxonomy


def rewritten_sentence(example: LabeledExample, revised: str) -> dspy.Example | None:
    """Return the first flawed sentence and the sentence that replaces it in the correction; None if there is none."""
    wrong = group_by_sentence(example.summary, example.errors)
    pairs = _pairs(example.summary, revised)
    index = next((index for index in wrong if index in pairs), None)
    if index is None:
        return None
    material, notes = Material(example.conversation, example.summary), wrong[index]
    turns = turns_for_sentence(material, find_sentences(example.summary)[index][0], notes)
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
    """Return the first omission and the sentence that the correction adds; None unless it adds exactly one."""
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
    """Return a neighbouring sentence as the editor would see it, empty beyond the ends."""
    if index in wrong:
        return blanked(example.summary, index, wrong[index])
    old = split_sentences(example.summary)
    return old[index] if 0 <= index < len(old) else ""


def _pairs(before: str, after: str) -> dict[int, str]:
    """Map the index of each replaced sentence of `before` to the sentence of `after` that replaces it."""
    old, new = split_sentences(before), split_sentences(after)
    pairs: dict[int, str] = {}
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "replace" and b - a == d - c:
            pairs.update(zip(range(a, b), new[c:d], strict=True))
    return pairs


AnalysisStrategy = Literal["holistic", "sentencewise"]
RevisionStrategy = Literal["edits", "rewrite", "taxonomy"]
EditsForm = Literal["one_by_one", "together"]


Pick = Literal["shortest", "nearest", "random"]


def usable_examples(
    examples: Sequence[LabeledExample], taxonomy: Taxonomy, limit: int, pick: Pick = "shortest"
) -> list[LabeledExample]:
    """Return the examples to show, whose categories are all in the taxonomy.

    - `shortest`: the `limit` examples with the shortest conversations, since every call pays for its demonstrations.
    - `random`: `limit` examples by a hash of each, the same in every run.
    - `nearest`: all, in order. Each call then chooses among them.
    """
    ids = set(taxonomy.ids())
    fitting = [example for example in examples if all(note.category in ids for note in example.errors)]
    match pick:
        case "nearest":
            return fitting
        case "random":
            return sorted(fitting, key=_hash)[:limit]
        case "shortest":
            return sorted(fitting, key=lambda example: len(example.conversation.as_text()))[:limit]


def show(
    program: dspy.Module,
    examples: Sequence[dspy.Example],
    *,
    nearest: int | None = None,
    rank: Callable[[Sequence[str]], Ranking] = WordRanking,
) -> None:
    """Give each predictor of `program` the examples that have all its fields, cut down to these fields.

    With `nearest`, each call is shown that many of them, those nearest to its inputs by the ranking that `rank` makes.
    """
    for predictor in program.predictors():
        names = list(predictor.signature.fields)
        shown = [
            dspy.Example({name: example[name] for name in names}).with_inputs(*predictor.signature.input_fields)
            for example in examples
            if all(name in example for name in names)
        ]
        if nearest is None:
            predictor.demos = shown
        else:
            show_nearest(predictor, shown, nearest, rank)


def analysis_examples(
    labeled: Sequence[LabeledExample], taxonomy: Taxonomy, strategy: AnalysisStrategy
) -> list[dspy.Example]:
    """Return one example for each labelled case, in order, for the predictors of the analyst's strategy.

    `holistic` has categories, conversation, summary, errors (for `find_errors`). `sentencewise` has categories,
    conversation, summary, omissions (for `omissions`), and one sentence with `supported` (for `ask_support`) and, if it
    is not supported, its error (for `describe`). The sentence has an error if the case has one. In some flawed cases,
    chosen by a hash, a right sentence is shown instead, so that "yes" and "no" are equally frequent.
    """
    if strategy == "holistic":
        return [_holistic(example, taxonomy) for example in labeled]
    right = _show_right(labeled)
    return [_sentencewise(example, taxonomy, right=number in right) for number, example in enumerate(labeled)]


def revision_examples(
    labeled: Sequence[LabeledExample], strategy: RevisionStrategy, edits: EditsForm = "one_by_one"
) -> list[dspy.Example]:
    """Return one example for each labelled case with errors and a correction, in order, for the editor's predictors.

    The fields depend on the strategy:

    - `rewrite`: conversation, summary, errors, feedback, revised.
    - `edits`, `together`: conversation, summary, errors, feedback, edits.
    - `edits`, `one_by_one`, where a sentence was rewritten: turns, before, sentence, after, problem, feedback,
      corrected. Where a sentence was added: turns, summary, question, feedback, missing. Other cases give no example.
    - `taxonomy`: no example, since its editor sees no errors.
    """
    if strategy == "taxonomy":
        return []
    mended = [(example, example.revised) for example in labeled if example.errors and example.revised]
    if strategy == "edits" and edits == "one_by_one":
        shown = [
            rewritten_sentence(example, revised) or added_sentence(example, revised) for example, revised in mended
        ]
        return [example for example in shown if example is not None]
    return [_whole_revision(example, revised) for example, revised in mended]


def _whole_revision(example: LabeledExample, revised: str) -> dspy.Example:
    return dspy.Example(
        conversation=example.conversation.as_numbered_text(),
        summary=example.summary,
        errors=describe_errors(example.errors, example.summary),
        feedback="",
        edits=edits_between(example.summary, revised, example.errors),
        revised=revised,
    ).with_inputs("conversation", "summary", "errors", "feedback")


def _holistic(example: LabeledExample, taxonomy: Taxonomy) -> dspy.Example:
    return dspy.Example(
        categories=taxonomy.as_text(),
        conversation=example.conversation.as_numbered_text(),
        summary=example.summary,
        errors=[FoundError(quote=note.quote, **_error_fields(note)) for note in example.errors],
    ).with_inputs("categories", "conversation", "summary")


def _sentencewise(example: LabeledExample, taxonomy: Taxonomy, *, right: bool) -> dspy.Example:
    shown = dspy.Example(
        categories=taxonomy.as_text(),
        conversation=example.conversation.as_numbered_text(),
        summary=example.summary,
        omissions=[Omission(**_error_fields(note)) for note in example.errors if is_omission(note.category)],
        **_one_sentence(example, right=right),
    )
    return shown.with_inputs("categories", "conversation", "summary", "sentence")


def _one_sentence(example: LabeledExample, *, right: bool) -> dict[str, object]:
    """Return the fields of one sentence: a right one if `right` and the case has one, else one with an error."""
    sentences, wrong = split_sentences(example.summary), group_by_sentence(example.summary, example.errors)
    good = [index for index in range(len(sentences)) if index not in wrong]
    choice = good if good and (right or not wrong) else list(wrong)
    index = choice[_hash(example) % len(choice)]
    if index not in wrong:
        return {"sentence": sentences[index], "supported": "yes"}
    note = wrong[index][0]
    return {
        "sentence": sentences[index],
        "supported": "no",
        "error": SentenceError(quote=note.quote, **_error_fields(note)),
    }


def _show_right(labeled: Sequence[LabeledExample]) -> set[int]:
    """Return the positions of the flawed cases that show a right sentence, so yes and no are equally frequent."""
    flawed, clean = [], 0
    for number, example in enumerate(labeled):
        wrong = group_by_sentence(example.summary, example.errors)
        clean += not wrong
        if wrong and len(wrong) < len(split_sentences(example.summary)):
            flawed.append(number)
    wanted = max(0, (len(labeled) - 2 * clean) // 2)
    return set(sorted(flawed, key=lambda number: _hash(labeled[number]))[:wanted])


def _hash(example: LabeledExample) -> int:
    """Return a number that depends on the case alone, not on its position."""
    text = f"{example.conversation.id}\n{example.summary}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _error_fields(note: ErrorNote) -> dict[str, object]:
    return {
        "evidence": list(note.evidence),
        "explanation": note.explanation,
        "category": note.category,
    }


def edits_between(before: str, after: str, errors: Sequence[ErrorNote]) -> list[ProposedEdit]:
    """Return edits that turn `before` into `after` word by word, each with the errors whose quotes it touches.

    An edit quotes a run of changed words. If such a run stands in the text more than once, the edits may not give
    `after` again. Then the result is one edit of the whole text.
    """
    old, new = before.split(" "), after.split(" ")
    edits = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        # An insertion is written as a replacement of the word before it, which makes its place certain.
        start = a - 1 if a == b and a > 0 else a
        quote, replacement = " ".join(old[start:b]), " ".join(old[start:a] + new[c:d])
        op = EditOp.REPLACE if replacement else EditOp.DELETE
        edits.append(_proposed(op, quote, replacement, errors))
    again = apply_edits(before, [Edit(op=e.op, quote=e.quote, replacement=e.replacement) for e in edits]).after
    return edits if again == after else [_proposed(EditOp.REPLACE, before, after, errors)]


def _proposed(op: EditOp, quote: str, replacement: str, errors: Sequence[ErrorNote]) -> ProposedEdit:
    touched = [(f"e{n}", note) for n, note in enumerate(errors, start=1) if _touches(note.quote, quote)]
    evidence = sorted({turn for _, note in touched for turn in note.evidence})
    return ProposedEdit(
        mends=[name for name, _ in touched], op=op, quote=quote, replacement=replacement, evidence=evidence
    )


def _touches(error_quote: str, edit_quote: str) -> bool:
    return not error_quote or error_quote in edit_quote or edit_quote in error_quote

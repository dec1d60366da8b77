"""Labelled examples as demonstrations for the analyst and the editor. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import dspy

from arf_programs.edits import apply_edits
from arf_programs.labeled import LabeledExample
from arf_programs.programs.propose import describe_errors
from signatures.find_errors import FoundError
from signatures.propose_edits import ProposedEdit
from signatures.records import Edit, EditOp, ErrorNote, Taxonomy


def usable_examples(examples: Sequence[LabeledExample], taxonomy: Taxonomy, limit: int) -> list[LabeledExample]:
    """The `limit` examples with the shortest conversations, of those whose categories the taxonomy has.

    Short ones, because every call pays for its demonstrations.
    """
    known = set(taxonomy.ids())
    fitting = [example for example in examples if all(note.category in known for note in example.errors)]
    return sorted(fitting, key=lambda example: len(example.conversation.as_text()))[:limit]


def analysis_demos(examples: Sequence[LabeledExample], taxonomy: Taxonomy) -> list[dspy.Example]:
    """Demonstrations for `FindErrors`."""
    return [
        dspy.Example(
            categories=taxonomy.as_text(),
            conversation=example.conversation.as_numbered_text(),
            summary=example.summary,
            errors=[_found(note) for note in example.errors],
        ).with_inputs("categories", "conversation", "summary")
        for example in examples
    ]


def revision_demos(examples: Sequence[LabeledExample]) -> list[dspy.Example]:
    """Demonstrations for `ProposeEdits` and `RewriteSummary`, from the examples that have errors and a correction."""
    return [
        dspy.Example(
            conversation=example.conversation.as_numbered_text(),
            summary=example.summary,
            errors=describe_errors(example.errors),
            feedback="",
            edits=edits_between(example.summary, example.revised, example.errors),
            revised=example.revised,
        ).with_inputs("conversation", "summary", "errors", "feedback")
        for example in examples
        if example.errors and example.revised
    ]


def edits_between(before: str, after: str, errors: Sequence[ErrorNote]) -> list[ProposedEdit]:
    """Edits that turn `before` into `after`, word by word, each with the errors whose quotes it touches.

    A word's edit quotes the run of changed words; where that run stands more than once, or the edits would not give
    `after` again, it is one edit of the whole text.
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


def _found(note: ErrorNote) -> FoundError:
    return FoundError(
        quote=note.quote,
        evidence=list(note.evidence),
        explanation=note.explanation,
        category=note.category,
        severity=note.severity,
    )

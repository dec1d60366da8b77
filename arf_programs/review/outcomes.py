"""What people's decisions make of revisions and summaries.

Of revisions they make texts, training rows, and pairs of a better and a worse text. Of summaries that people labelled
they make the labelled set for `labeled.path`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from arf_programs.review.decisions import ASPECTS, WHOLE, Choices, Label, Line, standing
from arf_programs.runs import digest, write_lines_atomic
from arf_programs.text import apply_edits
from signatures.records import Conversation, Edit, EditOp, HumanOutcome, Revision, Summary, Verdict

HumanMode = Literal["prefer", "only", "ignore"]


class Outcome(NamedTuple):
    """What a person made of one revision: the text, and whether the edits were accepted, rewritten or rejected."""

    reviewer: str
    kind: HumanOutcome
    text: str


def shown_of(revision: Revision) -> str:
    """Hash what a reviewer sees of a revision, so that a decision about another text is not taken for one of it."""
    return digest([revision.before, revision.after, [edit.model_dump(mode="json") for edit in revision.applied]])


def edits_of(revision: Revision) -> tuple[int, ...]:
    """Number what has to be decided: each edit, or the text as a whole where no edit was applied."""
    return tuple(range(len(revision.applied))) or (WHOLE,)


def is_decided(revision: Revision, choices: Choices) -> bool:
    """Say whether a person has decided everything about a revision."""
    decided = {number for number, line in choices.items() if line.choice is not None}
    return WHOLE in decided or decided.issuperset(edits_of(revision))


def text_of(revision: Revision, choices: Choices) -> str:
    """Return the text that follows from the decisions so far. An edit without a decision counts as accepted."""
    whole = choices.get(WHOLE)
    if whole is not None and whole.choice == "rewrite":
        return whole.rewrite.strip()
    if whole is not None and whole.choice == "reject":
        return revision.before
    chosen = [choices.get(number) for number in range(len(revision.applied))]
    if all(line is None or line.choice in (None, "accept") for line in chosen):
        return revision.after
    pairs = zip(revision.applied, chosen, strict=True)
    kept = [_as_decided(edit, line) for edit, line in pairs if line is None or line.choice != "reject"]
    return apply_edits(revision.before, kept).after


def _as_decided(edit: Edit, line: Line | None) -> Edit:
    if line is None or line.choice != "rewrite":
        return edit
    op = EditOp.REPLACE if edit.op is EditOp.DELETE else edit.op
    return edit.model_copy(update={"op": op, "replacement": line.rewrite.strip()})


def outcome_of(revision: Revision, choices: Choices) -> Outcome | None:
    """Return what a person made of a revision, or None as long as something is not decided.

    It is rejected if an edit, or the whole, was rejected; else rewritten if one was rewritten; else accepted.
    """
    if not is_decided(revision, choices):
        return None
    whole = choices.get(WHOLE)
    lines = [whole] if whole is not None and whole.choice is not None else list(choices.values())
    made = {line.choice for line in lines}
    kind: HumanOutcome = "rejected" if "reject" in made else "rewritten" if "rewrite" in made else "accepted"
    return Outcome(lines[0].reviewer, kind, text_of(revision, choices))


class ReviewedRevisions:
    """The outcomes of a review by revision. Where several people decided, the one whose last word is newest counts."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._by_conversation: defaultdict[str, dict[str, dict[tuple[str, int], Line]]] = defaultdict(dict)
        for line in sorted(standing(lines), key=lambda line: line.at):
            if line.job == "revision" and line.edit is not None:
                people = self._by_conversation[line.conversation_id]
                own = people.pop(line.reviewer, {})
                people[line.reviewer] = {**own, (line.shown, line.edit): line}  # the newest is last

    def choices(self, revision: Revision) -> dict[str, dict[int, Line]]:
        """Return the decisions about a revision by reviewer; the reviewer whose last word is newest comes last."""
        shown = shown_of(revision)
        people = self._by_conversation.get(revision.conversation_id, {})
        return {name: {n: line for (seen, n), line in own.items() if seen == shown} for name, own in people.items()}

    def outcomes(self, revision: Revision) -> dict[str, Outcome]:
        """Return the outcomes of a revision by reviewer; the newest is last."""
        found = {name: outcome_of(revision, own) for name, own in self.choices(revision).items()}
        return {name: outcome for name, outcome in found.items() if outcome is not None}

    def outcome(self, revision: Revision) -> Outcome | None:
        """Return the outcome that counts, or None if nobody has decided everything about the revision."""
        return next(reversed(self.outcomes(revision).values()), None)


def apply_reviews(revisions: Iterable[Revision], lines: Sequence[Line], mode: HumanMode) -> Iterator[Revision]:
    """Put people's decisions in the place of the verifier's.

    `prefer` keeps the revisions that nobody has decided, `only` keeps none but those that a person accepted or
    rewrote, and `ignore` changes nothing. A revision that a person accepted or rewrote counts as verified, or as
    unchanged if it equals its draft. A rejected one counts as rejected, and its text has the edits that were accepted.
    """
    reviewed = ReviewedRevisions(lines if mode != "ignore" else ())
    for revision in revisions:
        outcome = reviewed.outcome(revision)
        if outcome is None:
            if mode != "only":
                yield revision
        elif mode != "only" or outcome.kind != "rejected":
            yield _as_reviewed(revision, outcome)


def _as_reviewed(revision: Revision, outcome: Outcome) -> Revision:
    good = Verdict.UNCHANGED if outcome.text == revision.before else Verdict.VERIFIED
    verdict = Verdict.REJECTED if outcome.kind == "rejected" else good
    return revision.model_copy(update={"after": outcome.text, "verdict": verdict, "human": outcome.kind})


def reviewed_ids(revisions: Iterable[Revision], lines: Sequence[Line]) -> set[str]:
    """Return the conversations whose revision a person has decided."""
    reviewed = ReviewedRevisions(lines)
    return {row.conversation_id for row in revisions if reviewed.outcome(row) is not None}


def corrected_pairs(revisions: Iterable[Revision], lines: Sequence[Line]) -> Iterator[tuple[Revision, Revision]]:
    """Yield (as reviewed, as it was) of each revision whose text a person rejected or rewrote."""
    reviewed = ReviewedRevisions(lines)
    for revision in revisions:
        outcome = reviewed.outcome(revision)
        if outcome is not None and outcome.text.strip() != revision.after.strip():
            yield _as_reviewed(revision, outcome), revision


def reviews_digest(revisions: Iterable[Revision], lines: Sequence[Line]) -> str:
    """Hash what people's decisions change about the revisions. It is empty if they decided nothing."""
    if not lines:
        return ""
    reviewed = ReviewedRevisions(lines)
    outcomes: Mapping[str, Outcome | None] = {row.conversation_id: reviewed.outcome(row) for row in revisions}
    decided = sorted((name, item.kind, item.text) for name, item in outcomes.items() if item is not None)
    return digest(decided) if decided else ""


class FinishedLabel(NamedTuple):
    """A finished label with the summary that it is about, and who gave it."""

    summary: Summary
    label: Label
    reviewer: str


def finished_labels(summaries: Iterable[Summary], lines: Iterable[Line]) -> list[FinishedLabel]:
    """Return the finished labels of all reviewers, in the order of the summaries.

    A label of a text that has changed since does not count.
    """
    by_summary: dict[tuple[str, str, str], list[Line]] = {}
    for line in sorted(standing(lines), key=lambda line: line.at):
        if line.label is not None and line.label.done:
            by_summary.setdefault((line.system, line.conversation_id, line.shown), []).append(line)
    return [
        FinishedLabel(summary, line.label, line.reviewer)
        for summary in summaries
        for line in by_summary.get((summary.system, summary.conversation_id, digest(summary.text)), ())
        if line.label is not None
    ]


def labeled_summaries(summaries: Mapping[tuple[str, str], Summary], lines: Iterable[Line]) -> list[Summary]:
    """Return the summaries that have a label, in the order of the labels; `summaries` is by system and conversation."""
    keys = dict.fromkeys((line.system, line.conversation_id) for line in lines if line.label is not None)
    return [summaries[key] for key in keys if key in summaries]


def write_labeled_set(path: Path, labels: Iterable[FinishedLabel], conversations: Mapping[str, Conversation]) -> int:
    """Write the labels of summaries of `conversations`, and return the number of rows.

    Give the conversations of the training side: a labelled set is never part of the holdout. Where two people labelled
    a summary, the newest label counts. The file is not made before there is a label.
    """
    found = {
        (item.summary.system, item.summary.conversation_id): (item, conversation)
        for item in labels
        if (conversation := conversations.get(item.summary.conversation_id)) is not None
    }
    if found or path.exists():
        rows = (labeled_row(item, conversation) for item, conversation in found.values())
        write_lines_atomic(path, (json.dumps(row, ensure_ascii=False) for row in rows))
    return len(found)


def labeled_row(item: FinishedLabel, conversation: Conversation) -> dict[str, Any]:
    """Write a label as a row of a labelled set. The aspects and the reviewer are for people: nothing reads them."""
    label = item.label
    aspects = {name: getattr(label, name) for name in ASPECTS[1:] if getattr(label, name) is not None}
    return {
        "conversation_id": conversation.id,
        "channel": conversation.channel,
        "conversation": [turn.model_dump() for turn in conversation.turns],
        "summary": item.summary.text,
        "errors": [mark.model_dump(mode="json", exclude={"start"}) for mark in label.marks],
        "revised": label.revised or None,
        "rating": label.rating,
        "system": item.summary.system,
        **({"aspects": aspects} if aspects else {}),
        "reviewer": item.reviewer,
    }

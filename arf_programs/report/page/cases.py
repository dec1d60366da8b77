"""The browsers of the page: revisions with their errors and word diffs, and what all systems wrote about the holdout.

The ids of HTML elements are made of numbers, never of data.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal, NamedTuple

from arf_programs.metrics import STUDENT, TEACHER, in_order
from arf_programs.report.data import HoldoutCase, ReportData, RevisionCase
from arf_programs.report.page.figures import category_name
from arf_programs.text import measure_change, place_of
from signatures.records import Conversation, ErrorNote, Revision, Turn

_WORD = re.compile(r"(?:\w+(?:[-'’.,:/]\w+)*|[^\w\s])\s*|\s+")


class Piece(NamedTuple):
    """A stretch of a draft, the errors that quote it, and in `ends` those whose quote ends with it."""

    text: str
    errors: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()


class Change(NamedTuple):
    """A stretch of a diff."""

    kind: Literal["same", "removed", "added"]
    text: str


def mark_errors(text: str, errors: Sequence[ErrorNote]) -> list[Piece]:
    """Cut `text` wherever a quote starts or ends; errors are numbered by their place in `errors`.

    An omission, or a quote that is not in the text, marks nothing.
    """
    spans = {}
    for number, note in enumerate(errors):
        place = place_of(note, text)
        start = text.find(note.quote) if note.quote else -1  # records of earlier versions may quote a part of a word
        if place or start >= 0:
            spans[number] = place or (start, start + len(note.quote))
    cuts = sorted({0, len(text), *(place for span in spans.values() for place in span)})
    pieces = []
    for start, end in pairwise(cuts):
        inside = tuple(n for n, span in spans.items() if span[0] <= start and end <= span[1])
        pieces.append(Piece(text[start:end], inside, tuple(n for n in inside if spans[n][1] == end)))
    return pieces


def word_diff(before: str, after: str) -> list[Change]:
    """Find the words removed from `before` and added in `after`, removals first; white space alone is no change.

    The pieces that are the same or added make up `after` exactly.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, [w.strip() for w in old], [w.strip() for w in new], autojunk=False)
    changes: list[Change] = []
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        removed, added = "".join(old[i1:i2]), "".join(new[j1:j2])
        changes += [Change("same", added)] if removed.split() == added.split() else _replacement(removed, added)
    return changes


def _replacement(removed: str, added: str) -> list[Change]:
    """A change; the white space that follows its words is not part of it."""
    if not added:
        return [Change("removed", removed)]
    words = added.rstrip()
    gone = [Change("removed", removed.rstrip())] if removed else []
    space = [Change("same", added[len(words) :])] if len(words) < len(added) else []
    return [*gone, Change("added", words), *space]


@dataclass(frozen=True)
class ShownTurn:
    """A turn with its number from 1 and the errors for which it is evidence."""

    number: int
    turn: Turn
    errors: tuple[int, ...]


@dataclass(frozen=True)
class ShownError:
    """An error with the name of its category, and its evidence turns that exist."""

    note: ErrorNote
    category: str
    turns: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One entry of the browser. `filters` has the numbers of its categories, `channel` the number of its channel.

    `command` opens it for a review; empty if the run's folder is not known.
    """

    conversation: Conversation
    revision: Revision
    turns: tuple[ShownTurn, ...]
    errors: tuple[ShownError, ...]
    remaining: tuple[ShownError, ...]
    draft: tuple[Piece, ...]
    diff: tuple[Change, ...]
    changed: float
    channel: int
    filters: tuple[int, ...]
    command: str


@dataclass(frozen=True)
class Browser:
    """The cases, and the labels by which they can be filtered, by number."""

    cases: tuple[Case, ...]
    channels: tuple[str, ...]
    categories: tuple[str, ...]
    verdicts: tuple[str, ...]
    most_errors: int


def build_browser(data: ReportData) -> Browser:
    """Build everything that the revision browser shows."""
    channels = tuple(dict.fromkeys(case.conversation.channel for case in data.revisions))
    ids = tuple(dict.fromkeys(note.category for case in data.revisions for note in case.revision.errors))
    cases = tuple(_case(data, case, channels, ids) for case in data.revisions)
    return Browser(
        cases=cases,
        channels=channels,
        categories=tuple(category_name(data, name) for name in ids),
        verdicts=tuple(dict.fromkeys(case.revision.verdict.value for case in data.revisions)),
        most_errors=max((len(case.errors) for case in cases), default=0),
    )


def _case(data: ReportData, case: RevisionCase, channels: Sequence[str], categories: Sequence[str]) -> Case:
    conversation, revision = case.conversation, case.revision
    return Case(
        conversation=conversation,
        revision=revision,
        turns=tuple(
            ShownTurn(number, turn, _errors_proved_by(revision.errors, number))
            for number, turn in enumerate(conversation.turns, start=1)
        ),
        errors=tuple(show_error(data, note, conversation) for note in revision.errors),
        remaining=tuple(show_error(data, note, conversation) for note in revision.remaining),
        draft=tuple(mark_errors(revision.before, revision.errors)),
        diff=tuple(word_diff(revision.before, revision.after)),
        changed=measure_change(revision.before, revision.after),
        channel=channels.index(conversation.channel),
        filters=tuple(dict.fromkeys(categories.index(note.category) for note in revision.errors)),
        command=f"{data.review_command} --row={shlex.quote(conversation.id)}" if data.review_command else "",
    )


def _errors_proved_by(errors: Sequence[ErrorNote], turn: int) -> tuple[int, ...]:
    return tuple(number for number, note in enumerate(errors) if turn in note.evidence)


def show_error(data: ReportData, note: ErrorNote, conversation: Conversation) -> ShownError:
    """Lay out an error with the name of its category and the turns that exist."""
    turns = tuple(turn for turn in note.evidence if 1 <= turn <= len(conversation.turns))
    return ShownError(note, category_name(data, note.category), turns)


_LAST = ("reviser", "base")  # a reader looks for the students and their teacher


@dataclass(frozen=True)
class ShownSummary:
    """One system's summary, its errors marked, and the judge's rating if there is one."""

    system: str
    pieces: tuple[Piece, ...]
    errors: tuple[ShownError, ...]
    rating: int | None


@dataclass(frozen=True)
class ShownConversation:
    """A conversation with all summaries. `difference` is how many errors more the student makes than its teacher."""

    conversation: Conversation
    summaries: tuple[ShownSummary, ...]
    student: int
    teacher: int

    @property
    def difference(self) -> int:
        return self.student - self.teacher


def build_holdout(data: ReportData) -> tuple[ShownConversation, ...]:
    """Lay out the conversations for the template, the largest difference between student and teacher first."""
    shown = [_shown(data, case) for case in data.holdout]
    return tuple(sorted(shown, key=lambda item: -abs(item.difference)))


def _shown(data: ReportData, case: HoldoutCase) -> ShownConversation:
    systems = in_order(case.summaries)
    ordered = sorted(systems, key=lambda name: (name in _LAST, name != TEACHER, name != STUDENT))
    return ShownConversation(
        conversation=case.conversation,
        summaries=tuple(_summary(data, case, system) for system in ordered),
        student=len(case.errors.get(STUDENT, ())),
        teacher=len(case.errors.get(TEACHER, ())),
    )


def _summary(data: ReportData, case: HoldoutCase, system: str) -> ShownSummary:
    notes = case.errors.get(system, ())
    return ShownSummary(
        system=system,
        pieces=tuple(mark_errors(case.summaries[system], notes)),
        errors=tuple(show_error(data, note, case.conversation) for note in notes),
        rating=case.ratings.get(system),
    )

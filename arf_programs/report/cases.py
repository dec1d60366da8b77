"""The revision browser: each case cut into marked, linked and diffed pieces. Ids are made of numbers, never of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arf_programs.edits import change_share
from arf_programs.report.data import ReportData, RevisionCase
from arf_programs.report.diff import Change, Piece, mark_errors, word_diff
from arf_programs.report.figures import category_name
from signatures.records import Conversation, ErrorNote, Revision, Turn


@dataclass(frozen=True)
class ShownTurn:
    """A turn with its number from 1 and the errors for which it is evidence."""

    number: int
    turn: Turn
    errors: tuple[int, ...]


@dataclass(frozen=True)
class ShownError:
    """An error with the name of its category, and those of its turns that exist."""

    note: ErrorNote
    category: str
    turns: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One entry of the browser. `filters` holds numbers of categories, `channel` the number of the channel."""

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


@dataclass(frozen=True)
class Browser:
    """The cases, and what they can be filtered by: labels by number."""

    cases: tuple[Case, ...]
    channels: tuple[str, ...]
    categories: tuple[str, ...]
    verdicts: tuple[str, ...]
    most_errors: int


def browser(data: ReportData) -> Browser:
    """Everything that the revision browser shows."""
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
            ShownTurn(number, turn, _proving(revision.errors, number))
            for number, turn in enumerate(conversation.turns, start=1)
        ),
        errors=tuple(_shown(data, note, conversation) for note in revision.errors),
        remaining=tuple(_shown(data, note, conversation) for note in revision.remaining),
        draft=tuple(mark_errors(revision.before, revision.errors)),
        diff=tuple(word_diff(revision.before, revision.after)),
        changed=change_share(revision.before, revision.after),
        channel=channels.index(conversation.channel),
        filters=tuple(dict.fromkeys(categories.index(note.category) for note in revision.errors)),
    )


def _proving(errors: Sequence[ErrorNote], turn: int) -> tuple[int, ...]:
    return tuple(number for number, note in enumerate(errors) if turn in note.evidence)


def _shown(data: ReportData, note: ErrorNote, conversation: Conversation) -> ShownError:
    turns = tuple(turn for turn in note.evidence if 1 <= turn <= len(conversation.turns))
    return ShownError(note, category_name(data, note.category), turns)

"""What a page of the review shows: texts cut into pieces at edits, marks and words, and the figures above them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from arf_programs.review.agreement import Share, categories_of
from arf_programs.review.decisions import WHOLE, Job, Label, Line
from arf_programs.review.outcomes import edits_of, text_of
from arf_programs.review.rows import ReviewRow
from arf_programs.review.session import Filters, ReviewSession
from arf_programs.text import Span, edit_span, find_changes
from signatures.records import Conversation, Edit, ErrorNote, Revision, Turn

_WORD = re.compile(r"\S+")


class Piece(NamedTuple):
    """A stretch of a text, with its place, and the numbers of the edits or marks on it."""

    text: str
    start: int
    end: int
    on: tuple[int, ...] = ()
    is_word: bool = False


class ShownTurn(NamedTuple):
    """A turn with its number from 1: whether it is evidence, and whether it is that of the present edit or mark."""

    number: int
    turn: Turn
    evidence: bool
    present: bool


@dataclass(frozen=True)
class ShownEdit:
    """An edit, or the text as a whole (`number` is WHOLE), with what was decided about it."""

    number: int
    edit: Edit | None
    errors: tuple[ErrorNote, ...]
    line: Line | None
    category: str


@dataclass(frozen=True)
class Page:
    """What every page of a row has: its place in the order, and where the keys lead."""

    job: Job
    row: ReviewRow
    conversation: Conversation
    turns: tuple[ShownTurn, ...]
    place: int
    total: int
    done: int
    all: int
    is_done: bool
    at: int
    query: str
    ahead: str
    back: str
    unreviewed: str
    hint: str


@dataclass(frozen=True)
class RevisionPage:
    """The page of one revision."""

    page: Page
    revision: Revision
    edits: tuple[ShownEdit, ...]
    draft: tuple[Piece, ...]
    after: tuple[Piece, ...]
    now: str


@dataclass(frozen=True)
class LabelPage:
    """The page of one summary to label."""

    page: Page
    words: tuple[Piece, ...]
    label: Label


def revision_page(session: ReviewSession, row: ReviewRow, filters: Filters, at: int | None) -> RevisionPage:
    """Build the page of a revision; `at` is the number of the present edit, None the first without a decision."""
    revision, choices = session.revisions[row.conversation_id], session.choices(row)
    numbers = edits_of(revision)
    first = next((n for n in numbers if n not in choices or choices[n].choice is None), numbers[0])
    present = at if at in numbers else first
    edits = tuple(_shown_edit(revision, number, choices) for number in numbers)
    now = text_of(revision, choices)
    return RevisionPage(
        page=_page(session, row, filters, present, numbers, _evidence(edits)),
        revision=revision,
        edits=edits,
        draft=tuple(mark_edits(revision.before, revision.applied)),
        after=tuple(cut(now, dict(enumerate(find_changes(revision.before, now))))),
        now=now,
    )


def label_page(session: ReviewSession, row: ReviewRow, filters: Filters, at: int | None) -> LabelPage:
    """Build the page of a summary; `at` is the number of the present mark, None the last one."""
    label = session.label(row)
    numbers = tuple(range(len(label.marks)))
    present = at if at in numbers else (numbers[-1] if numbers else WHOLE)
    text = session.summaries[row.system, row.conversation_id].text
    evidence = {number: mark.evidence for number, mark in enumerate(label.marks)}
    return LabelPage(
        page=_page(session, row, filters, present, numbers, evidence),
        words=tuple(cut_words(text, {n: _place(mark.quote, mark.start) for n, mark in enumerate(label.marks)})),
        label=label,
    )


def _place(quote: str, start: int | None) -> Span:
    return (start, start + len(quote)) if start is not None else (0, 0)


def _shown_edit(revision: Revision, number: int, choices: Mapping[int, Line]) -> ShownEdit:
    edit = revision.applied[number] if number != WHOLE else None
    errors = tuple(note for note in revision.errors if edit is None or note.id in edit.mends)
    line = choices.get(number)
    found = categories_of(revision, number)
    return ShownEdit(number, edit, errors, line, (line.category if line else "") or (found[0] if found else ""))


def _evidence(edits: Sequence[ShownEdit]) -> dict[int, tuple[int, ...]]:
    return {
        item.number: (*(item.edit.evidence if item.edit else ()), *(n for note in item.errors for n in note.evidence))
        for item in edits
    }


def _page(
    session: ReviewSession,
    row: ReviewRow,
    filters: Filters,
    present: int,
    numbers: Sequence[int],
    evidence: Mapping[int, Sequence[int]],
) -> Page:
    conversation = session.conversations[row.conversation_id]
    rows, done = session.shown(row.job, filters), session.done(row.job)
    keys = [item.key for item in rows]
    place = keys.index(row.key) if row.key in keys else -1
    proved = {turn for turns in evidence.values() for turn in turns}

    def address(key: str, at: int | None = None) -> str:
        return f"/{row.job}?" + filters.query(row=key, **({} if at is None else {"at": at}))

    index = numbers.index(present) if present in numbers else -1
    ahead = (
        address(row.key, numbers[index + 1])
        if 0 <= index < len(numbers) - 1
        else address(keys[place + 1])
        if place + 1 < len(keys)
        else ""
    )
    back = address(row.key, numbers[index - 1]) if index > 0 else address(keys[place - 1]) if place > 0 else ""
    waiting = [key for key in (*keys[place + 1 :], *keys[: max(place, 0)]) if key not in done]
    return Page(
        job=row.job,
        row=row,
        conversation=conversation,
        turns=tuple(
            ShownTurn(number, turn, number in proved, number in evidence.get(present, ()))
            for number, turn in enumerate(conversation.turns, start=1)
        ),
        place=place + 1,
        total=len(keys),
        done=sum(key in done for key in keys),
        all=len(session.rows[row.job]),
        is_done=row.key in done,
        at=present,
        query=filters.query(),
        ahead=ahead,
        back=back,
        unreviewed=address(waiting[0]) if waiting else "",
        hint=_hint(session, row),
    )


def _hint(session: ReviewSession, row: ReviewRow) -> str:
    """Say that a reviewer may stop; empty while the share is not known well enough."""
    share = session.share_so_far(row)
    what = (
        f"of the {session.verified_revisions} are right"
        if row.job == "revision"
        else "of these summaries have an error"
    )
    return stop_hint(share, what) if share is not None and share.is_narrow else ""


def mark_edits(text: str, edits: Sequence[Edit]) -> list[Piece]:
    """Cut a draft at the places of its edits. An insertion has an empty piece at its place."""
    return cut(text, {number: edit_span(edit, text) for number, edit in enumerate(edits)})


def cut(text: str, spans: Mapping[int, Span]) -> list[Piece]:
    """Cut a text wherever a span starts or ends. An empty span gives an empty piece."""
    cuts = sorted({0, len(text), *(place for span in spans.values() for place in span)})
    empty = {span[0]: number for number, span in spans.items() if span[0] == span[1]}
    pieces = []
    for start, end in pairwise(cuts):
        if start in empty:
            pieces.append(Piece("", start, start, (empty.pop(start),)))
        inside = tuple(number for number, span in spans.items() if span[0] <= start and end <= span[1])
        pieces.append(Piece(text[start:end], start, end, inside))
    pieces += [Piece("", start, start, (number,)) for start, number in empty.items()]
    return pieces


def cut_words(text: str, spans: Mapping[int, Span]) -> list[Piece]:
    """Cut a summary into words and the spaces between them, with the marks that touch each word."""
    pieces, last = [], 0
    for word in _WORD.finditer(text):
        start, end = word.span()
        if start > last:
            on = tuple(n for n, span in spans.items() if span[0] < last and start < span[1])
            pieces.append(Piece(text[last:start], last, start, on))
        on = tuple(n for n, span in spans.items() if span[0] < end and start < span[1])
        pieces.append(Piece(word.group(), start, end, on, is_word=True))
        last = end
    return pieces


def stop_hint(share: Share | None, what: str) -> str:
    """Say whether a share is known well enough to stop, or how many more rows it takes; empty without a fair sample."""
    if share is None or not share.sample:
        return ""
    bounds = f"{share.value:.0%} {what} ({share.low:.0%} to {share.high:.0%}, {share.n} rows drawn at random)"
    if share.is_narrow:
        return f"{bounds}: known well enough, so you may stop here."
    return f"{bounds}: go on for a narrower range."

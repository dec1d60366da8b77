"""What a person can do on a page, and the line that each act adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from arf_programs.review.decisions import WHOLE, Choice, Job, Label, Line, Mark
from arf_programs.text import find_quotes
from signatures.exceptions import QuoteError
from signatures.records import Conversation, Revision

Op = Literal[
    "choose", "kind", "undo", "mark", "remove", "evidence", "explain", "revise", "rate", "right", "finish", "reopen"
]


class Act(BaseModel):
    """One act of a person, as a page sends it. `row` is the key of a row, and `query` the filters of the page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Op
    job: Job
    row: str = Field(max_length=64)
    query: str = Field(default="", max_length=2000)
    at: int = Field(default=WHOLE, ge=WHOLE, le=1000, description="number of the edit or the mark")
    choice: Choice | None = None
    category: str = Field(default="", max_length=100)
    text: str = Field(default="", max_length=20_000)
    start: int | None = Field(default=None, ge=0)
    end: int | None = Field(default=None, ge=0)
    turn: int | None = Field(default=None, ge=1)
    aspect: Literal["rating", "faithful", "complete", "concise"] = "rating"
    value: int | None = Field(default=None, ge=1, le=5)


def decide(act: Act, revision: Revision, present: Mapping[int, Line]) -> dict[str, Any]:
    """Return what the line of a decision about an edit says. Raises QuoteError for an act that is not possible."""
    if act.at != WHOLE and act.at >= len(revision.applied):
        raise QuoteError("the revision has no such edit")
    before = present.get(act.at)
    if act.op == "kind":
        choice, rewrite = (before.choice, before.rewrite) if before else (None, "")
        return {"edit": act.at, "choice": choice, "rewrite": rewrite, "category": act.category}
    if act.choice is None:
        raise QuoteError("accept, reject or rewrite the edit")
    if act.choice == "rewrite" and not act.text.strip():
        raise QuoteError("write the words that should stand there")
    rewrite = act.text if act.choice == "rewrite" else ""
    return {"edit": act.at, "choice": act.choice, "rewrite": rewrite, "category": before.category if before else ""}


def change_label(act: Act, label: Label, summary: str, conversation: Conversation) -> tuple[Label, int]:
    """Return the label after an act, and the number of its present mark.

    Raises QuoteError for an act that is not possible.
    """
    if act.op == "mark":
        return _marked(act, label, summary)
    if act.op in ("remove", "evidence", "explain"):
        return _changed(act, label, conversation)
    possible: dict[str, dict[str, Any]] = {
        "revise": {"revised": act.text.strip() or None},
        "rate": {act.aspect: act.value},
        "right": {"marks": (), "done": True},
        "finish": {"done": True},
        "reopen": {"done": False},
    }
    changes = possible.get(act.op)
    if changes is None:
        raise QuoteError(f"{act.op} is not for labels")
    if act.op == "finish" and not label.marks:
        raise QuoteError("mark an error first, or say that the summary is right")
    return label.model_copy(update=changes), act.at


def _marked(act: Act, label: Label, summary: str) -> tuple[Label, int]:
    """Add a mark for the chosen words, or an omission; without words give the present mark another category."""
    if not act.category:
        raise QuoteError("choose the kind of error")
    if act.start is not None and act.end is not None:
        new = mark_words(summary, act.start, act.end, act.category)
    elif 0 <= act.at < len(label.marks):
        changed = label.marks[act.at].model_copy(update={"category": act.category})
        return _with_marks(label, [*label.marks[: act.at], changed, *label.marks[act.at + 1 :]]), act.at
    else:
        new = Mark(category=act.category)
    return _with_marks(label, [*label.marks, new]), len(label.marks)


def mark_words(text: str, start: int, end: int, category: str) -> Mark:
    """Mark the words at `text[start:end]`, without white space and punctuation around them.

    Raises QuoteError if there is no word, or if the place cuts one.
    """
    quote = text[start:end].strip(" \t\n.,;:!?")
    place = text.find(quote, start) if quote else -1
    if place < 0 or place >= end or (place, place + len(quote)) not in find_quotes(quote, text):
        raise QuoteError("mark whole words of the summary")
    return Mark(category=category, quote=quote, start=place)


def _changed(act: Act, label: Label, conversation: Conversation) -> tuple[Label, int]:
    """Remove the present mark, or change its evidence or explanation."""
    marks = list(label.marks)
    if not 0 <= act.at < len(marks):
        raise QuoteError("choose a mark first")
    if act.op == "remove":
        del marks[act.at]
        return _with_marks(label, marks), min(act.at, len(marks) - 1)
    if act.op == "explain":
        marks[act.at] = marks[act.at].model_copy(update={"explanation": act.text.strip()[:2000]})
        return _with_marks(label, marks), act.at
    if act.turn is None or act.turn > len(conversation.turns):
        raise QuoteError("the conversation has no such turn")
    evidence = set(marks[act.at].evidence) ^ {act.turn}
    marks[act.at] = marks[act.at].model_copy(update={"evidence": tuple(sorted(evidence))})
    return _with_marks(label, marks), act.at


def _with_marks(label: Label, marks: Sequence[Mark]) -> Label:
    """Change the marks. A summary that was right and has a mark now is not finished."""
    done = label.done and bool(label.marks) and bool(marks)
    return label.model_copy(update={"marks": tuple(marks), "done": done})

"""What people decide about revisions and summaries: the lines that are stored, and the present state that follows.

A line is never changed. A later line about the same thing takes the place of an earlier one, and an undo names the line
that no longer counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from signatures.records import Record

Job = Literal["revision", "label"]
Choice = Literal["accept", "reject", "rewrite"]
WHOLE: Final = -1
"""The number of the decision about the text as a whole; edits are numbered from 0."""
ASPECTS: Final = ("rating", "faithful", "complete", "concise")


class Mark(Record):
    """An error that a person marked; without a quote it is an omission. `start` is in characters."""

    category: str = Field(min_length=1, max_length=100)
    quote: str = ""
    start: int | None = Field(default=None, ge=0)
    evidence: tuple[int, ...] = ()
    explanation: str = Field(default="", max_length=2000)


class Label(Record):
    """What a person says about one summary so far. It is finished when `done`; without marks it is then right."""

    marks: tuple[Mark, ...] = ()
    revised: str | None = Field(default=None, max_length=20_000)
    rating: int | None = Field(default=None, ge=1, le=5)
    faithful: int | None = Field(default=None, ge=1, le=5)
    complete: int | None = Field(default=None, ge=1, le=5)
    concise: int | None = Field(default=None, ge=1, le=5)
    done: bool = False


class Line(Record):
    """One decision, label or undo, with who made it and when (`at`, UTC).

    `shown` is a hash of the text that the person saw. A decision about a text that has changed since does not count.
    """

    id: str = Field(min_length=1)
    at: str
    reviewer: str = Field(min_length=1)
    job: Job
    conversation_id: str
    system: str = ""
    shown: str = ""
    edit: int | None = Field(default=None, ge=WHOLE, description="number of the edit, or WHOLE")
    choice: Choice | None = None
    rewrite: str = Field(default="", max_length=20_000)
    category: str = ""
    label: Label | None = None
    undoes: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = [self.edit is not None, self.label is not None, self.undoes is not None]
        if sum(said) != 1:
            raise ValueError("a line is either about an edit, or a label, or an undo")
        return self

    @property
    def about(self) -> tuple[str, str, str, int | None]:
        """What the line is about: a later line about the same replaces it."""
        return (self.job, self.conversation_id, self.system, self.edit)


def standing(lines: Iterable[Line]) -> list[Line]:
    """Return the lines that count, in order: neither undone, nor replaced by a later line of the same reviewer."""
    every = list(lines)
    undone = {(line.reviewer, line.undoes) for line in every if line.undoes is not None}
    latest: dict[tuple[object, ...], Line] = {}
    for line in every:
        if line.undoes is None and (line.reviewer, line.id) not in undone:
            key = (line.reviewer, *line.about)
            latest.pop(key, None)
            latest[key] = line
    return list(latest.values())


def last_to_undo(lines: Iterable[Line], reviewer: str) -> Line | None:
    """Return the newest line of a reviewer that is not undone yet."""
    own = [line for line in lines if line.reviewer == reviewer]
    undone = {line.undoes for line in own if line.undoes is not None}
    return next((line for line in reversed(own) if line.undoes is None and line.id not in undone), None)


Choices = Mapping[int, Line]

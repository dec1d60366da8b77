"""What people decide about revisions and summaries: the lines of each reviewer's file, and the state that follows.

A line is never changed. A later line about the same thing takes the place of an earlier one, and an undo names the line
that no longer counts.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal, Self
from uuid import uuid4

from pydantic import Field, model_validator

from arf_programs.runs import JsonlAppender, RunFolder, private_files, read_jsonl
from signatures.exceptions import ConfigError
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


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def read_reviews(folder: RunFolder) -> list[Line]:
    """Read the lines of all reviewers, in the order in which they were written. It is empty if there are none.

    A half-written last line is skipped. Raises DataError for any other line that is not a decision.
    """
    files = sorted(folder.reviews.glob("*.jsonl")) if folder.reviews.is_dir() else []
    lines = [line for path in files for line in read_jsonl(path, Line, ignore_half_line=True)]
    return sorted(lines, key=lambda line: line.at)


class ReviewFile:
    """The file of one reviewer, open for appending. `lines` holds what it contains."""

    def __init__(self, folder: RunFolder, reviewer: str, appender: JsonlAppender) -> None:
        self.reviewer = reviewer
        self._appender = appender
        self.lines = list(read_jsonl(folder.reviews / f"{reviewer}.jsonl", Line))

    def append(self, line: Line) -> None:
        """Add a line. It is in the file when this returns."""
        self._appender.append(line)
        self.lines.append(line)

    def new_line(self, line: dict[str, object]) -> Line:
        """Make a line of this reviewer, with an id and the present time. Raises ValidationError if it is not valid."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        return Line.model_validate({**line, "id": uuid4().hex[:12], "at": now, "reviewer": self.reviewer})


@contextmanager
def open_reviews(folder: RunFolder, reviewer: str) -> Iterator[ReviewFile]:
    """Open the file of a reviewer, for one process at a time. A half-written last line is cut off.

    Raises ConfigError for a name that cannot be the name of a file, and when the same reviewer is at work elsewhere.
    """
    if not _NAME.fullmatch(reviewer):
        raise ConfigError(
            f"--reviewer {reviewer!r}: use up to 40 letters of a-z, digits, dots, dashes and underscores, as in anna."
        )
    with private_files():
        folder.reviews.mkdir(mode=0o700, exist_ok=True)
        path = folder.reviews / f"{reviewer}.jsonl"
        with (folder.reviews / f".{reviewer}.lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(
                    f"{path}: another `arf review` of {reviewer} is open: end it, or give another --reviewer."
                ) from None
            with JsonlAppender(path) as appender:
                yield ReviewFile(folder, reviewer, appender)

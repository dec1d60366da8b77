"""The files of a review: one for each reviewer, to which each decision is appended as it is made."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from arf_programs.review.decisions import Line
from arf_programs.runs import JsonlAppender, RunFolder, private_files, read_jsonl
from signatures.exceptions import ConfigError

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

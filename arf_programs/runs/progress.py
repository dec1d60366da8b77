"""The progress of long work: a bar on a terminal, lines elsewhere, and a small file that `arf status` reads.

Where a script reads JSON, nothing is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as RichProgress,
)

from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import read_record, write_text_atomic
from signatures.exceptions import StorageError

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_OF_SILENCE = 60.0
_BAR, _TIME = 16, 14  # characters of the bar, and of the time with what stands between the parts


class Progress:
    """Shows the progress of one task at a time. With `quiet`, it shows nothing."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._bar: RichProgress | None = None
        self._done = 0
        self._total = 0
        self._label = ""
        self._last_line = 0.0

    def say(self, text: str) -> None:
        """Print a line for the user. Markup in it is not interpreted."""
        if not self._quiet:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, label: str, *, total: int) -> Iterator[None]:
        """Show a task called `label` that has `total` steps."""
        self._label, self._total, self._done, self._last_line = label, total, 0, time.monotonic()
        if self._quiet or not self.console.is_terminal or total == 0:
            yield
            return
        columns = (
            BarColumn(bar_width=_BAR),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with RichProgress(*columns, console=self.console, transient=True) as bar:
            self._bar = bar
            bar.add_task(label, total=total, note="")
            try:
                yield
            finally:
                self._bar = None

    def advance(self, *, failed: int = 0, note: str | Callable[[], str] = "") -> None:
        """Count one step as done. `failed` is the sum so far. A `note` that costs time is given as a function."""
        self._done += 1
        late = time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES
        if self._bar is None and not late:
            return
        text = (note() if callable(note) else note) or (f"{failed} failed" if failed else "")
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=1, note=self._fitted(text))
        else:
            self._print_line(text)

    def refresh(self, note: str) -> None:
        """Show a new note although no step is done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], note=self._fitted(note))
        elif time.monotonic() - self._last_line >= _SECONDS_OF_SILENCE:
            self._print_line(note)

    def _fitted(self, note: str) -> str:
        """Cut a note to what is left beside bar, count, label and time, so that none of them is cut."""
        room = self.console.width - _BAR - 2 * len(str(self._total)) - len(self._label) - _TIME
        return note if len(note) <= room else f"{note[: max(0, room - 1)]}…"

    def _print_line(self, note: str) -> None:
        self._last_line = time.monotonic()
        self.say(f"  {self._label}: {self._done}/{self._total}{', ' + note if note else ''}")


_SECONDS_BETWEEN = 2.0
_ROWS_FOR_AN_ESTIMATE = 3


class RunStatus(BaseModel):
    """Counts of the stage at work. `usd` and `rows_per_second` are of this command only, not of earlier ones.

    `waited` is how many of the `seconds` are since the last row ended. They are no part of `rows_per_second`.
    The rows of a training are its steps, and `text` is what the last one said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    total: int
    done: int
    failed: int
    in_flight: int
    seconds: float
    waited: float = 0.0
    rows_per_second: float
    usd: float
    updated: float
    text: str = ""

    @property
    def seconds_left(self) -> float | None:
        """The time left at the speed so far, which falls while no row ends.

        None before the third row, since one row says little, and when the time is up and rows are still missing.
        """
        if not self._is_known:
            return None
        left = (self.total - self.done - self.failed) / self.rows_per_second - self.waited
        return left if left >= 0 else None

    @property
    def usd_left(self) -> float | None:
        """The US dollars that the other rows will cost, at the cost so far. None before the third row."""
        if not self._is_known:
            return None
        return (self.total - self.done - self.failed) * self.usd / self._rows_ended

    @property
    def _rows_ended(self) -> float:
        """The rows that ended in this command."""
        return self.rows_per_second * (self.seconds - self.waited)

    @property
    def _is_known(self) -> bool:
        return round(self._rows_ended) >= _ROWS_FOR_AN_ESTIMATE

    @property
    def left(self) -> str:
        """Time and money left, as in `about 5 min and 0.80 USD left`. Empty before the third row."""
        parts = [] if self.seconds_left is None else [duration_text(self.seconds_left)]
        parts += [f"{self.usd_left:.2f} USD"] if self.usd_left else []
        return f"about {' and '.join(parts)} left" if parts else ""

    @property
    def _speed(self) -> str:
        """The speed so far, or how long no row has ended where this speed no longer holds."""
        if self._is_known and self.seconds_left is None:
            return f"no row has ended for {duration_text(self.waited)}"
        return f"{self.rows_per_second:.1f} rows/s"

    @property
    def note(self) -> str:
        """The text next to a progress bar."""
        parts = [self.text] if self.text else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.in_flight} in flight"] if self.in_flight else []
        parts += [self._speed] if self.rows_per_second >= 0.05 and not self.text else []
        parts += [f"{self.usd:.2f} USD"] if self.usd else []
        return ", ".join([*parts, self.left] if self.left else parts)


class StatusFile:
    """Counts the rows of a stage, writes the counts every two seconds, and shows them.

    A thread does this, so that the file also changes while rows wait for an endpoint and none ends.
    """

    def __init__(self, path: Path, stage: str, total: int, usd: Callable[[], float], progress: Progress) -> None:
        self._path, self._stage, self._total, self._usd, self._progress = path, stage, total, usd, progress
        self._passed = self._failed = self._in_flight = self._fresh = 0
        self._text = ""
        self._start = self._last = time.monotonic()
        self._ended = Event()
        self._clock = Thread(target=self._keep_writing, daemon=True)
        self._clock.start()

    def advance(self, *, failed: int = 0, in_flight: int = 0, fresh: bool = True, text: str = "") -> None:
        """Count a row as ended. `fresh` says that this command did it, not an earlier one."""
        self._passed += 1
        self._fresh += fresh
        self._last = time.monotonic()
        self._failed, self._in_flight, self._text = failed, in_flight, text
        self._progress.advance(note=lambda: self.now().note)

    def now(self) -> RunStatus:
        """Return the counts of this moment."""
        last, now = self._last, time.monotonic()
        busy = last - self._start
        return RunStatus(
            stage=self._stage,
            total=self._total,
            done=self._passed - self._failed,
            failed=self._failed,
            in_flight=self._in_flight,
            seconds=now - self._start,
            waited=now - last,
            rows_per_second=self._fresh / busy if busy else 0.0,
            usd=self._usd(),
            updated=time.time(),
            text=self._text,
        )

    def end(self, *, whole: bool) -> None:
        """Stop writing. The file is removed if the stage is `whole`, else it keeps where the stage stopped."""
        self._ended.set()
        self._clock.join()
        if whole:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        else:
            self._write()

    def _keep_writing(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN):
            self._write()
            self._progress.refresh(self.now().note)

    def _write(self) -> None:
        with suppress(StorageError):  # the stage itself says so where a disk is full
            write_text_atomic(self._path, self.now().model_dump_json() + "\n")


def read_status(folder: RunFolder) -> RunStatus | None:
    """Read the last status of the stage that is at work or was stopped. None if there is none."""
    return read_record(folder.status, RunStatus)


def duration_text(seconds: float) -> str:
    """Write a length of time as people read it: `90 s`, `5 min` or `2.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""Progress of long work: a live bar on a terminal, plain lines elsewhere, silence where a script reads JSON.

How far a run has come, in a small file that `arf status` reads while it is at work and after it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)

from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import write_text_atomic

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_OF_SILENCE = 60.0


class Progress:
    """One task at a time; `quiet` shows nothing but what `say` is told to."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._bar: RichProgress | None = None
        self._done = 0
        self._total = 0
        self._label = ""
        self._last_line = 0.0

    def say(self, text: str) -> None:
        """A line for the user; markup in it is not interpreted."""
        if not self._quiet:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, label: str, *, total: int) -> Iterator[None]:
        """Show `total` steps of work called `label`."""
        self._label, self._total, self._done, self._last_line = label, total, 0, time.monotonic()
        if self._quiet or not self.console.is_terminal or total == 0:
            yield
            return
        columns = (
            TextColumn("  {task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self.console, transient=True) as bar:
            self._bar = bar
            bar.add_task(label, total=total, note="")
            try:
                yield
            finally:
                self._bar = None

    def advance(self, *, failed: int = 0, note: str | Callable[[], str] = "") -> None:
        """One step is done; `failed` have failed so far. A `note` that takes time is given as a function."""
        self._done += 1
        late = time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES
        if self._bar is None and not late:
            return
        text = (note() if callable(note) else note) or (f"{failed} failed" if failed else "")
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=1, note=text)
        else:
            self._tell(text)

    def refresh(self, note: str) -> None:
        """No step is done, but there is something new to tell of the task."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], note=note)
        elif time.monotonic() - self._last_line >= _SECONDS_OF_SILENCE:
            self._tell(note)

    def _tell(self, note: str) -> None:
        self._last_line = time.monotonic()
        self.say(f"  {self._label}: {self._done}/{self._total}{', ' + note if note else ''}")


_SECONDS_BETWEEN = 2.0


class RunStatus(BaseModel):
    """Rows of the stage at work; `usd` is this run of the command's, `rows_per_second` that of what it did itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    total: int
    done: int
    failed: int
    in_flight: int
    seconds: float
    rows_per_second: float
    usd: float
    updated: float

    @property
    def seconds_left(self) -> float | None:
        """Time left at the speed so far; None where there is none yet."""
        return (self.total - self.done - self.failed) / self.rows_per_second if self.rows_per_second else None

    @property
    def usd_left(self) -> float | None:
        """Money left at the spend so far; None before the first row."""
        passed = self.rows_per_second * self.seconds
        return (self.total - self.done - self.failed) * self.usd / passed if passed else None

    @property
    def left(self) -> str:
        """Time and money left, as in `about 5 min and 0.80 USD left`; empty where nothing is known."""
        parts = [] if self.seconds_left is None else [_duration(self.seconds_left)]
        parts += [f"{self.usd_left:.2f} USD"] if self.usd_left else []
        return f"about {' and '.join(parts)} left" if parts else ""

    @property
    def note(self) -> str:
        """The counts beside a progress bar."""
        parts = [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.in_flight} in flight"] if self.in_flight else []
        parts += [f"{self.rows_per_second:.1f} rows/s"] if self.rows_per_second else []
        parts += [f"{self.usd:.2f} USD"] if self.usd else []
        return ", ".join([*parts, self.left] if self.left else parts)


class StatusFile:
    """Keeps the counts of a stage, writes them every two seconds and shows them, also while no row is through: an
    endpoint may be waited for.
    """

    def __init__(self, path: Path, stage: str, total: int, usd: Callable[[], float], progress: Progress) -> None:
        self._path, self._stage, self._total, self._usd, self._progress = path, stage, total, usd, progress
        self._passed = self._failed = self._in_flight = self._fresh = 0
        self._start = time.monotonic()
        self._ended = Event()
        self._clock = Thread(target=self._keep_writing, daemon=True)
        self._clock.start()

    def advance(self, *, failed: int, in_flight: int, fresh: bool) -> None:
        """A row is through: `fresh` if this command did it, else by an earlier one."""
        self._passed += 1
        self._fresh += fresh
        self._failed, self._in_flight = failed, in_flight
        self._progress.advance(note=lambda: self.now().note)

    def now(self) -> RunStatus:
        """The counts as they stand."""
        seconds = time.monotonic() - self._start
        return RunStatus(
            stage=self._stage,
            total=self._total,
            done=self._passed - self._failed,
            failed=self._failed,
            in_flight=self._in_flight,
            seconds=seconds,
            rows_per_second=self._fresh / seconds if seconds else 0.0,
            usd=self._usd(),
            updated=time.time(),
        )

    def end(self, *, whole: bool) -> None:
        """The stage is whole, and its manifest says the rest; or it was stopped, and the file tells where."""
        self._ended.set()
        self._clock.join()
        if whole:
            self._path.unlink(missing_ok=True)
        else:
            self._write()

    def _keep_writing(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN):
            self._write()
            self._progress.refresh(self.now().note)

    def _write(self) -> None:
        write_text_atomic(self._path, self.now().model_dump_json() + "\n")


def read_status(folder: RunFolder) -> RunStatus | None:
    """What the stage at work, or stopped, has told last; None if there is none."""
    path: Path = folder.status
    try:
        return RunStatus.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

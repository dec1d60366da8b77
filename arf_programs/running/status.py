"""How far a run has come, in a small file that `arf status` reads while it is at work and after it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from pydantic import BaseModel, ConfigDict, ValidationError

from arf_programs.jsonl import write_text_atomic
from arf_programs.progress import Progress
from arf_programs.run_folder import RunFolder

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

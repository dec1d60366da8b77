"""The progress of the stage at work, in a small file that `arf status` reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from pydantic import BaseModel, ConfigDict, ValidationError

from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import write_text_atomic
from arf_programs.runs.progress import Progress
from signatures.exceptions import StorageError

_SECONDS_BETWEEN = 2.0
_ROWS_FOR_AN_ESTIMATE = 3


class RunStatus(BaseModel):
    """Counts of the stage at work. `usd` and `rows_per_second` are of this command only, not of earlier ones."""

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
        """The time left at the speed so far. None before the third row, since one row says little."""
        if not self._is_known:
            return None
        return (self.total - self.done - self.failed) / self.rows_per_second

    @property
    def usd_left(self) -> float | None:
        """The US dollars that the other rows will cost, at the cost so far. None before the third row."""
        if not self._is_known:
            return None
        return (self.total - self.done - self.failed) * self.usd / (self.rows_per_second * self.seconds)

    @property
    def _is_known(self) -> bool:
        return round(self.rows_per_second * self.seconds) >= _ROWS_FOR_AN_ESTIMATE

    @property
    def left(self) -> str:
        """Time and money left, as in `about 5 min and 0.80 USD left`. Empty before the third row."""
        parts = [] if self.seconds_left is None else [_duration(self.seconds_left)]
        parts += [f"{self.usd_left:.2f} USD"] if self.usd_left else []
        return f"about {' and '.join(parts)} left" if parts else ""

    @property
    def note(self) -> str:
        """The text next to a progress bar."""
        parts = [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.in_flight} in flight"] if self.in_flight else []
        parts += [f"{self.rows_per_second:.1f} rows/s"] if self.rows_per_second else []
        parts += [f"{self.usd:.2f} USD"] if self.usd else []
        return ", ".join([*parts, self.left] if self.left else parts)


class StatusFile:
    """Counts the rows of a stage, writes the counts every two seconds, and shows them.

    A thread does this, so that the file also changes while rows wait for an endpoint and none ends.
    """

    def __init__(self, path: Path, stage: str, total: int, usd: Callable[[], float], progress: Progress) -> None:
        self._path, self._stage, self._total, self._usd, self._progress = path, stage, total, usd, progress
        self._passed = self._failed = self._in_flight = self._fresh = 0
        self._start = time.monotonic()
        self._ended = Event()
        self._clock = Thread(target=self._keep_writing, daemon=True)
        self._clock.start()

    def advance(self, *, failed: int, in_flight: int, fresh: bool) -> None:
        """Count a row as ended. `fresh` says that this command did it, not an earlier one."""
        self._passed += 1
        self._fresh += fresh
        self._failed, self._in_flight = failed, in_flight
        self._progress.advance(note=lambda: self.now().note)

    def now(self) -> RunStatus:
        """Return the counts of this moment."""
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
    try:
        return RunStatus.model_validate_json(folder.status.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

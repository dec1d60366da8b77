"""How far a run has come, in a small file that `arf status` reads while it is at work and after it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from arf_programs.jsonl import write_text_atomic
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


class StatusFile:
    """Keeps the counts of a stage and writes them every two seconds."""

    def __init__(self, path: Path, stage: str, total: int, usd: Callable[[], float]) -> None:
        self._path, self._stage, self._total, self._usd = path, stage, total, usd
        self._passed = self._failed = self._in_flight = self._fresh = 0
        self._start = self._written = time.monotonic()

    def advance(self, *, failed: int, in_flight: int, fresh: bool) -> None:
        """A row is through: `fresh` if this command did it, else by an earlier one."""
        self._passed += 1
        self._fresh += fresh
        self._failed, self._in_flight = failed, in_flight
        self.write()

    def write(self, *, force: bool = False) -> None:
        """Write the file, if the last time is long ago."""
        if force or time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self._written = time.monotonic()
            write_text_atomic(self._path, self.now().model_dump_json() + "\n")

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

    def note(self) -> str:
        """The counts beside a progress bar."""
        now = self.now()
        parts = [f"{now.failed} failed"] if now.failed else []
        parts += [f"{now.in_flight} in flight"] if now.in_flight else []
        parts += [f"{now.rows_per_second:.1f} rows/s"] if now.rows_per_second else []
        parts += [f"${now.usd:.2f}"] if now.usd else []
        return ", ".join(parts)

    def remove(self) -> None:
        """The stage is whole: its manifest says the rest."""
        self._path.unlink(missing_ok=True)


def read_status(folder: RunFolder) -> RunStatus | None:
    """What the stage at work, or stopped, has told last; None if there is none."""
    path: Path = folder.status
    try:
        return RunStatus.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None

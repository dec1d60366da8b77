"""The progress of long work: a bar on a terminal, lines elsewhere, and nothing where a script reads JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

"""Keeps DSPy's optimizers off standard output, which belongs to the command's result."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

from rich.console import Console


@contextlib.contextmanager
def quietly(console: Console) -> Iterator[None]:
    """Within this context prints and progress bars go to the log `arf_programs.compiling`, seen with `-v`.

    `console` goes on writing where it did.
    """
    console.file = console.file  # bound to the stream itself: otherwise it would look for the redirected one
    log = logging.getLogger("arf_programs.compiling")
    lines = _LogLines(log)
    with contextlib.redirect_stdout(lines), contextlib.redirect_stderr(lines):
        yield


class _LogLines(io.TextIOBase):
    """A text stream each line of which is one entry of a log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        for line in lines:
            if line.strip():
                self._log.info(line)
        return len(text)

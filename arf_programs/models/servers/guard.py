"""Run a command, and end it with all its children when whoever started this script is gone.

The script is run by its path, so it imports the standard library alone. Its standard input is a pipe that nobody writes
to. The pipe closes when the other process ends, however it ends: even SIGKILL leaves no server behind. The script has
to lead its process group. It ends with the exit code of the command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

GRACE = 20.0
"""Seconds that a server has to end by itself, before it is killed."""


def main(command: list[str]) -> int:
    """Run `command` to its end, and return its exit code; 128 and the signal if a signal ended it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # they reach the command too, which decides
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    abandoned = threading.Event()
    threading.Thread(target=_end_with_the_other, args=(abandoned,), daemon=True).start()
    code = child.wait()
    if abandoned.is_set():
        os.killpg(0, signal.SIGKILL)  # the children that it may have left, and this script
    return code if code >= 0 else 128 - code


def _end_with_the_other(abandoned: threading.Event) -> None:
    while os.read(0, 1):  # to the end of the pipe
        pass
    abandoned.set()
    os.killpg(0, signal.SIGINT)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The entry point of the `arf` command: Ctrl-C ends it without a traceback, also while Python still imports it."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command. Until it can say what an interruption means, Ctrl-C simply ends this process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from arf_programs.cli.app import main

    main()


if __name__ == "__main__":
    main()

"""What the commands of this package have in common: quiet libraries, clean messages and exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import TextIO

from signatures.exceptions import ArfError, UserError


def run_command(work: Callable[[TextIO], None]) -> int:
    """Run `work` with the real stdout, which no library can write to meanwhile, and return the exit code.

    0: done; 1: failed at work; 2: the user's input is wrong; 130: interrupted with Ctrl-C. What is raised otherwise
    is a defect, and keeps its traceback.
    """
    machine = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            work(machine)
    except ArfError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UserError) else 1
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return 0


def quiet_libraries() -> None:
    """Keep progress bars and chatter out of the logs, and the usage statistics of TRL at home.

    Call it before anything loads torch, which reads at that moment how its threads should wait.
    """
    # Threads that spin while they wait starve their own peers when other processes share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import datasets
    import huggingface_hub
    from transformers.utils import logging

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)

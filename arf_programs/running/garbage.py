"""Keeps Python's garbage collector from walking, again and again, through all that was imported."""

from __future__ import annotations

import gc

_YOUNG = 20_000  # objects made before a collection; Python's 700 means several for each call of LiteLLM


def spare_the_collector() -> None:
    """Leave aside what is in memory now, some hundred thousand objects of libraries, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)

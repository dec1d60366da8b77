"""The one door to LiteLLM, which has to be told a few things before it is imported."""

from __future__ import annotations

import importlib
import logging
import os
from functools import cache
from types import ModuleType
from typing import Any


def skip_litellms_logging() -> None:
    """Mark the calls of this context as LiteLLM marks its own: it prepares no log of them, a seventh of its time."""
    context: Any = importlib.import_module("litellm._internal_context")
    context.is_internal_call.set(True)


@cache
def import_litellm() -> ModuleType:
    """LiteLLM with the price map that it carries (no request at import), and with its chatter silenced."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    module: ModuleType = litellm
    return module

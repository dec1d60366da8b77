"""The engines of embedded models: what a process asks, one for each model. Models on one base share its weights."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import cache

from arf_programs.models.embedded.base import Weights, open_weights, weights_stamp
from arf_programs.models.embedded.decode import LanguageModel
from arf_programs.models.embedded.limits import prefix_cache
from arf_programs.models.embedded.prefix_cache import PrefixCache
from arf_programs.models.embedded.row import Completion, Request
from arf_programs.models.embedded.worker import Worker
from arf_programs.models.local.chat_template import render_text
from arf_programs.models.local.placement import AUTO, Placement, describe_placement, find_placement


class Engine:
    """Generates for many callers at once with one model. Its methods may be called from any thread.

    Args:
        weights: what the model answers with. The engine closes them.
        prefixes: a cache of its own, instead of the one that all models on the device share.
    """

    def __init__(self, weights: Weights, prefixes: PrefixCache | None = None) -> None:
        placement = weights.base.placement
        shared = prefix_cache(placement.device) if prefixes is None else prefixes
        self.model = LanguageModel(weights, shared)
        self._tokenizer_lock = threading.Lock()
        self._worker = _worker(placement)
        atexit.register(self.close)

    def tokenize(self, messages: list[dict[str, str]]) -> tuple[int, ...]:
        """Return the tokens of `messages` in the model's chat template, up to the beginning of the answer.

        Raises ValueError when the template cannot write them.
        """
        with self._tokenizer_lock:
            text = render_text(self.model.tokenizer, messages, for_answer=True)
            ids: list[int] = self.model.tokenizer.encode(text, add_special_tokens=False)
        return tuple(ids)

    def submit(self, request: Request) -> Future[Completion]:
        """Queue a request. A cancelled future leaves its batch. The future raises what goes wrong."""
        return self._worker.submit(self.model, request)

    def close(self) -> None:
        """End unfinished requests by CancelledError, and give the weights back."""
        if not self.model.closed:
            self._worker.close(self.model)
            self.model.close()
            atexit.unregister(self.close)


_engines: dict[tuple[str, Placement], tuple[float, Engine]] = {}
_engines_lock = threading.Lock()


def get_engine(name: str, device: str = AUTO, dtype: str = AUTO, *, say: Callable[[str], None] | None = None) -> Engine:
    """Return the process's engine of a model. It is loaded at the first call, and again after its weights change.

    When it is loaded, `say` gets a line about the device that it takes. Raises ConfigError for a device that is not
    there, and what `open_weights` raises.
    """
    placement = find_placement(device, dtype)
    with _engines_lock:
        stamp = weights_stamp(name)
        loaded = _engines.get((name, placement))
        if loaded is not None and loaded[0] == stamp:
            return loaded[1]
        if loaded is not None:
            loaded[1].close()
        if say is not None:
            say(f"  embedded/{name} answers on {describe_placement(placement)}")
        engine = Engine(open_weights(name, placement))
        _engines[name, placement] = (stamp, engine)
        return engine


def close_engines(keep: Collection[str] = ()) -> None:
    """Close the engines of all models but those called `keep`, so that their memory is free."""
    with _engines_lock:
        for key in [key for key in _engines if key[0] not in keep]:
            _engines.pop(key)[1].close()
    # A GPU's memory goes back only when torch is told.
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@cache
def _worker(placement: Placement) -> Worker:
    return Worker(placement)

"""The engines of embedded models: what a process asks, one for each model. Models on one base share its weights."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future

from arf_programs.models.embedded.base import open_weights, weights_stamp
from arf_programs.models.embedded.decode import LanguageModel
from arf_programs.models.embedded.grammar import Grammars
from arf_programs.models.embedded.limits import cache_budget
from arf_programs.models.embedded.row import Completion, Request
from arf_programs.models.embedded.worker import Job, Source, Worker
from arf_programs.models.local.chat_template import render_text
from arf_programs.models.local.placement import AUTO, Placement, describe_placement, find_placement


class Engine:
    """Generates for many callers at once with one model. `submit` may be called from any thread."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        tokenizer = model.tokenizer
        self.grammars = Grammars(tokenizer, model.vocabulary, min(model.eos, default=0))
        self._source = Source(model, self.grammars)
        self._tokenizer_lock = threading.Lock()
        self._worker = _join_worker(model)
        atexit.register(self.close)

    def tokenize(self, messages: list[dict[str, str]]) -> tuple[int, ...]:
        """Return the tokens of `messages` in the model's chat template, up to the beginning of the answer.

        Raises ValueError when the template cannot write them.
        """
        with self._tokenizer_lock:
            text = render_text(self.model.tokenizer, messages, for_answer=True)
            ids: list[int] = self.model.tokenizer.encode(text, add_special_tokens=False)
        return tuple(ids)

    def decode(self, tokens: list[int]) -> str:
        """Return the text of `tokens`, without special tokens."""
        return self._source.decode(tokens)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token, which may be a part of a character."""
        return self.grammars.token_bytes(token)

    def submit(self, request: Request) -> Future[Completion]:
        """Queue a request. A cancelled future leaves its batch. The future raises what goes wrong."""
        job = Job(self._source, request)
        self._worker.submit(job)
        return job.future

    def close(self) -> None:
        """End unfinished requests by CancelledError, and give the weights back. The last engine of a base stops it."""
        if self._source.closed:
            return
        self._source.closed = True
        _leave_worker(self.model, self._worker)
        self.model.close()
        atexit.unregister(self.close)


_engines: dict[tuple[str, Placement], tuple[float, Engine]] = {}
_engines_lock = threading.Lock()
_workers: dict[int, Worker] = {}
_workers_lock = threading.Lock()


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
        engine = Engine(LanguageModel(open_weights(name, placement), cache_budget(placement)))
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


def _join_worker(model: LanguageModel) -> Worker:
    with _workers_lock:
        if id(model.weights.base) not in _workers:
            _workers[id(model.weights.base)] = Worker(model.placement)
        worker = _workers[id(model.weights.base)]
        worker.users += 1
        return worker


def _leave_worker(model: LanguageModel, worker: Worker) -> None:
    with _workers_lock:
        worker.users -= 1
        if worker.users:
            worker.settle()  # a recorded step has the addresses of the weights, which are free after this
            return
        del _workers[id(model.weights.base)]
    worker.close()

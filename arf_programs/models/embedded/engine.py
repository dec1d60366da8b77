"""The engines of embedded models: what a process asks, one for each model. Models on one base share its weights.

A thread for each device and precision answers all requests in batches. A batch is of one model. A base and the adapters
on it are different models, so requests to one of them wait while a batch of another is written.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from dataclasses import dataclass, field
from functools import cache

import torch

from arf_programs.models.embedded.base import Weights, open_weights, weights_stamp
from arf_programs.models.embedded.decode import Batch, LanguageModel
from arf_programs.models.embedded.memory import PrefixCache, most_rows, most_slots, prefix_cache
from arf_programs.models.embedded.row import Completion, Request, Row, advance_rows
from arf_programs.models.local.chat_template import render_text
from arf_programs.models.local.placement import AUTO, Placement, describe_placement, find_placement

_GATHER_PAUSE = 0.01  # seconds without a new request after which a batch begins
_GATHER_LIMIT = 0.05  # seconds that the first request of a batch waits, at most
_LONGEST_STEP = 10  # seconds that the closing of a model waits for the present step


@dataclass(eq=False)
class Job:
    """A request to a model, and its future. `turn` is the number of the turn in which it takes part."""

    model: LanguageModel
    request: Request
    future: Future[Completion] = field(default_factory=Future)
    turn: int = 0

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for the answer."""
        return self.future.done() or self.model.closed

    def finish(self, result: Completion | BaseException) -> None:
        """Deliver the answer, or the error."""
        try:
            if isinstance(result, BaseException):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)
        except InvalidStateError:
            # The caller has cancelled meanwhile.
            return


@dataclass(eq=False)
class _Active:
    job: Job
    row: Row
    state: torch.Tensor | None

    @property
    def over(self) -> bool:
        return self.row.finish_reason is not None or self.job.given_up


class Worker:
    """Generates for many callers at once, as long as the process runs. Its methods may be called from any thread."""

    def __init__(self, placement: Placement) -> None:
        self._placement, self._rows = placement, most_rows(placement)
        self._queue: queue.SimpleQueue[Job | Future[None]] = queue.SimpleQueue()
        self._waiting: list[Job] = []
        self._closing: list[Future[None]] = []
        self._active: list[_Active] = []
        self._model: LanguageModel | None = None
        self._turn = 0
        # A daemon thread, so the process ends without waiting for it.
        threading.Thread(target=self._work, name="arf-embedded", daemon=True).start()

    def submit(self, model: LanguageModel, request: Request) -> Future[Completion]:
        """Queue a request. A cancelled future leaves its batch. The future raises what goes wrong."""
        job = Job(model, request)
        self._queue.put(job)
        return job.future

    def close(self, model: LanguageModel) -> None:
        """End the requests to a model by CancelledError. After that, nothing uses its weights."""
        model.closed = True
        closed: Future[None] = Future()
        self._queue.put(closed)
        wait([closed], timeout=_LONGEST_STEP)

    def _work(self) -> None:
        while True:
            self._gather()
            try:
                self._generate()
            except Exception as error:  # any error goes to the waiting callers
                self._fail(error)
            self._model = None
            self._report_closed()

    def _fail(self, error: Exception) -> None:
        for job in [active.job for active in self._active] + self._waiting:
            job.finish(error)
        self._active, self._waiting = [], []

    def _gather(self) -> None:
        """Wait for a request, and then a moment for more requests."""
        self._take(self._queue.get())
        deadline = time.monotonic() + _GATHER_LIMIT
        while len(self._waiting) < self._rows and not self._closing:
            try:
                self._take(self._queue.get(timeout=min(_GATHER_PAUSE, max(0.0, deadline - time.monotonic()))))
            except queue.Empty:
                return

    def _gather_now(self) -> None:
        while not self._queue.empty():
            self._take(self._queue.get())

    def _take(self, item: Job | Future[None]) -> None:
        if isinstance(item, Job):
            self._waiting.append(item)
        else:
            self._closing.append(item)

    def _generate(self) -> None:
        """Admit requests, write tokens and deliver results until no request is left. Rebuild the batch when it pays."""
        batch: Batch | None = None
        while self._waiting or self._active:
            self._drop_closed()
            if batch is None or self._should_rebuild(batch):
                self._keep_states(batch)
                batch = None
                self._admit()
                batch = self._build()
            self._report_closed()
            if batch is not None:
                batch.step()
                self._deliver()
            self._gather_now()

    def _drop_closed(self) -> None:
        for job in [active.job for active in self._active] + self._waiting:
            if job.model.closed:
                job.finish(CancelledError("The embedded engine was closed."))
        self._waiting = [job for job in self._waiting if not job.model.closed]

    def _report_closed(self) -> None:
        for closed in self._closing:
            closed.set_result(None)
        self._closing = []

    def _deliver(self) -> None:
        for active in self._active:
            if active.row.finish_reason is not None and not active.job.future.done():
                active.job.finish(active.row.completion())

    def _should_rebuild(self, batch: Batch) -> bool:
        """Return whether a rebuild frees or fills a quarter of the rows. It copies all keys and values."""
        rows = len(self._active)
        over = sum(active.over for active in self._active)
        new = min(len(self._admissible()), self._rows - rows + over)
        return batch.full or over == rows or 4 * over >= rows or 4 * new >= rows

    def _keep_states(self, batch: Batch | None) -> None:
        if batch is not None:
            for index, active in enumerate(self._active):
                active.state = None if active.over else batch.state(index)
        self._active = [active for active in self._active if not active.over]

    def _build(self) -> Batch | None:
        if not self._active:
            return None
        states = [active.state for active in self._active if active.state is not None]
        for active in self._active:
            active.state = None
        return Batch(self._active[0].job.model, [active.row for active in self._active], states)

    def _take_turns(self) -> None:
        """When no row is at work, go on with the model that has waited longest, and with all that wait for it now."""
        if self._active or not self._waiting:
            return
        self._model = self._waiting[0].model
        self._turn += 1
        for job in self._waiting:
            if job.model is self._model:
                job.turn = self._turn

    def _admissible(self) -> list[Job]:
        """Return who may join the batch: requests to its model, and only those of its turn if another model waits."""
        own = [job for job in self._waiting if job.model is self._model]
        return own if len(own) == len(self._waiting) else [job for job in own if job.turn == self._turn]

    def _admit(self) -> None:
        """Read the prompts of waiting requests in sorted order: those with the same beginning are neighbours."""
        self._take_turns()
        jobs = sorted(self._admissible(), key=lambda job: job.request.prompt)
        longest = max((active.state.shape[-2] for active in self._active if active.state is not None), default=0)
        slots = most_slots(self._placement, jobs[0].model.shape) if jobs else 0
        for job in jobs:
            longest = max(longest, len(job.request.prompt))
            full = len(self._active) >= self._rows or (self._active and longest * (len(self._active) + 1) > slots)
            if full:
                return
            self._waiting.remove(job)
            if not job.future.cancelled():
                self._read(job)

    def _read(self, job: Job) -> None:
        model = job.model
        try:
            row = Row(job.request, model.grammars, model.eos, model.decode)
            state, logits = model.read(row, lambda: job.given_up)
            advance_rows([(row, logits)])
        except Exception as error:  # one bad request must not fail the others
            job.finish(error)
            return
        if row.finish_reason is not None:
            job.finish(row.completion())
        else:
            self._active.append(_Active(job, row, state))


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
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@cache
def _worker(placement: Placement) -> Worker:
    return Worker(placement)

"""The engine of an embedded model: a queue of requests, and the thread that answers them in batches."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from concurrent.futures import CancelledError, Future, InvalidStateError
from dataclasses import dataclass, field
from pathlib import Path

import torch

from arf_programs.models.chat_template import render_text
from arf_programs.models.embedded.decode import Batch, LanguageModel
from arf_programs.models.embedded.grammar import Grammars
from arf_programs.models.embedded.row import Completion, Request, Row
from arf_programs.models.weights import resolve_weights

MAX_ROWS = 32
CACHE_BYTES = 2 * 2**30  # for keys and values of recent prompts: 46,000 tokens of a 135M model
_GATHER_PAUSE = 0.01  # seconds without a new request after which a batch begins
_GATHER_LIMIT = 0.05  # seconds that the first request of a batch waits, at most
_MAX_SLOTS = 48_000  # rows times tokens of a batch; this limits its memory


@dataclass(eq=False)
class _Job:
    request: Request
    future: Future[Completion] = field(default_factory=Future)

    def finish(self, result: Completion | BaseException) -> None:
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
    job: _Job
    row: Row
    state: torch.Tensor | None

    @property
    def over(self) -> bool:
        return self.row.finish_reason is not None or self.job.future.done()


class Engine:
    """Generates for many callers at once with one model. `submit` may be called from any thread."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        tokenizer = model.tokenizer
        self.grammars = Grammars(tokenizer, model.vocabulary, min(model.eos, default=0))
        self._tokenizer_lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: list[_Job] = []
        self._active: list[_Active] = []
        self._stopping = threading.Event()
        # A daemon thread: a process that does not close its engine still ends.
        self._thread = threading.Thread(target=self._work, name="arf-embedded", daemon=True)
        self._thread.start()
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
        tokenizer = self.model.tokenizer
        return str(tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token, which may be a part of a character."""
        return self.grammars.token_bytes(token)

    def submit(self, request: Request) -> Future[Completion]:
        """Queue a request. A cancelled future leaves its batch. The future raises what goes wrong."""
        job = _Job(request)
        self._queue.put(job)
        return job.future

    def close(self) -> None:
        """Stop the thread after the present step. Unfinished requests raise CancelledError."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(timeout=10)
        atexit.unregister(self.close)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._gather()
            try:
                self._generate()
            except Exception as error:  # any error goes to the waiting callers
                self._fail(error)
        self._gather_now()
        self._fail(CancelledError("The embedded engine was closed."))

    def _fail(self, error: BaseException) -> None:
        for job in [active.job for active in self._active] + self._waiting:
            job.finish(error)
        self._active, self._waiting = [], []

    def _gather(self) -> None:
        """Wait for a request, and then a moment for more requests."""
        job = self._queue.get()
        deadline = time.monotonic() + _GATHER_LIMIT
        while job is not None:
            self._waiting.append(job)
            if len(self._waiting) >= MAX_ROWS:
                return
            try:
                job = self._queue.get(timeout=min(_GATHER_PAUSE, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                return

    def _gather_now(self) -> None:
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                self._waiting.append(job)

    def _generate(self) -> None:
        """Admit requests, write tokens and deliver results until no request is left. Rebuild the batch when it pays."""
        batch: Batch | None = None
        while (self._waiting or self._active) and not self._stopping.is_set():
            if batch is None or self._should_rebuild(batch):
                self._keep_states(batch)
                del batch
                self._admit()
                batch = self._build()
            if batch is not None:
                batch.step()
                self._deliver()
            self._gather_now()

    def _deliver(self) -> None:
        for active in self._active:
            if active.row.finish_reason is not None and not active.job.future.done():
                active.job.finish(active.row.completion())

    def _should_rebuild(self, batch: Batch) -> bool:
        """Return whether a rebuild frees or fills a quarter of the rows. It copies all keys and values."""
        rows = len(self._active)
        over = sum(active.over for active in self._active)
        new = min(len(self._waiting), MAX_ROWS - rows + over)
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
        return Batch(self.model, [active.row for active in self._active], states)

    def _admit(self) -> None:
        """Read the prompts of waiting requests in sorted order: those with the same beginning are neighbours."""
        self._waiting.sort(key=lambda job: job.request.prompt)
        longest = max((active.state.shape[-2] for active in self._active if active.state is not None), default=0)
        while self._waiting and len(self._active) < MAX_ROWS and not self._stopping.is_set():
            longest = max(longest, len(self._waiting[0].request.prompt))
            if self._active and longest * (len(self._active) + 1) > _MAX_SLOTS:
                return
            job = self._waiting.pop(0)
            if not job.future.cancelled():
                self._read(job)

    def _read(self, job: _Job) -> None:
        try:
            row = Row(job.request, self.grammars, self.model.eos, self.decode)
            state, logits = self.model.read(row, lambda: job.future.cancelled() or self._stopping.is_set())
            row.advance(logits)
        except Exception as error:  # one bad request must not fail the others
            job.finish(error)
            return
        if row.finish_reason is not None:
            job.finish(row.completion())
        else:
            self._active.append(_Active(job, row, state))


_engines: dict[str, tuple[float, Engine]] = {}
_engines_lock = threading.Lock()


def get_engine(name: str) -> Engine:
    """Return the process's engine of a model. It is loaded at the first call, and again after its weights change.

    Raises what `load_model` raises.
    """
    with _engines_lock:
        stamp = _weights_stamp(name)
        loaded = _engines.get(name)
        if loaded is not None and loaded[0] == stamp:
            return loaded[1]
        if loaded is not None:
            loaded[1].close()
        engine = Engine(LanguageModel(name, CACHE_BYTES))
        _engines[name] = (stamp, engine)
        return engine


def _weights_stamp(name: str) -> float:
    weights = resolve_weights(name)
    files = list(weights.glob("*.safetensors")) if isinstance(weights, Path) else []
    return max((file.stat().st_mtime for file in files), default=0.0)

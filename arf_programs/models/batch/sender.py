"""Send the calls of models with `mode: batch` in batches.

For a program a call looks like a live one that takes longer. Calls that follow each other go in waves: when each row
waits for one call, these calls become the next batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from arf_programs.config import BatchConfig, ModelConfig
from arf_programs.models.answers.store import Question
from arf_programs.models.batch.client import ENDED, BatchClient, failure_of, is_transient
from arf_programs.models.batch.lines import (
    BatchJournal,
    Body,
    Job,
    Outcome,
    as_litellm,
    chunk,
    error_of,
    key_of_line,
    line_of,
    response_of,
)
from arf_programs.models.calls.lm import read_key
from arf_programs.models.calls.sender import endpoint_name
from arf_programs.models.calls.session import Sender
from arf_programs.models.providers.addresses import api_base_for_batches, key_instead_of_openais
from arf_programs.runs import RunFolder

_MEGABYTE = 1_000_000
_PATIENCE = 20  # look-ups of a batch that may fail in a row before its calls fail
_FULL = "token_limit_exceeded"  # OpenAI's code for too many tokens in unfinished batches


@dataclass(eq=False)
class _Call:
    """A call without an answer yet. Several `waiters` may wait for the same answer."""

    key: str
    line: bytes
    answer: asyncio.Future[Body]
    waiters: int = 0


@dataclass(eq=False)
class BatchSender:
    """Sends the calls of one model at one endpoint in batches, within one event loop at a time.

    A failed call is not tried again here; the caller does that.
    """

    client: BatchClient
    journal: BatchJournal
    settings: BatchConfig = field(default_factory=BatchConfig)
    _calls: dict[str, _Call] = field(default_factory=dict, init=False)
    _queue: dict[str, _Call] = field(default_factory=dict, init=False)
    _jobs: dict[asyncio.Task[None], str] = field(default_factory=dict, init=False)
    _gatherer: asyncio.Task[None] | None = field(default=None, init=False)
    _arrival: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _max_jobs: int = field(default=0, init=False)  # 0: as many as the settings allow

    async def send(self, request: Mapping[str, Any], key: str | None = None, anew: bool = False) -> Any:
        """Send the arguments of `litellm.acompletion`, and return its ModelResponse.

        Raises LiteLLM's errors, like a live call.

        Args:
            request: the arguments.
            key: names the call, also in the journal of a killed run. Calls of the same key share an answer. None takes
                the SHA-256 of endpoint and body.
            anew: whether the answer of a done job does not count.
        """
        body = self.client.body_of(request)
        key = key or key_of_line(self.client.api_base, body)
        call = self._calls.get(key) or self._add(key, body, anew)
        call.waiters += 1
        try:
            answer = await asyncio.shield(call.answer)
        finally:
            call.waiters -= 1
            if not call.waiters:
                self._forget(call)
        return response_of(answer, self.client.model, self.settings.discount)

    def _add(self, key: str, body: Body, anew: bool) -> _Call:
        """Add a call: it is answered by its job if the journal has one, else queued."""
        call = _Call(key, line_of(key, body), asyncio.get_running_loop().create_future())
        self._calls[key] = call
        job = self.journal.job_of(key, self.client.model, self.client.api_base)
        if job is None:
            self._enqueue(call)
        elif job.state != "done":
            self._start(job.file_id, self._follow(job, may_exist=True))
        elif not anew and (answer := self.journal.outcome(job, key).answer) is not None:
            call.answer.set_result(answer)
        else:
            self._enqueue(call)
        return call

    def _forget(self, call: _Call) -> None:
        """Drop a call that has no waiters left."""
        for calls in (self._calls, self._queue):
            if calls.get(call.key) is call:
                del calls[call.key]
        if call.answer.done() and not call.answer.cancelled():
            call.answer.exception()  # read here, or asyncio would warn that nobody did

    def _enqueue(self, call: _Call) -> None:
        self._queue[call.key] = call
        if self._gatherer is None or self._gatherer.done():
            self._arrival = asyncio.Event()
            self._gatherer = asyncio.create_task(self._gather())
        self._arrival.set()

    async def _gather(self) -> None:
        """Make batches of the queued calls until the queue is empty."""
        while self._queue:
            await self._wait_for_calls()
            await self._wait_for_jobs()
            self._send_chunk()

    async def _wait_for_calls(self) -> None:
        """Wait until the queue fills a batch, or no call has come for `settings.quiet` seconds."""
        while 0 < len(self._queue) < self.settings.max_requests:
            self._arrival.clear()
            try:
                await asyncio.wait_for(self._arrival.wait(), self.settings.quiet)
            except TimeoutError:
                return

    async def _wait_for_jobs(self) -> None:
        while len(self._jobs) >= (self._max_jobs or self.settings.max_batches):
            await asyncio.wait(tuple(self._jobs), return_when=asyncio.FIRST_COMPLETED)

    def _send_chunk(self) -> None:
        sizes = ((key, len(call.line)) for key, call in self._queue.items())
        keys = list(chunk(sizes, self.settings.max_requests, self.settings.max_megabytes * _MEGABYTE))
        if keys:
            calls = [self._queue.pop(key) for key in keys]
            self._start(keys[0], self._submit(calls))

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a job, unless one of the same name is running."""
        if any(other == name and not task.done() for task, other in self._jobs.items()):
            work.close()
            return
        task = asyncio.create_task(work)
        self._jobs[task] = name
        task.add_done_callback(self._jobs.pop)

    async def _submit(self, calls: list[_Call]) -> None:
        """Upload calls as a file, record it, and follow the job to its end."""
        try:
            file_id = await self.client.upload([call.line for call in calls])
        except Exception as error:  # any error goes to the waiters
            self._fail([call.key for call in calls], error)
            return
        keys = tuple(call.key for call in calls)
        job = self.journal.record_upload(file_id, self.client.model, self.client.api_base, keys)
        self._jobs[asyncio.current_task()] = file_id  # type: ignore[index] # a task runs this
        await self._follow(job, may_exist=False)

    async def _follow(self, job: Job, *, may_exist: bool) -> None:
        """Follow an uploaded or submitted job until its calls are answered."""
        try:
            if job.state == "uploaded":
                job = self.journal.record_submission(job, await self.client.submit(job.file_id, may_exist=may_exist))
            ended = await self._wait_for_end(job)
            if ended is None:
                return
            batch, results = ended
            if batch.status == "failed":
                await self._handle_refusal(job, batch)
                return
            job = self.journal.record_results(job, results)
        except Exception as error:  # any error goes to the waiters
            if getattr(error, "status_code", None) == 404:
                self.journal.record_loss(job)
                message = "the provider no longer has the batch or its files"
                self._settle_all(job, Outcome(status=408, message=message))
            else:
                self._fail(job.keys, error)
            return
        for key in job.keys:
            if key in self._calls:
                self._settle(self._calls[key], self.journal.outcome(job, key))

    async def _wait_for_end(self, job: Job) -> tuple[Any, bytes] | None:
        """Return the batch and its results when it has ended; None as soon as no caller waits for its calls."""
        failures = 0
        while any(key in self._calls for key in job.keys):
            try:
                batch = await self.client.retrieve(job.batch_id)
                if batch.status in ENDED:
                    return batch, await self.client.download(batch)
                failures = 0
            except Exception as error:
                failures += 1
                if failures > _PATIENCE or not is_transient(error):
                    raise
            await asyncio.sleep(self.settings.poll)
        return None

    def _settle(self, call: _Call, outcome: Outcome) -> None:
        if call.answer.done():
            return
        if outcome.answer is not None:
            call.answer.set_result(outcome.answer)
        else:
            call.answer.set_exception(error_of(outcome, self.client.model, self.client.provider))

    async def _handle_refusal(self, job: Job, batch: Any) -> None:
        """Send a refused batch again when other batches have ended, if it was one too many; else fail its calls."""
        code, message = failure_of(batch)
        self.journal.record_loss(job)
        if code != _FULL:
            self._settle_all(job, Outcome(status=400, message=f"{code}: {message}"))
        elif others := len(self._jobs) - 1:
            self._max_jobs = others
            for key in job.keys:
                if key in self._calls:
                    self._enqueue(self._calls[key])
        else:
            await asyncio.sleep(self.settings.poll)
            self._settle_all(job, Outcome(status=429, message=f"{code}: {message}"))

    def _settle_all(self, job: Job, outcome: Outcome) -> None:
        for key in job.keys:
            if key in self._calls:
                self._settle(self._calls[key], outcome)

    def _fail(self, keys: list[str] | tuple[str, ...], error: Exception) -> None:
        for key in keys:
            call = self._calls.get(key)
            if call is not None and not call.answer.done():
                call.answer.set_exception(as_litellm(error, self.client.model, self.client.provider))


@contextmanager
def batch_senders(models: Iterable[ModelConfig], folder: RunFolder) -> Iterator[dict[str, Sender]]:
    """Open a sender for each endpoint in batch mode, by the endpoint's name. They share the run's journal.

    Raises ConfigError for a provider without a supported batch API, or if a key is not set.
    """
    batched = {endpoint_name(model.model, model.api_base): model for model in models if model.mode == "batch"}
    if not batched:
        yield {}
        return
    journal = BatchJournal(folder.batches)
    try:
        yield {name: _by_question(_sender(model, journal)) for name, model in batched.items()}
    finally:
        journal.close()


def _sender(model: ModelConfig, journal: BatchJournal) -> BatchSender:
    key = read_key(model) if model.api_key_env else key_instead_of_openais(model)
    client = BatchClient(model.model, api_base=api_base_for_batches(model), api_key=key)
    return BatchSender(client, journal, settings=model.batch)


def _by_question(sender: BatchSender) -> Sender:
    async def send(question: Question, anew: bool) -> Any:
        return await sender.send(question.request, question.key, anew)

    return send

"""Batch mode: the calls of all rows are gathered, sent as jobs of the provider's batch API, and answered from those.

To a program nothing differs from a live call, but that the answer takes longer. Chained calls go as waves: while one
call of each row waits, the rows come to rest, and what they wait for becomes the next batch.


The senders of the models whose configuration says `mode: batch`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from arf_programs.config import BatchConfig, ModelConfig
from arf_programs.models.batch.client import ENDED, BatchClient, is_transient, why_failed
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
from arf_programs.models.context import Sender
from arf_programs.models.engine import endpoint_name
from arf_programs.models.lm import key_of
from arf_programs.models.store import Question
from arf_programs.runs import RunFolder

_MEGABYTE = 1_000_000
_PATIENCE = 20
"""Looks at a batch that may fail one after another before its calls do."""
_FULL = "token_limit_exceeded"
"""OpenAI's code where too many tokens are under way in batches."""


@dataclass(eq=False)
class _Call:
    """A call that is waited for; `waiters` may be several, for one answer."""

    key: str
    line: bytes
    answer: asyncio.Future[Body]
    waiters: int = 0


@dataclass(eq=False)
class BatchSender:
    """Sends calls of one model at one endpoint in batches. Used within one event loop at a time.

    `in_flight` tells how many rows are being worked on: when as many calls wait, no further one can come, and the
    batch is sent without waiting out `settings.quiet`. A call that fails is not tried again here, but by who sends it.
    """

    client: BatchClient
    journal: BatchJournal
    settings: BatchConfig = field(default_factory=BatchConfig)
    in_flight: Callable[[], int] | None = None
    _calls: dict[str, _Call] = field(default_factory=dict, init=False)
    _queue: dict[str, _Call] = field(default_factory=dict, init=False)
    _jobs: dict[asyncio.Task[None], str] = field(default_factory=dict, init=False)
    _gatherer: asyncio.Task[None] | None = field(default=None, init=False)
    _arrival: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _most: int = field(default=0, init=False)

    async def send(self, request: Mapping[str, Any], key: str | None = None, anew: bool = False) -> Any:
        """The ModelResponse to what `litellm.acompletion` would be called with.

        `key` tells calls apart, also in the journal of a killed run, and must determine the answer; by default it is
        the SHA-256 of endpoint and body.

        `anew` asks for another answer than that of a job that is done. Raises LiteLLM's errors, as a live call does.
        """
        body = self.client.body_of(request)
        key = key or key_of_line(self.client.api_base, body)
        call = self._calls.get(key) or self._enter(key, body, anew)
        call.waiters += 1
        try:
            answer = await asyncio.shield(call.answer)
        finally:
            call.waiters -= 1
            if not call.waiters:
                self._forget(call)
        return response_of(answer, self.client.model, self.settings.discount)

    def _enter(self, key: str, body: Body, anew: bool) -> _Call:
        """A new call: answered by a job of the journal if it is in one, else queued."""
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
        """Nobody waits for it any longer."""
        for calls in (self._calls, self._queue):
            if calls.get(call.key) is call:
                del calls[call.key]
        if call.answer.done() and not call.answer.cancelled():
            call.answer.exception()  # seen, so that asyncio does not warn of it

    def _enqueue(self, call: _Call) -> None:
        self._queue[call.key] = call
        if self._gatherer is None or self._gatherer.done():
            self._arrival = asyncio.Event()
            self._gatherer = asyncio.create_task(self._gather())
        self._arrival.set()

    async def _gather(self) -> None:
        """Make batches of what is queued, until nothing is."""
        while self._queue:
            await self._until_complete()
            await self._until_there_is_room()
            self._send_chunk()

    async def _until_complete(self) -> None:
        """Until the queue fills a batch, or nothing has come for a while: a short one if all rows wait."""
        while 0 < len(self._queue) < self.settings.max_requests:
            self._arrival.clear()
            all_wait = self.in_flight is not None and len(self._calls) >= self.in_flight()
            try:
                # Also when all rows wait a moment is given: more of them may be about to start.
                await asyncio.wait_for(self._arrival.wait(), self.settings.quiet / (10 if all_wait else 1))
            except TimeoutError:
                return

    async def _until_there_is_room(self) -> None:
        while len(self._jobs) >= (self._most or self.settings.max_batches):
            await asyncio.wait(tuple(self._jobs), return_when=asyncio.FIRST_COMPLETED)

    def _send_chunk(self) -> None:
        sizes = ((key, len(call.line)) for key, call in self._queue.items())
        keys = list(chunk(sizes, self.settings.max_requests, self.settings.max_megabytes * _MEGABYTE))
        if keys:
            calls = [self._queue.pop(key) for key in keys]
            self._start(keys[0], self._submit(calls))

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin a job, unless one of its name is under way."""
        if any(other == name and not task.done() for task, other in self._jobs.items()):
            work.close()
            return
        task = asyncio.create_task(work)
        self._jobs[task] = name
        task.add_done_callback(self._jobs.pop)

    async def _submit(self, calls: list[_Call]) -> None:
        """Upload calls as a file, note it, and see the job through."""
        try:
            file_id = await self.client.upload([call.line for call in calls])
        except Exception as error:  # whatever it is, those who wait have to hear of it
            self._fail([call.key for call in calls], error)
            return
        keys = tuple(call.key for call in calls)
        job = self.journal.uploaded(file_id, self.client.model, self.client.api_base, keys)
        self._jobs[asyncio.current_task()] = file_id  # type: ignore[index] # a task runs this
        await self._follow(job, may_exist=False)

    async def _follow(self, job: Job, *, may_exist: bool) -> None:
        """See an uploaded or submitted job through to the answers of its calls."""
        try:
            if job.state == "uploaded":
                job = self.journal.submitted(job, await self.client.submit(job.file_id, may_exist=may_exist))
            ended = await self._ended(job)
            if ended is None:
                return
            batch, results = ended
            if batch.status == "failed":
                await self._refused(job, batch)
                return
            job = self.journal.done(job, results)
        except Exception as error:  # whatever it is, those who wait have to hear of it
            if getattr(error, "status_code", None) == 404:
                self._lost(job, "the provider no longer knows the batch or its files")
            else:
                self._fail(job.keys, error)
            return
        self._settle(job)

    async def _ended(self, job: Job) -> tuple[Any, bytes] | None:
        """The batch and its results when it has ended; None as soon as nobody waits for any of its calls."""
        failures = 0
        while any(key in self._calls for key in job.keys):
            try:
                batch = await self.client.look(job.batch_id)
                if batch.status in ENDED:
                    return batch, await self.client.results(batch)
                failures = 0
            except Exception as error:
                failures += 1
                if failures > _PATIENCE or not is_transient(error):
                    raise
            await asyncio.sleep(self.settings.poll)
        return None

    def _settle(self, job: Job) -> None:
        """Answer the calls of a done job."""
        for key in job.keys:
            if key in self._calls:
                self._take(self._calls[key], self.journal.outcome(job, key))

    def _take(self, call: _Call, outcome: Outcome) -> None:
        if call.answer.done():
            return
        if outcome.answer is not None:
            call.answer.set_result(outcome.answer)
        else:
            call.answer.set_exception(error_of(outcome, self.client.model, self.client.provider))

    async def _refused(self, job: Job, batch: Any) -> None:
        """A batch that failed validation: sent again when others have made room, if that is what it lacked."""
        code, message = why_failed(batch)
        self.journal.lost(job)
        if code != _FULL:
            self._take_all(job, Outcome(status=400, message=f"{code}: {message}"))
        elif others := len(self._jobs) - 1:
            self._most = others
            for key in job.keys:
                if key in self._calls:
                    self._enqueue(self._calls[key])
        else:
            await asyncio.sleep(self.settings.poll)
            self._take_all(job, Outcome(status=429, message=f"{code}: {message}"))

    def _lost(self, job: Job, reason: str) -> None:
        self.journal.lost(job)
        self._take_all(job, Outcome(status=408, message=reason))

    def _take_all(self, job: Job, outcome: Outcome) -> None:
        for key in job.keys:
            if key in self._calls:
                self._take(self._calls[key], outcome)

    def _fail(self, keys: list[str] | tuple[str, ...], error: Exception) -> None:
        for key in keys:
            call = self._calls.get(key)
            if call is not None and not call.answer.done():
                call.answer.set_exception(as_litellm(error, self.client.model, self.client.provider))


@contextmanager
def batch_senders(models: Iterable[ModelConfig], folder: RunFolder) -> Iterator[dict[str, Sender]]:
    """A sender for each endpoint in batch mode, by the endpoint's name; they share the run's journal of jobs.

    Raises ConfigError for a provider whose batch API is not known, or a key that is not set.
    """
    wanted = {endpoint_name(model.model, model.api_base): model for model in models if model.mode == "batch"}
    if not wanted:
        yield {}
        return
    journal = BatchJournal(folder.batches)
    try:
        yield {name: _by_question(_sender(model, journal)) for name, model in wanted.items()}
    finally:
        journal.close()


def _sender(model: ModelConfig, journal: BatchJournal) -> BatchSender:
    key = key_of(model) if model.api_key_env else None
    client = BatchClient(model.model, api_base=model.api_base, api_key=key)
    return BatchSender(client, journal, settings=model.batch)


def _by_question(sender: BatchSender) -> Sender:
    async def send(question: Question, anew: bool) -> Any:
        return await sender.send(question.request, question.key, anew)

    return send

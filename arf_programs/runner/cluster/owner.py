"""The owner of a run's answers, ledger and budget on Ray: an actor on the machine where the run started.

The locks of SQLite do not work across machines, and the machine of a worker may stop at any moment. So a worker asks
the owner before each call, and the owner stores an answer before the worker uses it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from arf_programs.config import mask
from arf_programs.models import AnswerFiles, Body, BudgetSpent, Need, Question
from arf_programs.runner.context import budget_of
from arf_programs.runner.steps import Step
from arf_programs.runner.workers import PortableRun
from arf_programs.runs import Call, Run


@dataclass(frozen=True)
class LookUp:
    """Asks for the stored answer of a key, which is booked as `replay`. With `anew` a stored answer is not used.

    If there is none, the worker calls the model, and then sends `StoreAnswer` or `Leave`. It waits while another worker
    calls the model for the same key.
    """

    key: str
    replay: Call
    anew: bool


@dataclass(frozen=True)
class Spend:
    """Asks to send a call. The reply has the reason if it may not be sent, or the worker waits for other calls."""

    need: Need


@dataclass(frozen=True)
class GiveBack:
    """Says that a call brought no answer. What was reserved for it is free again, and the try is booked as `lost`."""

    need: Need
    lost: Call | None


@dataclass(frozen=True)
class StoreAnswer:
    """Brings the answer to store under `key`, and the call to book."""

    key: str
    answer: str
    call: Call
    need: Need


@dataclass(frozen=True)
class Leave:
    """Says that the worker does not ask for `key` any more."""

    key: str


Message = LookUp | Spend | GiveBack | StoreAnswer | Leave


@dataclass(frozen=True)
class Reply:
    """A stored answer, or the reason to send no call, as `text`. With `wait` the worker asks again later."""

    text: str | None = None
    wait: bool = False


@dataclass(frozen=True)
class OwnerStatus:
    """The US dollars spent so far, the calls under way, and new messages for the user."""

    usd: float
    in_flight: int
    messages: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """The steps of a run. Each step has a pool of actors, and `rows_in_flight` is for all actors of a step."""

    run: PortableRun
    steps: Sequence[Step[Any, Any]]
    rows_in_flight: Sequence[int]

    @classmethod
    def of(cls, run: Run, steps: Sequence[Step[Any, Any]]) -> Job:
        return cls(PortableRun.of(run), steps, [step.slots(run) for step in steps])

    @property
    def actors(self) -> int:
        """The number of actors of all steps, which share the endpoints."""
        return self.run.config.ray.workers * len(self.steps)

    def slots(self, step: int) -> int:
        """Count the rows in flight in one actor of a step."""
        return max(1, self.rows_in_flight[step] // self.run.config.ray.workers)


_HEARTBEAT = 1.0  # seconds after which a worker without messages shows that it is alive
_GONE_AFTER = 10.0  # seconds without a message after which a worker counts as gone
_ASK_AGAIN = 0.05  # seconds
_STOPPED = "the run has stopped for another row"
_GO_ON = Reply()
_WAIT = Reply(wait=True)


@dataclass
class _Worker:
    """The time of a worker's last message, what is reserved for its calls under way, and the keys that it asks for."""

    seen: float = 0.0
    holds: list[Need] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


class Owner:
    """Keeps answers, ledger and budget for all workers. Ray calls its methods one at a time."""

    def __init__(self, job: Job) -> None:
        self._messages: list[str] = []
        run = job.run.open(self._messages.append)
        self._budget = budget_of(run)
        self._before = self._budget.usd
        self._files = AnswerFiles(run.calls, run.folder.ledger)
        self._workers: dict[str, _Worker] = {}
        self._asked: set[str] = set()
        self._stopped = False

    def handle_messages(self, name: str, messages: Sequence[Message]) -> list[Reply]:
        """Handle the messages of a worker in order. A worker also calls without messages, to show that it is alive."""
        self._release_gone()
        worker = self._workers.setdefault(name, _Worker())
        worker.seen = time.monotonic()
        return [self._reply(worker, message) for message in messages]

    def say(self, text: str) -> None:
        """Keep a message for the user until the next `status`."""
        self._messages.append(text)

    def status(self) -> OwnerStatus:
        """Return the status, with the messages since the last call."""
        self._release_gone()
        messages = tuple(self._messages)
        self._messages.clear()
        in_flight = sum(len(worker.holds) for worker in self._workers.values())
        return OwnerStatus(self._budget.usd - self._before, in_flight, messages)

    def stop(self) -> None:
        """Let no further call be sent. Calls under way end as usual."""
        self._stopped = True

    def close(self) -> None:
        self._files.close()

    def _reply(self, worker: _Worker, message: Message) -> Reply:
        match message:
            case LookUp():
                return self._look_up(worker, message)
            case Spend(need):
                return self._spend(worker, need)
            case GiveBack(need, lost):
                self._release(worker, need, tokens=lost.tokens if lost else 0.0, usd=lost.usd if lost else 0.0)
                if lost is not None:
                    self._files.book(lost)
            case StoreAnswer(key, answer, call, need):
                self._files.keep(key, answer)
                self._files.book(call)
                self._release(worker, need, tokens=call.tokens, usd=call.usd)
                self._leave(worker, key)
            case Leave(key):
                self._leave(worker, key)
        return _GO_ON

    def _look_up(self, worker: _Worker, message: LookUp) -> Reply:
        if message.key in self._asked:
            return _WAIT
        stored = None if message.anew else self._files.find(message.key)
        if stored is not None:
            self._budget.replay()
            self._files.book(message.replay)
            return Reply(stored)
        self._asked.add(message.key)
        worker.keys.add(message.key)
        return _GO_ON

    def _spend(self, worker: _Worker, need: Need) -> Reply:
        if self._stopped:
            return Reply(_STOPPED)
        try:
            self._budget.spend(need)
        except BudgetSpent as spent:
            return _WAIT if self._budget.is_held else Reply(str(spent))
        worker.holds.append(need)
        return _GO_ON

    def _release(self, worker: _Worker, need: Need, *, tokens: float = 0.0, usd: float = 0.0) -> None:
        if need in worker.holds:
            worker.holds.remove(need)
            self._budget.settle(need, tokens=tokens, usd=usd)
        else:  # the worker counted as gone, so what it held is free already
            self._budget.book_before(calls=0, tokens=tokens, usd=usd)

    def _leave(self, worker: _Worker, key: str) -> None:
        if key in worker.keys:
            worker.keys.remove(key)
            self._asked.discard(key)

    def _release_gone(self) -> None:
        """Release what was reserved for workers that are gone."""
        now = time.monotonic()
        for name in [name for name, worker in self._workers.items() if now - worker.seen > _GONE_AFTER]:
            gone = self._workers.pop(name)
            self._asked -= gone.keys
            for need in gone.holds:
                self._budget.settle(need)


class OwnerConnection:
    """Connects a worker to the owner. Messages that come while the owner is busy are sent in one call, since a call
    over Ray costs the owner more than its messages do.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name
        self._waiting: list[tuple[Message, asyncio.Future[Reply]]] = []
        self._sent = self._waiting
        self._has_messages = asyncio.Event()
        self._closed = False

    async def ask(self, message: Message) -> Reply:
        """Send a message until the reply is not to wait, and return this reply."""
        while (reply := await self._reply(message)).wait:
            await asyncio.sleep(_ASK_AGAIN)
        return reply

    async def run(self) -> None:
        """Send messages and heartbeats until the owner has ended, then raise. Tasks without a reply are cancelled."""
        try:
            await self._send_messages()
        finally:
            self._closed = True
            for _, future in (*self._sent, *self._waiting):
                future.cancel()

    async def _send_messages(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._has_messages.wait(), _HEARTBEAT)
            except TimeoutError:
                await self._owner.handle_messages.remote(self._name, [])
                continue
            self._has_messages.clear()
            self._sent, self._waiting = self._waiting, []
            replies = await self._owner.handle_messages.remote(self._name, [message for message, _ in self._sent])
            for (_, future), reply in zip(self._sent, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _reply(self, message: Message) -> asyncio.Future[Reply]:
        if self._closed:
            raise asyncio.CancelledError
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, future))
        self._has_messages.set()
        return future


class RemoteStore:
    """The store of a worker. It sends keys, answers and numbers to the owner, never a request with its secrets."""

    def __init__(self, connection: OwnerConnection, *, caps_usd: bool) -> None:
        self._connection = connection
        self.caps_usd = caps_usd
        self._asking: set[str] = set()

    async def look_up(self, question: Question, *, anew: bool) -> Body | None:
        reply = await self._connection.ask(LookUp(question.key, question.replayed(), anew))
        if reply.text is not None:
            answer: Body = json.loads(reply.text)
            return answer
        self._asking.add(question.key)
        return None

    async def spend(self, need: Need) -> None:
        reply = await self._connection.ask(Spend(need))
        if reply.text is not None:
            raise BudgetSpent(reply.text)

    async def give_back(self, need: Need, lost: Call | None) -> None:
        await self._connection.ask(GiveBack(need, lost))

    async def keep(self, question: Question, answer: Body, call: Call, need: Need) -> None:
        # The owner may run where this machine's secrets are not known.
        await self._connection.ask(StoreAnswer(question.key, mask(json.dumps(answer)), call, need))
        self._asking.discard(question.key)  # the answer tells the owner to leave the key

    async def leave(self, question: Question) -> None:
        if question.key in self._asking:
            self._asking.discard(question.key)
            await self._connection.ask(Leave(question.key))

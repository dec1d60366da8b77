"""What workers and the owner say to each other.

What the actors of a run are started with.

The one owner of a run's answers, ledger and budget: an actor on the machine that the run was started on.

SQLite's locks do not hold across machines, and a worker's machine may go at any moment; so workers ask the owner before
each call, and an answer is stored here before it is used.


A worker's side of the owner: what a call needs of the store and the budget, asked for over Ray.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from arf_programs.models import AnswerFiles, Body, BudgetSpent, Need, Question
from arf_programs.runner.context import budget_of
from arf_programs.runner.steps import Step
from arf_programs.runner.workers import PortableRun
from arf_programs.runs import Call, Run


@dataclass(frozen=True)
class LookUp:
    """Is there an answer under `key`? If so it is booked as `replay`, if not the worker asks for it, and has to `Leave`
    the key or to `TakeIn` its answer; `anew` if it would ask even then. Reply: the answer, or ask, or wait for another.
    """

    key: str
    replay: Call
    anew: bool


@dataclass(frozen=True)
class Spend:
    """May a call be sent? Reply: why not, or it is counted, or wait for the calls under way."""

    need: Need


@dataclass(frozen=True)
class GiveBack:
    """A call has brought no answer: what it held is free, and the try is booked as `lost`."""

    need: Need
    lost: Call | None


@dataclass(frozen=True)
class TakeIn:
    """An answer to store under `key`, and the call as it is booked."""

    key: str
    answer: str
    call: Call
    need: Need


@dataclass(frozen=True)
class Leave:
    """The worker does not ask for `key` any more."""

    key: str


Message = LookUp | Spend | GiveBack | TakeIn | Leave


@dataclass(frozen=True)
class Reply:
    """`text`: the answer, or the reason; None where the worker goes on. With `wait` it has to ask again."""

    text: str | None = None
    wait: bool = False


@dataclass(frozen=True)
class News:
    """What the driver asks for now and then: US dollars spent so far, calls under way, and what there is to say."""

    usd: float
    in_flight: int
    said: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Steps of a run, each of which has a pool of actors."""

    run: PortableRun
    steps: Sequence[Step[Any, Any]]
    rows_in_flight: Sequence[int]
    "of each step, in all its actors"

    @classmethod
    def of(cls, run: Run, steps: Sequence[Step[Any, Any]]) -> Job:
        """The job of a run."""
        return cls(PortableRun.of(run), steps, [step.slots(run) for step in steps])

    @property
    def actors(self) -> int:
        """Of all steps together: so many share the endpoints."""
        return self.run.config.ray.workers * len(self.steps)

    def slots(self, place: int) -> int:
        """Rows in flight in one actor of a step: its share of the calls that there can be."""
        return max(1, self.rows_in_flight[place] // self.run.config.ray.workers)


HEARTBEAT = 1.0  # seconds between a worker's signs of life
_GONE_AFTER = 10.0  # seconds without one
_STOPPED = "the run has stopped for another row"
_GO_ON = Reply()
_WAIT = Reply(wait=True)


@dataclass
class _Asker:
    """A worker: when it was heard of, what its calls under way hold, and the keys that it asks for."""

    seen: float = 0.0
    holds: list[Need] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


class Owner:
    """Its methods are called over Ray, one at a time: `hear` by the workers, the others by the driver."""

    def __init__(self, job: Job) -> None:
        self._said: list[str] = []
        run = job.run.open(self._said.append)
        self._budget = budget_of(run)
        self._before = self._budget.usd
        self._files = AnswerFiles(run.calls, run.folder.ledger)
        self._askers: dict[str, _Asker] = {}
        self._asked: set[str] = set()
        self._stopped = False

    def hear(self, name: str, messages: Sequence[Message]) -> list[Reply]:
        """A worker's messages in order, and the reply to each; none at all is a sign of life."""
        self._forget_the_gone()
        asker = self._askers.setdefault(name, _Asker())
        asker.seen = time.monotonic()
        return [self._reply(asker, message) for message in messages]

    def say(self, text: str) -> None:
        """Something for the user."""
        self._said.append(text)

    def news(self) -> News:
        """What has happened, and what was said since the last time."""
        self._forget_the_gone()
        said = tuple(self._said)
        self._said.clear()
        in_flight = sum(len(asker.holds) for asker in self._askers.values())
        return News(self._budget.usd - self._before, in_flight, said)

    def stop(self) -> None:
        """From now on no call is sent; those under way end."""
        self._stopped = True

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _reply(self, asker: _Asker, message: Message) -> Reply:
        match message:
            case LookUp():
                return self._look_up(asker, message)
            case Spend(need):
                return self._spend(asker, need)
            case GiveBack(need, lost):
                self._release(asker, need)
                if lost is not None:
                    self._files.book(lost)
            case TakeIn(key, answer, call, need):
                self._files.keep(key, answer)
                self._files.book(call)
                self._release(asker, need, tokens=call.tokens, usd=call.usd)
                self._leave(asker, key)
            case Leave(key):
                self._leave(asker, key)
        return _GO_ON

    def _look_up(self, asker: _Asker, message: LookUp) -> Reply:
        if message.key in self._asked:
            return _WAIT
        stored = None if message.anew else self._files.find(message.key)
        if stored is not None:
            self._budget.replay()
            self._files.book(message.replay)
            return Reply(stored)
        self._asked.add(message.key)
        asker.keys.add(message.key)
        return _GO_ON

    def _spend(self, asker: _Asker, need: Need) -> Reply:
        if self._stopped:
            return Reply(_STOPPED)
        try:
            self._budget.spend(need)
        except BudgetSpent as spent:
            return _WAIT if self._budget.is_held else Reply(str(spent))
        asker.holds.append(need)
        return _GO_ON

    def _release(self, asker: _Asker, need: Need, *, tokens: float = 0.0, usd: float = 0.0) -> None:
        if need in asker.holds:
            asker.holds.remove(need)
            self._budget.settle(need, tokens=tokens, usd=usd)
        else:  # the worker was taken for gone: what it held is free already
            self._budget.book_before(calls=0, tokens=tokens, usd=usd)

    def _leave(self, asker: _Asker, key: str) -> None:
        if key in asker.keys:
            asker.keys.remove(key)
            self._asked.discard(key)

    def _forget_the_gone(self) -> None:
        """What a worker held that is not heard of any more is free again."""
        now = time.monotonic()
        for name in [name for name, asker in self._askers.items() if now - asker.seen > _GONE_AFTER]:
            gone = self._askers.pop(name)
            self._asked -= gone.keys
            for need in gone.holds:
                self._budget.settle(need)


_ASK_AGAIN = 0.05  # seconds


class Line:
    """The line to the owner. What several rows have to say while it is busy goes as one call: a call over Ray costs
    the owner more than what is in it.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name
        self._waiting: list[tuple[Message, asyncio.Future[Reply]]] = []
        self._passed = self._waiting
        self._something = asyncio.Event()
        self._closed = False

    async def ask(self, message: Message) -> Reply:
        """The owner's reply, when it is not to wait."""
        while (reply := await self._reply(message)).wait:
            await asyncio.sleep(_ASK_AGAIN)
        return reply

    async def keep_open(self) -> None:
        """Pass messages on, and give a sign of life where there are none; ends only when the owner has, by raising.
        Whoever waits for a reply is cancelled then.
        """
        try:
            await self._pass_on()
        finally:
            self._closed = True
            for _, future in (*self._passed, *self._waiting):
                future.cancel()

    async def _pass_on(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._something.wait(), HEARTBEAT)
            except TimeoutError:
                await self._owner.hear.remote(self._name, [])
                continue
            self._something.clear()
            self._passed, self._waiting = self._waiting, []
            replies = await self._owner.hear.remote(self._name, [message for message, _ in self._passed])
            for (_, future), reply in zip(self._passed, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _reply(self, message: Message) -> asyncio.Future[Reply]:
        if self._closed:
            raise asyncio.CancelledError
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, future))
        self._something.set()
        return future


class RemoteStore:
    """The store of a worker. It sends keys, answers and figures to the owner, never a request or a secret in one."""

    def __init__(self, line: Line, *, caps_usd: bool) -> None:
        self._line = line
        self.caps_usd = caps_usd
        self._asking: set[str] = set()

    async def look_up(self, question: Question, *, anew: bool) -> Body | None:
        reply = await self._line.ask(LookUp(question.key, question.replayed(), anew))
        if reply.text is not None:
            answer: Body = json.loads(reply.text)
            return answer
        self._asking.add(question.key)
        return None

    async def spend(self, need: Need) -> None:
        reply = await self._line.ask(Spend(need))
        if reply.text is not None:
            raise BudgetSpent(reply.text)

    async def give_back(self, need: Need, lost: Call | None) -> None:
        await self._line.ask(GiveBack(need, lost))

    async def keep(self, question: Question, answer: Body, call: Call, need: Need) -> None:
        await self._line.ask(TakeIn(question.key, json.dumps(answer), call, need))
        self._asking.discard(question.key)  # the owner knows by the answer

    async def leave(self, question: Question) -> None:
        if question.key in self._asking:
            self._asking.discard(question.key)
            await self._line.ask(Leave(question.key))

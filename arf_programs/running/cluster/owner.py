"""The one owner of a run's answers, ledger and budget: an actor on the machine that the run was started on.

SQLite's locks do not hold across machines, and a worker's machine may go at any moment; so workers ask the owner before
each call, and an answer is stored here before it is used.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from arf_programs.models.answer_files import AnswerFiles, Call
from arf_programs.models.call_budget import BudgetSpent, Need
from arf_programs.running.budget import budget_of
from arf_programs.running.cluster.job import Job

HEARTBEAT = 1.0  # seconds between a worker's signs of life
_GONE_AFTER = 10.0  # seconds without one
_WAIT_FOR_BUDGET = 0.05
_STOPPED = "the run has stopped for another row"


@dataclass(frozen=True)
class News:
    """What the driver asks for now and then: US dollars spent so far, calls under way, and what there is to say."""

    usd: float
    in_flight: int
    said: tuple[str, ...]


@dataclass
class _Asker:
    """A worker: when it was heard of, what its calls under way hold, and what it has looked up in vain."""

    seen: float
    holds: list[Need] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


class Owner:
    """Every method is called by workers or by the driver over Ray, and answers with plain values: none raises."""

    def __init__(self, job: Job) -> None:
        run = job.open(self._hear)
        self._budget = budget_of(run)
        self._before = self._budget.usd
        self._files = AnswerFiles(run.calls, run.folder.ledger)
        self._askers: dict[str, _Asker] = {}
        self._pending: dict[str, asyncio.Event] = {}
        self._said: list[str] = []
        self._stopped = False

    async def alive(self, asker: str) -> None:
        """A worker's sign of life."""
        self._asker(asker)

    async def look_up(self, asker: str, key: str, replay: Call, anew: bool) -> str | None:
        """The answer under `key`, booked as `replay`; None where `asker` has to ask, and then has to `leave` it.

        While another worker asks for the same, its answer is waited for.
        """
        while (other := self._pending.get(key)) is not None:
            await other.wait()
        stored = None if anew else self._files.find(key)
        if stored is not None:
            self._budget.replay()
            self._files.book(replay)
            return stored
        self._pending[key] = asyncio.Event()
        self._asker(asker).keys.add(key)
        return None

    async def spend(self, asker: str, need: Need) -> str:
        """Why no further call may be sent; empty where it may, and is counted."""
        while not self._stopped:
            try:
                self._budget.spend(need)
            except BudgetSpent as spent:
                if not self._budget.is_held:
                    return str(spent)
                await asyncio.sleep(_WAIT_FOR_BUDGET)
            else:
                self._asker(asker).holds.append(need)
                return ""
        return _STOPPED

    async def give_back(self, asker: str, need: Need) -> None:
        """Release what a call held that failed."""
        self._release(asker, need)

    async def take_in(self, asker: str, key: str, answer: str, call: Call, need: Need) -> None:
        """Store an answer, book its call, and count what it used."""
        self._files.keep(key, answer)
        self._files.book(call)
        self._release(asker, need, tokens=call.tokens, usd=call.usd)
        self._leave(asker, key)

    async def leave(self, asker: str, key: str) -> None:
        """Nobody need wait for this worker's answer to `key` any more."""
        self._leave(asker, key)

    async def say(self, text: str) -> None:
        """Something for the user."""
        self._hear(text)

    async def news(self) -> News:
        """What has happened, and what was said since the last time."""
        said, self._said = tuple(self._said), []
        in_flight = sum(len(asker.holds) for asker in self._askers.values())
        return News(self._budget.usd - self._before, in_flight, said)

    async def stop(self) -> None:
        """From now on no call is sent; those under way end."""
        self._stopped = True

    async def close(self) -> None:
        """Close the files."""
        self._files.close()

    async def watch(self) -> None:
        """Without end: what a worker held that is not heard of any more is free again."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            now = time.monotonic()
            for name in [name for name, asker in self._askers.items() if now - asker.seen > _GONE_AFTER]:
                self._forget(name)

    def _forget(self, name: str) -> None:
        gone = self._askers.pop(name)
        for need in gone.holds:
            self._budget.settle(need)
        for key in gone.keys:
            self._wake(key)

    def _asker(self, name: str) -> _Asker:
        asker = self._askers.setdefault(name, _Asker(0.0))
        asker.seen = time.monotonic()
        return asker

    def _release(self, name: str, need: Need, *, tokens: float = 0.0, usd: float = 0.0) -> None:
        holds = self._asker(name).holds
        if need in holds:
            holds.remove(need)
            self._budget.settle(need, tokens=tokens, usd=usd)
        else:  # it was taken for gone: what it held is free already
            self._budget.book_before(calls=0, tokens=tokens, usd=usd)

    def _leave(self, name: str, key: str) -> None:
        keys = self._asker(name).keys
        if key in keys:
            keys.remove(key)
            self._wake(key)

    def _wake(self, key: str) -> None:
        if (pending := self._pending.pop(key, None)) is not None:
            pending.set()

    def _hear(self, text: str) -> None:
        self._said.append(text)

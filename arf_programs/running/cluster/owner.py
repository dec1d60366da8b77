"""The one owner of a run's answers, ledger and budget: an actor on the machine that the run was started on.

SQLite's locks do not hold across machines, and a worker's machine may go at any moment; so workers ask the owner before
each call, and an answer is stored here before it is used.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from arf_programs.models.answer_files import AnswerFiles
from arf_programs.models.call_budget import BudgetSpent, Need
from arf_programs.running.budget import budget_of
from arf_programs.running.cluster.job import Job
from arf_programs.running.cluster.messages import GiveBack, Leave, LookUp, Message, News, Reply, Spend, TakeIn

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

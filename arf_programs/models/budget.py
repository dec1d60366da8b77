"""What may still be sent and spent. It stands where calls are really sent: behind the store of answers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from threading import Lock
from typing import Protocol

_CALLS, _TOKENS, _USD, _REPLAYED = range(4)
_HELD, _HELD_TOKENS, _HELD_USD = range(3)  # in the place of each process
_PLACE = 3


class BudgetSpent(BaseException):
    """No further call may be sent.

    Not an `Exception`: DSPy's optimizers take those for the failure of one example, and would go on with the next.
    """


class _Counts(Protocol):
    """Numbers that several threads or processes add to."""

    def __getitem__(self, index: int) -> float: ...
    def __setitem__(self, index: int, value: float) -> None: ...


@dataclass(frozen=True)
class Need:
    """What a call may use at most: tokens of prompt and answer, and US dollars."""

    tokens: float = 0.0
    usd: float = 0.0


class CallBudget:
    """Counts calls, tokens and dollars against caps, None for no cap; from several threads and, once `shared`,
    processes.

    A call whose most would pass a cap is not sent. What it may use is held until `settle` says what it did use; each
    process holds in a place of its own, so that what a dead one held can be released.
    """

    def __init__(self, calls: int | None = None, tokens: int | None = None, usd: float | None = None) -> None:
        self.limit = calls
        self._tokens, self._usd = tokens, usd
        self._places, self._place = 1, 0
        self._counts: _Counts = [0.0] * (_REPLAYED + 1 + _PLACE)
        self._lock: AbstractContextManager[object] = Lock()

    def shared(self, context: BaseContext, processes: int) -> CallBudget:
        """The same budget in memory that so many processes started from `context` share."""
        used = [self._counts[index] for index in range(_REPLAYED + 1)]
        counts = context.Array("d", [*used, *[0.0] * (_PLACE * processes)])
        budget = CallBudget(self.limit, self._tokens, self._usd)
        budget._places, budget._counts, budget._lock = processes, counts.get_obj(), counts.get_lock()
        return budget

    def at(self, place: int) -> CallBudget:
        """The same budget, for the process at this place."""
        budget = copy(self)
        budget._place = place
        return budget

    def release(self, place: int) -> None:
        """Give back what the process at this place held: it is dead."""
        with self._lock:
            for kind in (_HELD, _HELD_TOKENS, _HELD_USD):
                self._counts[_held(place, kind)] = 0.0

    @property
    def sent(self) -> int:
        """Calls that were sent, so paid for."""
        return int(self._counts[_CALLS])

    @property
    def asked(self) -> int:
        """All calls: sent, or answered from the store."""
        return int(self._counts[_CALLS] + self._counts[_REPLAYED])

    @property
    def usd(self) -> float:
        """US dollars spent."""
        return float(self._counts[_USD])

    @property
    def caps_usd(self) -> bool:
        """Whether money is capped, so that what a call may cost has to be known."""
        return self._usd is not None

    @property
    def is_held(self) -> bool:
        """Whether calls under way hold some of the budget, so that there may be room again when they end."""
        return self._all_held(_HELD) > 0

    def book_before(self, *, calls: int, tokens: float, usd: float) -> None:
        """Count what the run had used before."""
        with self._lock:
            self._add(_CALLS, calls)
            self._add(_TOKENS, tokens)
            self._add(_USD, usd)

    def spend(self, need: Need = Need()) -> None:
        """Count a call that is about to be sent, and hold what it may use. Raises BudgetSpent if it may not be sent."""
        with self._lock:
            self._check(need)
            self._add(_CALLS, 1)
            self._hold(1, need.tokens, need.usd)

    def settle(self, need: Need, *, tokens: float = 0.0, usd: float = 0.0) -> None:
        """Release what a call held, and count what it used; nothing for one that failed."""
        with self._lock:
            self._hold(-1, -need.tokens, -need.usd)
            self._add(_TOKENS, tokens)
            self._add(_USD, usd)

    def replay(self) -> None:
        """Count a call that was answered from the store."""
        with self._lock:
            self._add(_REPLAYED, 1)

    def _hold(self, calls: int, tokens: float, usd: float) -> None:
        for kind, amount in ((_HELD, calls), (_HELD_TOKENS, tokens), (_HELD_USD, usd)):
            self._add(_held(self._place, kind), amount)

    def _all_held(self, kind: int) -> float:
        return sum(self._counts[_held(place, kind)] for place in range(self._places))

    def _add(self, index: int, amount: float) -> None:
        self._counts[index] = self._counts[index] + amount

    def _check(self, need: Need) -> None:
        counts = self._counts
        if self.limit is not None and counts[_CALLS] >= self.limit:
            raise BudgetSpent(f"{self.limit} calls are sent, and no more may be")
        if self._tokens is not None and counts[_TOKENS] + self._all_held(_HELD_TOKENS) + need.tokens > self._tokens:
            raise BudgetSpent(
                f"{counts[_TOKENS]:.0f} tokens are used, and the next call could pass the cap of {self._tokens}"
            )
        if self._usd is not None and counts[_USD] + self._all_held(_HELD_USD) + need.usd > self._usd:
            raise BudgetSpent(
                f"{counts[_USD]:.4f} USD are spent, and the next call could pass the cap of {self._usd:g}"
            )


def _held(place: int, kind: int) -> int:
    """Where a process's held calls, tokens or dollars are counted."""
    return _REPLAYED + 1 + _PLACE * place + kind

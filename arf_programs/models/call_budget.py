"""What may still be sent and spent. It stands where calls are really sent: behind the store of answers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from threading import Lock
from typing import Protocol

_CALLS, _TOKENS, _USD, _HELD_TOKENS, _HELD_USD, _REPLAYED = range(6)


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

    A call whose most would pass a cap is not sent. What it may use is held until `settle` says what it did use.
    """

    def __init__(self, calls: int | None = None, tokens: int | None = None, usd: float | None = None) -> None:
        self.limit = calls
        self._tokens, self._usd = tokens, usd
        self._counts: _Counts = [0.0] * 6
        self._lock: AbstractContextManager[object] = Lock()

    def shared(self, context: BaseContext) -> CallBudget:
        """The same budget in memory that processes started from `context` share."""
        counts = context.Array("d", [self._counts[index] for index in range(6)])
        budget = CallBudget(self.limit, self._tokens, self._usd)
        budget._counts, budget._lock = counts.get_obj(), counts.get_lock()
        return budget

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
    def is_held(self) -> bool:
        """Whether calls under way hold some of the budget, so that there may be room again when they end."""
        return self._counts[_HELD_TOKENS] > 0 or self._counts[_HELD_USD] > 0

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
            self._add(_HELD_TOKENS, need.tokens)
            self._add(_HELD_USD, need.usd)

    def settle(self, need: Need, *, tokens: float = 0.0, usd: float = 0.0) -> None:
        """Release what a call held, and count what it used; nothing for one that failed."""
        with self._lock:
            self._add(_HELD_TOKENS, -need.tokens)
            self._add(_HELD_USD, -need.usd)
            self._add(_TOKENS, tokens)
            self._add(_USD, usd)

    def replay(self) -> None:
        """Count a call that was answered from the store."""
        with self._lock:
            self._add(_REPLAYED, 1)

    def _add(self, index: int, amount: float) -> None:
        self._counts[index] = self._counts[index] + amount

    def _check(self, need: Need) -> None:
        counts = self._counts
        if self.limit is not None and counts[_CALLS] >= self.limit:
            raise BudgetSpent(f"{self.limit} calls are sent, and no more may be")
        if self._tokens is not None and counts[_TOKENS] + counts[_HELD_TOKENS] + need.tokens > self._tokens:
            raise BudgetSpent(
                f"{counts[_TOKENS]:.0f} tokens are used, and the next call could pass the cap of {self._tokens}"
            )
        if self._usd is not None and counts[_USD] + counts[_HELD_USD] + need.usd > self._usd:
            raise BudgetSpent(
                f"{counts[_USD]:.4f} USD are spent, and the next call could pass the cap of {self._usd:g}"
            )

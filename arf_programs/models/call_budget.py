"""How many calls may still be sent. It stands where calls are really sent: behind the store of answers."""

from __future__ import annotations

from threading import Lock


class BudgetSpent(BaseException):
    """No further call may be sent.

    Not an `Exception`: DSPy's optimizers take those for the failure of one example, and would go on with the next.
    """


class CallBudget:
    """Counts calls, from several threads; `limit` is the number that may be sent, None for any number."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._sent = 0
        self._replayed = 0
        self._lock = Lock()

    @property
    def sent(self) -> int:
        """Calls that were sent, so paid for."""
        return self._sent

    @property
    def asked(self) -> int:
        """All calls: sent, or answered from the store."""
        return self._sent + self._replayed

    def spend(self) -> None:
        """Count a call that is about to be sent. Raises BudgetSpent where it may not be."""
        with self._lock:
            if self.limit is not None and self._sent >= self.limit:
                raise BudgetSpent(f"{self._sent} calls are sent, and no more may be")
            self._sent += 1

    def replay(self) -> None:
        """Count a call that was answered from the store."""
        with self._lock:
            self._replayed += 1

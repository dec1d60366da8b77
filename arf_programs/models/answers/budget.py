"""Count the tokens of a call, and cap the calls, tokens and US dollars of a run.

Tokens are counted as the provider reports them, else by what was sent and received. Only calls that are really sent
count against a cap, not stored answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from threading import Lock
from typing import Any, Final, Protocol

_CALLS, _TOKENS, _USD, _REPLAYED = range(4)
_HELD, _HELD_TOKENS, _HELD_USD = range(3)  # one group of these for each process
_GROUP = 3
_BYTES_A_TOKEN: Final = 3  # few tokens are shorter: an upper bound of what a call may use
_MOST: Final = 1e12  # no call has more tokens, so a larger number is none


class BudgetSpent(BaseException):
    """No further call may be sent.

    It is not an `Exception`, since an optimizer of DSPy would count that as a failed example and try the next one.
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
    """Counts calls, tokens and US dollars against caps. None is no cap. Several threads may use it.

    A call is not sent if the most that it may use would pass a cap. This most is held until `settle` counts what the
    call has used. Several processes use one budget after `shared`. Each holds amounts of its own, so that those of a
    dead process can be released.
    """

    def __init__(self, calls: int | None = None, tokens: int | None = None, usd: float | None = None) -> None:
        self.limit = calls
        self._tokens, self._usd = tokens, usd
        self._processes, self._process = 1, 0
        self._counts: _Counts = [0.0] * (_REPLAYED + 1 + _GROUP)
        self._lock: AbstractContextManager[object] = Lock()

    def shared(self, context: BaseContext, processes: int) -> CallBudget:
        """Return the same budget in memory that `processes` processes of `context` share."""
        used = [self._counts[index] for index in range(_REPLAYED + 1)]
        counts = context.Array("d", [*used, *[0.0] * (_GROUP * processes)])
        budget = CallBudget(self.limit, self._tokens, self._usd)
        budget._processes, budget._counts, budget._lock = processes, counts.get_obj(), counts.get_lock()
        return budget

    def for_process(self, process: int) -> CallBudget:
        """Return the same budget for process number `process`."""
        budget = copy(self)
        budget._process = process
        return budget

    def release(self, process: int) -> None:
        """Release what a dead process held."""
        with self._lock:
            for kind in (_HELD, _HELD_TOKENS, _HELD_USD):
                self._counts[_index_of_held(process, kind)] = 0.0

    @property
    def sent(self) -> int:
        """The number of calls that were sent, so paid for."""
        return int(self._counts[_CALLS])

    @property
    def asked(self) -> int:
        """The number of all calls, sent or answered from the store."""
        return int(self._counts[_CALLS] + self._counts[_REPLAYED])

    @property
    def usd(self) -> float:
        """The US dollars spent."""
        return float(self._counts[_USD])

    @property
    def caps_usd(self) -> bool:
        """Whether there is a cap of US dollars, so that the most a call may cost has to be computed."""
        return self._usd is not None

    @property
    def is_held(self) -> bool:
        """Whether calls under way hold a part of the budget, which may be free again when they end."""
        return self._all_held(_HELD) > 0

    def book_before(self, *, calls: int, tokens: float, usd: float) -> None:
        """Count what the run has used before."""
        with self._lock:
            self._add(_CALLS, calls)
            self._add(_TOKENS, tokens)
            self._add(_USD, usd)

    def spend(self, need: Need = Need()) -> None:
        """Count a call that will be sent, and hold the most it may use. Raises BudgetSpent if it may not be sent."""
        with self._lock:
            self._check(need)
            self._add(_CALLS, 1)
            self._hold(1, need.tokens, need.usd)

    def settle(self, need: Need, *, tokens: float = 0.0, usd: float = 0.0) -> None:
        """Release what a call held, and count what it has used. A failed call has used nothing."""
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
            self._add(_index_of_held(self._process, kind), amount)

    def _all_held(self, kind: int) -> float:
        return sum(self._counts[_index_of_held(process, kind)] for process in range(self._processes))

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


def _index_of_held(process: int, kind: int) -> int:
    return _REPLAYED + 1 + _GROUP * process + kind


def tokens_sent(request: Mapping[str, Any], schema: Any = None) -> float:
    """Return how many tokens a request has at most: one for three bytes of its messages and its JSON schema."""
    sent = sum(len(str(message.get("content") or "").encode(errors="replace")) for message in request["messages"])
    return (sent + (0 if schema is None else len(json.dumps(schema).encode()))) / _BYTES_A_TOKEN


def longest_answer(request: Mapping[str, Any]) -> float:
    """Return how many tokens the answer to a request may have; 0 if the request does not say."""
    longest: Any = request.get("max_tokens") or request.get("max_completion_tokens")
    return float(longest or 0)


def tokens_received(text: str) -> float:
    """Return how many tokens an answer has at most."""
    return len(text.encode(errors="replace")) / _BYTES_A_TOKEN


def reported(count: Any) -> int | None:
    """Return a number of tokens that a provider reports. None if it is no number above 0, so it tells nothing."""
    if isinstance(count, bool) or not isinstance(count, int | float) or not math.isfinite(count):
        return None
    return int(count) if 1 <= count < _MOST else None


def usage_of(answer: Mapping[str, Any]) -> dict[str, int]:
    """Return what a provider reports of an answer: the numbers of tokens that are numbers."""
    usage = answer.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: count for name in names if (count := reported(usage.get(name))) is not None}


def cost_of(response: Any) -> float:
    """Return the US dollars of LiteLLM's response; 0 if LiteLLM does not know them."""
    cost: Any = getattr(response, "_hidden_params", {}).get("response_cost")
    if isinstance(cost, int | float) and math.isfinite(cost) and cost > 0:
        return float(cost)
    return 0.0

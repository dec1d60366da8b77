"""What candidates scored while an optimizer was at work, so that one that ends early leaves its best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from threading import Lock
from typing import Any

from arf_programs.compiling.cases import Case


class Recorder:
    """Scores by the hash of a candidate's state and by case; safe to call from several threads."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, Any]] = {}
        self._scores: defaultdict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._lock = Lock()

    def record(self, name: str, state: dict[str, Any], case: Case, score: float) -> None:
        """Note what a candidate scored on a case."""
        with self._lock:
            self._states.setdefault(name, state)
            self._scores[name][case.key].append(score)

    def best(self, dev: Sequence[Case], train: Sequence[Case]) -> dict[str, Any] | None:
        """The state of the best candidate so far; None if none was scored.

        Of those scored on all of dev, the one of the highest mean. Where there is none, train decides: of those scored
        on most of its cases the best. The earlier of equals.
        """
        with self._lock:
            whole = [name for name in self._states if self._seen(name, dev) == len(dev)]
            if whole:
                return self._states[max(whole, key=lambda name: self._mean(name, dev))]
            most = max((self._seen(name, train) for name in self._states), default=0)
            seen = [name for name in self._states if most and self._seen(name, train) == most]
            return self._states[max(seen, key=lambda name: self._mean(name, train))] if seen else None

    def _seen(self, name: str, cases: Sequence[Case]) -> int:
        return sum(case.key in self._scores[name] for case in cases)

    def _mean(self, name: str, cases: Sequence[Case]) -> float:
        return fmean(fmean(self._scores[name][case.key]) for case in cases if case.key in self._scores[name])

"""What candidates scored while an optimizer was at work, so that one that ends early leaves its best.

One labelled case as DSPy's optimizers see it: the program answers, and the answer is scored.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from threading import Lock
from typing import Any, Protocol

import dspy
from dspy.utils.exceptions import LMAuthError, LMBillingError, LMConfigurationError
from dspy.utils.syncify import run_async

from arf_programs.compiling.cases import Case
from arf_programs.corpus import LabeledExample
from arf_programs.models import calls_of
from arf_programs.programs import plain, program_state
from arf_programs.runs import digest


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


_FATAL = (LMAuthError, LMBillingError, LMConfigurationError)


@dataclass(frozen=True)
class Outcome:
    """How a program did on a case: a score from 0 to 1, what to say about it, and what it answered, for people.

    `measured` is what figures over a whole side are made of, by name (a flag, a rating).
    """

    score: float
    feedback: str = ""
    shown: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


class Answers(Protocol):
    """Puts a case to a program and scores what comes back. Raises ModelError when no answer can be used."""

    async def __call__(self, program: dspy.Module, labeled: LabeledExample) -> Outcome: ...


class Hopeless(BaseException):
    """A failure of the account or the set-up; not an `Exception`, or an optimizer would go on to the next example."""


class Bench:
    """What all copies of a Task share: how cases are answered, what they scored, and whether work is to stop."""

    def __init__(
        self, answer: Answers, recorder: Recorder, stage: str, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        self.answer = answer
        self.recorder = recorder
        self.stage = stage
        self._tell = tell
        self._answered = 0
        self._stopped = False
        self._working = 0
        self._idle = threading.Condition()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def __deepcopy__(self, memo: dict[int, Any]) -> Bench:
        return self

    def stop(self) -> None:
        """Let no further case begin, and wait for those at work in an optimizer's threads."""
        with self._idle:
            self._stopped = True
            self._idle.wait_for(lambda: self._working == 0)

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """One at a time for each name: DSPy starts slow examples a second time, which would be paid for twice."""
        with self._idle:
            if self._stopped:
                raise Hopeless("compiling has ended")
            self._working += 1
            lock = self._turns[name]
        try:
            with lock:
                yield
        finally:
            with self._idle:
                self._working -= 1
                self._answered += 1
                self._tell(self._answered)
                self._idle.notify_all()


class Task(dspy.Module):
    """Answers one labelled case with the program, and scores the answer."""

    def __init__(self, program: dspy.Module, bench: Bench) -> None:
        super().__init__()
        self.program = program
        self.bench = bench

    def forward(self, case: Case) -> dspy.Prediction:
        """Prediction(score, feedback, and what the program answered)."""
        bench = self.bench
        state = program_state(self.program)
        name = digest(state)
        sampled = (dspy.settings.lm or self.predictors()[0].lm).kwargs.get("rollout_id")
        with bench.turn(f"{name} {case.key} {sampled}"):
            outcome = self._answer(case, name, state)
        return dspy.Prediction(score=outcome.score, feedback=outcome.feedback, **outcome.shown)

    def _answer(self, case: Case, name: str, state: dict[str, Any]) -> Outcome:
        above = dspy.settings.trace
        score = 0.0
        try:
            with dspy.context(trace=[]), calls_of(self.bench.stage):
                outcome: Outcome = run_async(self.bench.answer(self.program, case.labeled))
                steps = self._own_steps(dspy.settings.trace)
            score = outcome.score
        except _FATAL as error:
            raise Hopeless(" ".join(str(error).split())) from error
        finally:
            self.bench.recorder.record(name, state, case, score)
        if above is not None:
            above.extend(steps)
        return outcome

    def _own_steps(self, trace: list[Any]) -> list[Any]:
        """The steps of the predictors that are compiled, with plain answers: what is shown later is what is saved."""
        own = {id(predictor) for predictor in self.predictors()}
        return [
            (predictor, _fresh(inputs), dspy.Prediction(**_fresh(outputs)))
            for predictor, inputs, outputs in trace
            if id(predictor) in own
        ]


def _fresh(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in JSON's types, none of them shared: DSPy hashes pickles of them, which differ by what is shared,
    and a replayed answer shares other strings than a new one."""
    copied: dict[str, Any] = json.loads(json.dumps({key: plain(value) for key, value in values.items()}))
    return copied

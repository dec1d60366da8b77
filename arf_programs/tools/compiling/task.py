"""One labelled case as DSPy's optimizers see it: the program answers, and the answer is scored and recorded.

Calls from all threads of an optimizer share one session and one event loop.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Protocol, TypeVar

import dspy
from dspy.utils.exceptions import LMAuthError, LMBillingError, LMConfigurationError
from pydantic_core import to_jsonable_python

from arf_programs.config import ModelConfig
from arf_programs.corpus import LabeledExample
from arf_programs.models import CallBudget, CallContext, build_lm, calling, run_sync
from arf_programs.programs import ProgramState, program_state
from arf_programs.runner import asking
from arf_programs.runs import Run, digest
from arf_programs.tools.compiling.cases import Case
from signatures.exceptions import EndpointError

_FATAL = (LMAuthError, LMBillingError, LMConfigurationError, EndpointError)
Result = TypeVar("Result")
# DSPy gives up after this number of failed examples. Here a failed example scores 0, and DSPy has to go on.
_NO_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class Outcome:
    """The result of a program on a case: a score from 0 to 1, feedback in words, and the answer as people read it.

    `measured` holds values by name from which figures of a whole side are computed (a flag, a rating).
    """

    score: float
    feedback: str = ""
    shown: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


class Answers(Protocol):
    """Gives a case to a program and scores the answer. Raises ModelError when no answer can be used."""

    async def __call__(self, program: dspy.Module, labeled: LabeledExample) -> Outcome: ...


class Hopeless(BaseException):
    """The account, the set-up or the endpoint fails. Optimizers would treat an `Exception` as one failed example."""


class Recorder:
    """Keeps what each candidate scored on each case, so that an optimizer that ends early leaves its best candidate.

    It is safe to call from several threads.
    """

    def __init__(self) -> None:
        self._states: dict[str, ProgramState] = {}
        self._scores: defaultdict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._lock = threading.Lock()

    def record(self, state: ProgramState, case: Case, score: float) -> None:
        """Add what a candidate scored on a case."""
        name = digest(state)
        with self._lock:
            self._states.setdefault(name, state)
            self._scores[name][case.key].append(score)

    def best(self, dev: Sequence[Case], train: Sequence[Case]) -> ProgramState | None:
        """The state of the best candidate so far; None if no candidate was scored.

        The best has the highest mean among the candidates scored on all of dev. If there is none, the best has the
        highest mean on train among the candidates scored on most of its cases. Of equals, the earliest wins.
        """
        with self._lock:
            finalists, cases = [name for name in self._states if self._count(name, dev) == len(dev)], dev
            if not finalists:
                most = max((self._count(name, train) for name in self._states), default=0)
                finalists = [name for name in self._states if most and self._count(name, train) == most]
                cases = train
            return self._states[max(finalists, key=lambda name: self._mean(name, cases))] if finalists else None

    def _count(self, name: str, cases: Sequence[Case]) -> int:
        return sum(case.key in self._scores[name] for case in cases)

    def _mean(self, name: str, cases: Sequence[Case]) -> float:
        return fmean(fmean(self._scores[name][case.key]) for case in cases if case.key in self._scores[name])


class Evaluator:
    """Shared by all copies of a Task: answers and scores cases, records the scores, and stops the work."""

    def __init__(
        self, answer: Answers, recorder: Recorder, calls: SharedCalls, report: Callable[[int], None] = lambda _: None
    ) -> None:
        self._answer, self._recorder, self._calls, self._report = answer, recorder, calls, report
        self._answered = 0
        self._working = 0
        self._stopped = False
        self._idle = threading.Condition()

    def __deepcopy__(self, memo: dict[int, Any]) -> Evaluator:
        return self

    def evaluate(self, program: dspy.Module, case: Case) -> Outcome:
        """Answer a case, and record its score: 0 for an answer that cannot be used, which is raised as ModelError.

        Raises Hopeless after `stop`, and if every further call would fail for the same reason.
        """
        with self._idle:
            if self._stopped:
                raise Hopeless("compiling has ended")
            self._working += 1
        state, score = program_state(program), 0.0
        try:
            outcome = self._calls.run(self._answer(program, case.labeled))
            score = outcome.score
        except _FATAL as error:
            raise Hopeless(" ".join(str(error).split())) from error
        finally:
            self._recorder.record(state, case, score)
            with self._idle:
                self._working -= 1
                self._answered += 1
                self._report(self._answered)
                self._idle.notify_all()
        return outcome

    def stop(self) -> None:
        """Let no further case begin, and wait for the cases that an optimizer's threads work on."""
        with self._idle:
            self._stopped = True
            self._idle.wait_for(lambda: self._working == 0)


class Task(dspy.Module):
    """Answers one labelled case with the program, and scores the answer."""

    def __init__(self, program: dspy.Module, evaluator: Evaluator) -> None:
        super().__init__()
        self.program = program
        self.evaluator = evaluator

    def forward(self, case: Case) -> dspy.Prediction:
        """Prediction(score, feedback, and what the program answered)."""
        outer_trace = dspy.settings.trace
        with dspy.context(trace=[]):
            outcome = self.evaluator.evaluate(self.program, case)
            steps = self._own_steps(dspy.settings.trace)
        if outer_trace is not None:
            outer_trace.extend(steps)
        return dspy.Prediction(score=outcome.score, feedback=outcome.feedback, **outcome.shown)

    def _own_steps(self, trace: list[Any]) -> list[Any]:
        """The steps of the predictors that are compiled, with answers in the plain form in which they are saved."""
        own = {id(predictor) for predictor in self.predictors()}
        return [
            (predictor, _copied(inputs), dspy.Prediction(**_copied(outputs)))
            for predictor, inputs, outputs in trace
            if id(predictor) in own
        ]


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the values as JSON types, so that no two of them are the same object.

    DSPy hashes pickles of them. The pickle of a stored answer would differ from that of a new one, because they share
    different strings.
    """
    copied: dict[str, Any] = json.loads(json.dumps({key: to_jsonable_python(value) for key, value in values.items()}))
    return copied


@dataclass(frozen=True)
class SharedCalls:
    """Answers the calls of all threads under one context, so its rates and its budget hold for all of them."""

    context: CallContext

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for `work` in this thread. DSPy's settings of this thread apply to it."""
        with calling(self.context):
            return run_sync(work)


@contextmanager
def asking_context(run: Run, model: ModelConfig, budget: CallBudget, stage: str) -> Iterator[SharedCalls]:
    """Let programs without a model of their own ask `model`, from the run's store and within the budget."""
    with asking(run, budget, background=True) as opened, calling(replace(opened, stage=stage)) as context:
        lm = build_lm(model, seed=run.config.seed, context=context)
        with dspy.context(lm=lm, max_errors=_NO_LIMIT):
            yield SharedCalls(context)

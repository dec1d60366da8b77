"""One compilation: it scores programs, runs the optimizer within the budget, and fits the analyst's threshold."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import dspy

from arf_programs.config import OptimizerName
from arf_programs.metrics import Calibration
from arf_programs.models import BudgetSpent, CallBudget, build_lm
from arf_programs.programs import (
    ProgramState,
    SentenceSupport,
    apply_state,
    calibration_of,
    program_state,
    support_rows,
    use_calibration,
)
from arf_programs.runs import Run
from arf_programs.text import split_sentences
from arf_programs.tools.compiling.optimizers import OptimizerInputs, optimize, output_to_log
from arf_programs.tools.compiling.prepare import Prepared, refuse_leaks
from arf_programs.tools.compiling.scoring import Scored, score_cases
from arf_programs.tools.compiling.task import Evaluator, Hopeless, Recorder, SharedCalls, Task
from signatures.exceptions import DataError, ModelError

_SECONDS_BETWEEN_LINES = 10.0


@dataclass
class Job:
    """One compilation."""

    run: Run
    prepared: Prepared
    optimizer: OptimizerName
    budget: CallBudget
    calls: SharedCalls
    _calls_a_case: float = 0.0
    _last_line: float = 0.0

    def __post_init__(self) -> None:
        self._limit = self.budget.limit
        self._last_line = time.monotonic()

    @property
    def nearest(self) -> int | None:
        """How many of the program's demonstrations each prompt has; None for all of them."""
        return self.run.config.compile.optimizers.knn_fewshot.k if self.optimizer == "knn_fewshot" else None

    def loaded(self, state: ProgramState) -> dspy.Module:
        """Load the state as a run will load it, so that the saved program is the one that is scored."""
        program = self.prepared.uncompiled()
        apply_state(program, state, self.nearest)
        refuse_leaks(program, self.prepared.cases)
        return program

    def score(self, program: dspy.Module, side: Literal["dev", "test"], what: str) -> Scored:
        """The scores of a program on a side; `what` names the program in the progress."""
        cases = getattr(self.prepared.cases, side)
        label = f"{side}, {what}"
        self.run.progress.say(f"{label}: {len(cases)} cases")
        asked = self.budget.asked
        work = score_cases(
            self.prepared.target,
            program,
            cases,
            label=label,
            concurrency=self.prepared.model.concurrency,
            progress=self.run.progress,
        )
        scored = self.calls.run(work)
        answered = sum(outcome is not None for outcome in scored.outcomes)
        self._calls_a_case = max(self._calls_a_case, (self.budget.asked - asked) / max(1, answered))
        return scored

    def optimize(self) -> tuple[ProgramState, str]:
        """Return the best state, and how the optimizer ended. Enough calls are kept back to score that state."""
        prepared, say = self.prepared, self.run.progress.say
        self.budget.limit = self._limit_of_optimizer()
        recorder = Recorder()
        evaluator = Evaluator(prepared.target.answer, recorder, self.calls, self._report)
        say(f"{self.optimizer}: {len(prepared.cases.train)} cases to learn from")
        try:
            with output_to_log(self.run.progress.console):
                compiled = optimize(self.optimizer, Task(prepared.uncompiled(), evaluator), self._inputs())
            return program_state(compiled.program), "it ran to its end"
        except BudgetSpent:
            evaluator.stop()
            best = recorder.best(prepared.cases.dev, prepared.cases.train) or program_state(prepared.uncompiled())
            return best, f"ended by --budget-calls {self._limit}, with the best so far"
        except Hopeless as error:
            raise ModelError(f"{self.calls.context.stage}: {error}") from error
        finally:
            evaluator.stop()
            self.budget.limit = self._limit

    def calibrated(self, program: dspy.Module) -> Calibration | None:
        """Fit the threshold of a sentencewise analyst on train, and let the program use it; None without scores."""
        support = self._support_to_calibrate(program)
        if support is None:
            return None
        self.run.progress.say(f"calibration: {len(self.prepared.train)} cases")
        support.ask_support.lm = dspy.settings.lm  # the calibration names its model
        try:
            rows = self.calls.run(support_rows(support, self.prepared.train))
            calibration = calibration_of(rows, support)
        except (DataError, BudgetSpent) as problem:
            self.run.progress.say(f"  none fitted: {problem}")
            return None
        finally:
            support.ask_support.lm = None
        use_calibration(program, calibration)
        return calibration

    def _report(self, scored: int) -> None:
        """Print a line every ten seconds. Nobody knows beforehand how many calls an optimizer will make."""
        if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.run.progress.say(f"  {self.optimizer}: {scored} answers scored, {self.budget.sent} calls sent")

    def _limit_of_optimizer(self) -> int | None:
        if self._limit is None:
            return None
        cases = len(self.prepared.cases.dev) + 2 * len(self.prepared.cases.test)
        scoring = self._calls_of_calibration() + round(self._calls_a_case * cases + 0.5)
        if self._limit - scoring <= self.budget.sent:
            raise DataError(
                f"--budget-calls {self._limit}: scoring alone takes about {self.budget.sent + scoring} calls, which "
                f"leaves none for {self.optimizer}: allow more"
            )
        return self._limit - scoring

    def _calls_of_calibration(self) -> int:
        support = self._support_to_calibrate(self.prepared.uncompiled())
        if support is None:
            return 0
        samples: int = support.samples
        return samples * sum(len(split_sentences(example.summary)) for example in self.prepared.train)

    def _support_to_calibrate(self, program: dspy.Module) -> SentenceSupport | None:
        """The support question of an analyst, if its answers come with scores."""
        if self.prepared.target.name != "analyze":
            return None
        supports: list[SentenceSupport] = [part for _, part in program.named_sub_modules(SentenceSupport)]
        return supports[0] if any(part.logprobs or part.samples > 1 for part in supports) else None

    def _inputs(self) -> OptimizerInputs:
        config = self.run.config
        return OptimizerInputs(
            train=self.prepared.examples(self.prepared.cases.train),
            dev=self.prepared.examples(self.prepared.cases.dev),
            prompt_model=build_lm(config.models.prompt, seed=config.seed, context=self.calls.context),
            reflection_model=build_lm(config.models.reflection, seed=config.seed, context=self.calls.context),
            threads=self.prepared.model.concurrency,
            config=config,
        )

"""Keeps DSPy's optimizers off standard output, which belongs to the command's result.

One compilation at work: scoring, the optimizer within its budget, and the fitted decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import Iterator

import dspy
from rich.console import Console

from arf_programs.compiling.cases import Case
from arf_programs.compiling.optimizers import Workshop, optimize
from arf_programs.compiling.prepare import Prepared, refuse_leaks
from arf_programs.compiling.scoring import Scored, score_cases
from arf_programs.compiling.targets import LabeledSet
from arf_programs.compiling.task import Bench, Hopeless, Recorder, Task
from arf_programs.config import OptimizerName
from arf_programs.models import BudgetSpent, CallBudget, build_lm
from arf_programs.programs import (
    Calibration,
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
from signatures.exceptions import DataError, ModelError


@contextlib.contextmanager
def quietly(console: Console) -> Iterator[None]:
    """Within this context prints and progress bars go to the log `arf_programs.compiling`, seen with `-v`.

    `console` goes on writing where it did.
    """
    console.file = console.file  # bound to the stream itself: otherwise it would look for the redirected one
    log = logging.getLogger("arf_programs.compiling")
    lines = _LogLines(log)
    with contextlib.redirect_stdout(lines), contextlib.redirect_stderr(lines):
        yield


class _LogLines(io.TextIOBase):
    """A text stream each line of which is one entry of a log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        for line in lines:
            if line.strip():
                self._log.info(line)
        return len(text)


_SECONDS_BETWEEN_LINES = 10.0


class Job:
    """One compilation at work."""

    def __init__(
        self, run: Run, prepared: Prepared, optimizer: OptimizerName, budget: CallBudget, limit: int | None
    ) -> None:
        self.run = run
        self.prepared = prepared
        self.cases = prepared.cases
        self.optimizer = optimizer
        self.budget = budget
        self.limit = limit
        self.model = run.config.models.of(prepared.target.role)
        self.nearest = run.config.compile.optimizers.knn_fewshot.k if optimizer == "knn_fewshot" else None
        self.stage = f"compile {prepared.target.name}"
        self._calls_a_case = 0.0
        self._told = time.monotonic()
        refuse_leaks(self.uncompiled(), prepared.cases)

    def uncompiled(self) -> dspy.Module:
        return self.prepared.target.build(self.prepared.train)

    def loaded(self, state: ProgramState) -> dspy.Module:
        """The program as it will be loaded: what is scored is what is saved."""
        program = self.uncompiled()
        apply_state(program, state, self.nearest)
        refuse_leaks(program, self.cases)
        return program

    def calibrated(self, program: dspy.Module) -> Calibration | None:
        """Fit the decision of a sentencewise analyser on train, and let the program use it; None where it cannot be."""
        supports = [part for _, part in program.named_sub_modules(SentenceSupport)]
        if self.prepared.target.name != "analyze" or not any(part.logprobs or part.samples > 1 for part in supports):
            return None
        self.run.progress.say(f"calibration: {len(self.cases.train)} cases")
        try:
            calibration = fitted_calibration(supports[0], self.prepared.train)
        except (DataError, BudgetSpent) as problem:
            self.run.progress.say(f"  none fitted: {problem}")
            return None
        use_calibration(program, calibration)
        return calibration

    def score(self, program: dspy.Module, side: str, what: str) -> Scored:
        cases: tuple[Case, ...] = getattr(self.cases, side)
        self.run.progress.say(f"{side}, {what}: {len(cases)} cases")
        asked = self.budget.asked
        scored = score_cases(
            self.prepared.target,
            program,
            cases,
            label=f"{side}, {what}",
            concurrency=self.model.concurrency,
            progress=self.run.progress,
        )
        answered = sum(outcome is not None for outcome in scored.outcomes)
        self._calls_a_case = max(self._calls_a_case, (self.budget.asked - asked) / max(1, answered))
        return scored

    def optimize(self) -> tuple[ProgramState, str]:
        """The best state and how the optimizer ended; calls are kept back for scoring what it finds."""
        self.budget.limit = self._limit_of_optimizer()
        recorder = Recorder()
        bench = Bench(self.prepared.target.answer, recorder, self.stage, self._tell)
        student = Task(self.uncompiled(), bench)
        self.run.progress.say(f"{self.optimizer}: {len(self.cases.train)} cases to learn from")
        try:
            with quietly(self.run.progress.console):
                compiled = optimize(self.optimizer, student, self._workshop())
            return program_state(compiled.program), "it ran to its end"
        except BudgetSpent:
            bench.stop()
            best = recorder.best(self.cases.dev, self.cases.train)
            return best or program_state(
                self.uncompiled()
            ), f"ended by --budget-calls {self.limit}, with the best so far"
        except Hopeless as error:
            raise ModelError(f"{self.stage}: {error}") from error
        finally:
            bench.stop()
            self.budget.limit = self.limit

    def _tell(self, scored: int) -> None:
        """A line every ten seconds: how much an optimizer will ask in all is not known before."""
        if time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.run.progress.say(f"  {self.optimizer}: {scored} answers scored, {self.budget.sent} calls sent")

    def _limit_of_optimizer(self) -> int | None:
        if self.limit is None:
            return None
        cases = len(self.cases.dev) + 2 * len(self.cases.test)
        scoring = self._calls_of_calibration() + round(self._calls_a_case * cases + 0.5)
        if self.limit - scoring <= self.budget.sent:
            raise DataError(
                f"--budget-calls {self.limit}: scoring alone takes about {self.budget.sent + scoring} calls, which "
                f"leaves none for {self.optimizer}: allow more"
            )
        return self.limit - scoring

    def _calls_of_calibration(self) -> int:
        supports = [part for _, part in self.uncompiled().named_sub_modules(SentenceSupport)]
        if self.prepared.target.name != "analyze" or not any(part.logprobs or part.samples > 1 for part in supports):
            return 0
        samples: int = supports[0].samples
        return samples * sum(len(split_sentences(example.summary)) for example in self.prepared.train)

    def _workshop(self) -> Workshop:
        config = self.run.config
        return Workshop(
            train=self.prepared.examples(self.cases.train),
            dev=self.prepared.examples(self.cases.dev),
            prompt_model=build_lm(config.models.prompt, seed=config.seed),
            reflection_model=build_lm(config.models.reflection, seed=config.seed),
            threads=self.model.concurrency,
            config=config,
        )


def fitted_calibration(support: SentenceSupport, examples: LabeledSet) -> Calibration:
    """The calibration of a support question on labelled examples. Raises DataError where the scores give none."""
    asked = support.ask_support
    asked.lm = dspy.settings.lm
    try:
        return calibration_of(asyncio.run(support_rows(support, examples)), support)
    finally:
        asked.lm = None

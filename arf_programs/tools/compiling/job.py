"""One compilation: its preparation before any call, the scores of programs, the optimizer, and the threshold.

The preparation gives the target, the labelled set by side, and the prompts as a model would see them. The optimizer
runs within the budget. The threshold is that of a sentencewise analyst.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dspy

from arf_programs.config import ModelConfig, OptimizerName, TargetName
from arf_programs.corpus import load_configured_taxonomy, load_labeled_of_corpus, read_taxonomy, refuse_no_labels
from arf_programs.metrics import Calibration
from arf_programs.models import BudgetSpent, CallBudget, build_lm
from arf_programs.programs import (
    PlainAdapter,
    ProgramState,
    SentenceSupport,
    SupportAdapter,
    apply_state,
    calibration_of,
    demos_for,
    plain_demos,
    program_state,
    support_rows,
    use_calibration,
)
from arf_programs.runs import Run
from arf_programs.text import split_sentences
from arf_programs.tools.compiling.cases import Case, Cases, split_cases
from arf_programs.tools.compiling.optimizers import OptimizerInputs, optimize, output_to_log
from arf_programs.tools.compiling.scoring import Scored, score_cases
from arf_programs.tools.compiling.targets import LabeledSet, Target, make_target
from arf_programs.tools.compiling.task import Evaluator, Hopeless, Recorder, SharedCalls, Task
from signatures.exceptions import DataError, ModelError
from signatures.records import Taxonomy

_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Prepared:
    """The target with its model, the cases by side, and the taxonomy. `left_out` counts the examples of no use."""

    target: Target
    model: ModelConfig
    cases: Cases
    taxonomy: Taxonomy
    left_out: int

    @property
    def train(self) -> LabeledSet:
        return tuple(case.labeled for case in self.cases.train)

    def uncompiled(self) -> dspy.Module:
        return self.target.build(self.train)

    def sample_values(self) -> dict[str, Any]:
        """The fields of the case whose prompt is shown: the last of train."""
        return self.target.fields((self.train[-1],))[0]

    def examples(self, side: tuple[Case, ...]) -> list[dspy.Example]:
        """The cases of a side for an optimizer. The case is the whole input; labels are fields of demonstrations."""
        shown = self.target.fields(tuple(case.labeled for case in side))
        return [dspy.Example(case=case, **fields).with_inputs("case") for case, fields in zip(side, shown, strict=True)]


def prepare_target(run: Run, name: TargetName) -> Prepared:
    """Split the labelled set and make the target. Raises UserError for what the user can mend."""
    # Compiling needs no holdout, unlike a run, so the whole corpus may be labelled.
    refuse_no_labels(run.config.labeled)
    labeled = load_labeled_of_corpus(run)
    config = run.config
    written = run.folder.taxonomy
    taxonomy = read_taxonomy(written) if written.exists() else load_configured_taxonomy(run)
    everything = split_cases(
        labeled, shares=config.compile.split, seed=config.seed, near_duplicate=config.corpus.near_duplicate
    )
    target = make_target(name, run, taxonomy)
    cases = everything.only(target.wanted, what=target.what)
    return Prepared(target, config.models.of(target.role), cases, taxonomy, len(labeled) - sum(cases.sizes().values()))


def refuse_leaks(program: dspy.Module, cases: Cases) -> None:
    """Raise DataError if a demonstration shows a conversation of dev or test. Assisting programs are checked too."""
    hidden = {
        text
        for case in (*cases.dev, *cases.test)
        for text in (case.labeled.conversation.as_text(), case.labeled.conversation.as_numbered_text())
    }
    for name, predictor in program.named_sub_modules(dspy.Predict):
        if any(demo.get("conversation") in hidden for demo in plain_demos(predictor)):
            raise DataError(
                f"{name} is shown a labelled conversation that it would be scored on: compile the programs under the "
                "same seed and compile.split, or set programs.* to null"
            )


def rendered_prompts(program: dspy.Module, values: Mapping[str, Any]) -> dict[str, str]:
    """The messages of one call, for each predictor that can be compiled, by the adapter that sends them.

    `values` holds inputs by field name. A missing field is shown as `<name>`.
    """
    # Two programs bring an adapter of their own.
    adapters = {"summarize": PlainAdapter, "ask_support": SupportAdapter}
    prompts = {}
    for name, predictor in program.named_predictors():
        adapter = adapters.get(name.rpartition(".")[2], dspy.JSONAdapter)()
        inputs = {field: values.get(field, f"<{field}>") for field in predictor.signature.input_fields}
        messages = adapter.format(predictor.signature, demos_for(predictor, inputs), inputs)
        prompts[name] = "\n\n".join(f"--- {message['role']} ---\n{message['content']}" for message in messages)
    return prompts


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
        """Print a line every ten seconds, since nobody knows beforehand how many calls an optimizer will make."""
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

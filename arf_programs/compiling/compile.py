"""The story of `arf compile`: split, score as it is, optimise, score again, decide, save."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dspy

from arf_programs.calibration import Calibration
from arf_programs.compiling.card import Card, SideScores, Spent
from arf_programs.compiling.cases import Case, Cases, split_cases
from arf_programs.compiling.optimizers import Workshop, check_optimizer, optimize
from arf_programs.compiling.prompts import rendered_prompts
from arf_programs.compiling.quiet import quietly
from arf_programs.compiling.recorder import Recorder
from arf_programs.compiling.saved import TARGET_ROLES, apply_state, use_calibration, use_compiled
from arf_programs.compiling.scoring import Scored, compare, score_cases
from arf_programs.compiling.state import ProgramState, plain_demos, program_state
from arf_programs.compiling.targets import LabeledSet, Target, TargetName, make_target
from arf_programs.compiling.task import Bench, Hopeless, Task
from arf_programs.compiling.write import make_card, write_program
from arf_programs.config.compile import OptimizerName
from arf_programs.config.models import Role
from arf_programs.corpus.read import read_corpus
from arf_programs.labeled import read_labeled
from arf_programs.models.call_budget import BudgetSpent, CallBudget
from arf_programs.models.call_store import call_store, calls_of, read_ledger
from arf_programs.models.lm import build_lm, check_providers
from arf_programs.programs.support import SentenceSupport
from arf_programs.programs.support_scores import calibration_of, support_rows
from arf_programs.run import Run
from arf_programs.sentences import split_sentences
from arf_programs.taxonomy.files import read_taxonomy
from arf_programs.taxonomy.seed import seed_taxonomy
from signatures.exceptions import DataError, ModelError
from signatures.records import Taxonomy

_SECONDS_BETWEEN_LINES = 10.0
_NO_LIMIT = 1_000_000_000  # of failed examples: a failed one scores 0, and DSPy is not to give up over it


@dataclass(frozen=True)
class Prepared:
    """What is known before any call: the cases by side, the target, and the taxonomy."""

    target: Target
    cases: Cases
    taxonomy: Taxonomy
    left_out: int

    @property
    def train(self) -> LabeledSet:
        return tuple(case.labeled for case in self.cases.train)

    def examples(self, side: tuple[Case, ...]) -> list[dspy.Example]:
        """The cases of a side for an optimizer: the case is all its input, labels stand beside it as demo fields."""
        shown = self.target.fields(tuple(case.labeled for case in side))
        return [dspy.Example(case=case, **fields).with_inputs("case") for case, fields in zip(side, shown, strict=True)]


def prepare(run: Run, name: TargetName) -> Prepared:
    """Split the labelled set and make the target. Raises UserError for what the user can mend."""
    labeled = _labeled(run)
    if not labeled:
        raise DataError("labeled.path: `arf compile` needs a labelled set: `arf init DIR` writes a template of one")
    config = run.config
    taxonomy = run_taxonomy(run)
    everything = split_cases(
        labeled, shares=config.compile.split, seed=config.seed, near_duplicate=config.corpus.near_duplicate
    )
    target = make_target(name, run, taxonomy, tuple(case.labeled for case in everything.train))
    cases = everything.only(target.wanted, what=target.what)
    return Prepared(target, cases, taxonomy, len(labeled) - sum(cases.sizes().values()))


def _labeled(run: Run) -> LabeledSet:
    """The labelled set; unlike a run, compiling needs no holdout, so the whole corpus may be labelled."""
    corpus = read_corpus(run.config.corpus, base_dir=run.base_dir)
    known = {item.id: item for item in corpus.conversations}
    return read_labeled(run.config.labeled, known, run.config.corpus.columns, run.base_dir)


def compile_program(
    run: Run, name: TargetName, optimizer: OptimizerName, *, budget_calls: int | None = None, force: bool = False
) -> tuple[Card, Path]:
    """Compile one program; the card, and the path of its text.

    At most `budget_calls` calls are sent; answers in the run's store are free. Raises UserError for what the user can
    mend, WorkError for what failed at work; the same call then goes on from there.
    """
    check_optimizer(optimizer)
    check_providers(run.config.models.of(role) for role in _asked_roles(run, name))
    prepared = prepare(run, name)
    job = _Job(run, prepared, optimizer, CallBudget(budget_calls), budget_calls)
    booked = len(read_ledger(run.folder.ledger))
    with _asking(run, job):
        dev_before = job.score(job.uncompiled(), "dev", "as it is")
        state, ended = job.optimize()
        after = job.loaded(state)
        calibration = job.calibrated(after)
        dev = compare(job.cases.dev, dev_before, job.score(after, "dev", "compiled"), run.config)
        test_before = job.score(job.uncompiled(), "test", "as it is")
        test = compare(job.cases.test, test_before, job.score(after, "test", "compiled"), run.config)
    better, why = verdict(dev)
    card = make_card(
        run,
        prepared,
        after,
        optimizer=optimizer,
        nearest=job.nearest,
        calibration=calibration,
        sides=(dev, test),
        adopted=better or force,
        forced=force and not better,
        why=why if better or not force else f"{why}; adopted by --force",
        ended=ended,
        spent=_spent(run, job.budget, booked),
    )
    return card, write_program(run, card, after)


def show_prompts(run: Run, name: TargetName) -> dict[str, str]:
    """The prompts of the program as configured, compiled or not, for a case of train; nothing is asked."""
    prepared = prepare(run, name)
    program = prepared.target.build(prepared.train)
    use_compiled(run, name, program)
    return rendered_prompts(program, sample_values(prepared))


def sample_values(prepared: Prepared) -> dict[str, object]:
    """The inputs of the case whose prompt is shown: the last of train."""
    return prepared.target.fields((prepared.cases.train[-1].labeled,))[0]


def fitted_calibration(support: SentenceSupport, examples: LabeledSet) -> Calibration:
    """The calibration of a support question on labelled examples. Raises DataError where the scores give none."""
    asked = support.ask_support
    asked.lm = dspy.settings.lm
    try:
        return calibration_of(asyncio.run(support_rows(support, examples)), support)
    finally:
        asked.lm = None


def run_taxonomy(run: Run) -> Taxonomy:
    """The run's taxonomy where there is one, else the configured, else the seed."""
    if run.folder.taxonomy.exists():
        return read_taxonomy(run.folder.taxonomy)
    given = run.config.analyze.taxonomy
    if given:
        beside = run.base_dir / given
        return read_taxonomy(beside if beside.exists() else Path(given))
    return seed_taxonomy()


def verdict(dev: SideScores) -> tuple[bool, str]:
    """Whether the compiled program is better on dev, and why: the interval of the difference has to lie above zero."""
    difference = dev.difference
    if difference is None or difference.n < 2:
        return False, "not shown to be better on dev (too little was scored): the old program stays in use"
    told = f"the difference on dev is {difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
    if difference.low > 0:
        return True, f"better on dev: {told}"
    return False, f"not better on dev: {told}, which reaches zero: the old program stays in use"


def _asked_roles(run: Run, name: TargetName) -> tuple[Role, ...]:
    assistants: dict[str, tuple[Role, ...]] = {"revise": ("analyst",), "summarize": ("judge",)}
    return (TARGET_ROLES[name], *assistants.get(name, ()), "prompt", "reflection")


class _Job:
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


@contextmanager
def _asking(run: Run, job: _Job) -> Iterator[None]:
    """The run's store with the budget, and the target's model under DSPy's JSON adapter."""
    lm = build_lm(job.model, seed=run.config.seed)
    with (
        warnings.catch_warnings(),
        call_store(run.folder.calls, run.folder.ledger, job.budget),
        calls_of(job.stage),
        dspy.context(lm=lm, adapter=dspy.JSONAdapter(), disable_history=True, max_errors=_NO_LIMIT),
    ):
        # LiteLLM's pydantic models warn about their own unions with each answer.
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        yield


def refuse_leaks(program: dspy.Module, cases: Cases) -> None:
    """Raise DataError where a demonstration, also of a part that only assists, shows a conversation of dev or test."""
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


def _spent(run: Run, budget: CallBudget, booked: int) -> Spent:
    calls = [call for call in read_ledger(run.folder.ledger)[booked:] if not call.cached]
    return Spent(
        sent=budget.sent,
        replayed=budget.asked - budget.sent,
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        usd=sum(call.usd for call in calls),
    )

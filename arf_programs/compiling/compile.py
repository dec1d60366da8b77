"""The story of `arf compile`: split, score as it is, optimise, score again, decide, save."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dspy

from arf_programs.compiling.card import Card, SideScores, Spent
from arf_programs.compiling.job import Job
from arf_programs.compiling.optimizers import check_optimizer
from arf_programs.compiling.prepare import prepare, sample_values
from arf_programs.compiling.prompts import rendered_prompts
from arf_programs.compiling.saved import TARGET_ROLES, use_compiled
from arf_programs.compiling.scoring import compare
from arf_programs.compiling.write import make_card, write_program
from arf_programs.config.models import Role
from arf_programs.config.names import OptimizerName, TargetName
from arf_programs.models.call_budget import CallBudget
from arf_programs.models.call_store import call_store, calls_of
from arf_programs.models.spent import read_ledger
from arf_programs.models.lm import build_lm, check_providers
from arf_programs.run import Run

_NO_LIMIT = 1_000_000_000  # of failed examples: a failed one scores 0, and DSPy is not to give up over it


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
    job = Job(run, prepared, optimizer, CallBudget(budget_calls), budget_calls)
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


@contextmanager
def _asking(run: Run, job: Job) -> Iterator[None]:
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


def _spent(run: Run, budget: CallBudget, booked: int) -> Spent:
    calls = [call for call in read_ledger(run.folder.ledger)[booked:] if call.paid]
    return Spent(
        sent=budget.sent,
        replayed=budget.asked - budget.sent,
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        usd=sum(call.usd for call in calls),
    )

"""The steps of `arf compile`: split, score the program as it is, optimise it, score it again, decide, save."""

from __future__ import annotations

from pathlib import Path

from arf_programs.config import OptimizerName, Role, TargetName
from arf_programs.models import CallBudget, check_providers
from arf_programs.programs import TARGET_ROLES, Card, Spent, use_compiled
from arf_programs.runs import Run, read_ledger
from arf_programs.tools.compiling.card import make_card, write_program
from arf_programs.tools.compiling.context import asking_context
from arf_programs.tools.compiling.job import Job
from arf_programs.tools.compiling.optimizers import check_optimizer
from arf_programs.tools.compiling.prepare import prepare, refuse_leaks, rendered_prompts
from arf_programs.tools.compiling.scoring import compare

_ASSISTANTS: dict[TargetName, tuple[Role, ...]] = {"revise": ("analyst",), "summarize": ("judge",)}


def compile_program(
    run: Run, name: TargetName, optimizer: OptimizerName, *, budget_calls: int | None = None, force: bool = False
) -> tuple[Card, Path]:
    """Compile one program; returns its card, and the path of the card's text.

    At most `budget_calls` calls are sent. Stored answers are free, so a compilation that was cut off goes on from there
    when it is called again. Raises UserError for what the user can mend, WorkError for what failed at work.
    """
    check_optimizer(optimizer)
    roles = (TARGET_ROLES[name], *_ASSISTANTS.get(name, ()), "prompt", "reflection")
    check_providers(run.config.models.of(role) for role in roles)
    prepared = prepare(run, name)
    refuse_leaks(prepared.uncompiled(), prepared.cases)
    budget = CallBudget(budget_calls)
    booked = len(read_ledger(run.folder.ledger))
    with asking_context(run, prepared.model, budget, f"compile {name}") as calls:
        job = Job(run, prepared, optimizer, budget, calls)
        dev_before = job.score(prepared.uncompiled(), "dev", "as it is")
        state, ended = job.optimize()
        program = job.loaded(state)
        calibration = job.calibrated(program)
        dev = compare(prepared.cases.dev, dev_before, job.score(program, "dev", "compiled"), run.config)
        test_before = job.score(prepared.uncompiled(), "test", "as it is")
        test = compare(prepared.cases.test, test_before, job.score(program, "test", "compiled"), run.config)
    spent = _spent(run, budget, booked)
    card = make_card(job, program, calibration=calibration, dev=dev, test=test, ended=ended, spent=spent, force=force)
    return card, write_program(run, card, program)


def show_prompts(run: Run, name: TargetName) -> dict[str, str]:
    """The prompts of the program as configured, compiled or not, for a case of train. No model is asked."""
    prepared = prepare(run, name)
    program = prepared.uncompiled()
    use_compiled(run, name, program)
    return rendered_prompts(program, prepared.sample_values())


def _spent(run: Run, budget: CallBudget, booked: int) -> Spent:
    """What was spent since the ledger had `booked` calls."""
    calls = [call for call in read_ledger(run.folder.ledger)[booked:] if call.paid]
    return Spent(
        sent=budget.sent,
        replayed=budget.asked - budget.sent,
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        usd=sum(call.usd for call in calls),
    )

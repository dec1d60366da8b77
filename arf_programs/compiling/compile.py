"""Writes a compiled program and its card: in the place where runs find it, or beside it as a candidate.

The story of `arf compile`: split, score as it is, optimise, score again, decide, save.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import dspy

from arf_programs import __version__
from arf_programs.compiling.job import Job
from arf_programs.compiling.optimizers import check_optimizer
from arf_programs.compiling.prepare import prepare, rendered_prompts, sample_values
from arf_programs.compiling.scoring import compare
from arf_programs.config import OptimizerName, Role, TargetName
from arf_programs.models import CallBudget, build_lm, call_store, calls_of, check_providers
from arf_programs.programs import (
    CALIBRATION,
    CANDIDATE,
    CANDIDATE_CALIBRATION,
    CANDIDATE_CARD,
    CANDIDATE_TEXT,
    CARD,
    CARD_TEXT,
    PROGRAM,
    TARGET_ROLES,
    Calibration,
    Card,
    SideScores,
    Spent,
    as_markdown,
    predictor_fields,
    save_state,
    strategy_of,
    use_compiled,
    write_calibration,
)
from arf_programs.runs import Run, digest, digest_model, read_ledger, write_text_atomic

if TYPE_CHECKING:
    from arf_programs.compiling.prepare import Prepared

_PACKAGES = ("dspy", "litellm", "gepa", "optuna", "scikit-learn")


def make_card(
    run: Run,
    prepared: Prepared,
    program: dspy.Module,
    *,
    optimizer: OptimizerName,
    nearest: int | None,
    calibration: Calibration | None,
    sides: tuple[SideScores, SideScores],
    adopted: bool,
    forced: bool,
    why: str,
    ended: str,
    spent: Spent,
) -> Card:
    """The card of a program that was scored on dev and test."""
    config, target = run.config, prepared.target
    model = config.models.of(target.role)
    sample = target.fields((prepared.cases.train[-1].labeled,))[0]
    return Card(
        target=target.name,
        strategy=strategy_of(run, target.name),
        predictors=predictor_fields(program),
        nearest=nearest,
        calibration=calibration,
        model=model.model,
        model_digest=digest_model(model),
        prompt_model=config.models.prompt.model,
        reflection_model=config.models.reflection.model,
        optimizer=optimizer,
        settings=getattr(config.compile.optimizers, optimizer).model_dump(mode="json"),
        seed=config.seed,
        data=run.content_digest(config.labeled.path or ""),
        taxonomy=digest(prepared.taxonomy.model_dump(mode="json")),
        split=prepared.cases.sizes(),
        left_out=prepared.left_out,
        dev=sides[0],
        test=sides[1],
        confidence=config.evaluate.confidence,
        adopted=adopted,
        forced=forced,
        why=why,
        ended=ended,
        spent=spent,
        date=datetime.now(UTC).date().isoformat(),
        versions=_versions(),
        prompts=rendered_prompts(program, sample),
    )


def write_program(run: Run, card: Card, program: dspy.Module) -> Path:
    """Write state and card into `<compile.dir>/<target>/`; the path of the card's text.

    A candidate that was not adopted leaves the program in use, and its card, as they are.
    """
    folder = run.base_dir / run.config.compile.dir / card.target
    adopted = (PROGRAM, CARD, CARD_TEXT, CALIBRATION)
    names = adopted if card.adopted else (CANDIDATE, CANDIDATE_CARD, CANDIDATE_TEXT, CANDIDATE_CALIBRATION)
    save_state(program, folder / names[0])
    (folder / names[3]).unlink(missing_ok=True)
    if card.calibration is not None:
        # For `analyze.calibration` of other configurations; a compiled program brings its own by its card.
        write_calibration(folder / names[3], card.calibration)
    write_text_atomic(folder / names[2], as_markdown(card))
    write_text_atomic(folder / names[1], card.model_dump_json(indent=2) + "\n")
    return folder / names[2]


def _versions() -> dict[str, str]:
    found = {"arf": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


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
        call_store(run.calls, run.folder.ledger, job.budget),
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

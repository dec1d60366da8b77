"""The steps of `arf compile`: split, score the program, optimise it, score it again, decide, save.

A card says what came out. It is saved beside the program, for machines and as a text for people.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dspy

from arf_programs import __version__
from arf_programs.config import OptimizerName, Role, TargetName, mask
from arf_programs.metrics import Calibration, Interval
from arf_programs.models import CallBudget, check_providers
from arf_programs.programs import (
    CANDIDATE,
    CARD,
    PROGRAM,
    TARGET_ROLES,
    Card,
    SideScores,
    Spent,
    plain_demos,
    predictor_fields,
    strategy_of,
    use_compiled,
)
from arf_programs.report import markdown_table
from arf_programs.runs import Run, digest, digest_model, read_ledger, write_record, write_text_atomic
from arf_programs.tools.compiling.job import Job, prepare_target, refuse_leaks, rendered_prompts
from arf_programs.tools.compiling.optimizers import check_optimizer
from arf_programs.tools.compiling.scoring import compare
from arf_programs.tools.compiling.task import asking_context

_ASSISTANTS: dict[TargetName, tuple[Role, ...]] = {"revise": ("analyst",), "summarize": ("judge",)}
_PACKAGES = ("dspy", "litellm", "gepa", "optuna", "scikit-learn")
# The files of a program in use: program, card, text of the card, calibration; and those of a candidate.
_IN_USE = (PROGRAM, CARD, "card.md", "calibration.json")
_CANDIDATE = (CANDIDATE, "candidate-card.json", "candidate-card.md", "candidate-calibration.json")


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
    prepared = prepare_target(run, name)
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
    prepared = prepare_target(run, name)
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


def make_card(
    job: Job,
    program: dspy.Module,
    *,
    calibration: Calibration | None,
    dev: SideScores,
    test: SideScores,
    ended: str,
    spent: Spent,
    force: bool,
) -> Card:
    """The card of a program that was scored on dev and test. It is adopted if it is better on dev, or by `force`."""
    config, prepared = job.run.config, job.prepared
    target = prepared.target
    better, why = verdict(dev)
    forced = force and not better
    return Card(
        target=target.name,
        strategy=strategy_of(job.run, target.name),
        predictors=predictor_fields(program),
        nearest=job.nearest,
        calibration=calibration,
        model=prepared.model.model,
        model_digest=digest_model(prepared.model),
        prompt_model=config.models.prompt.model,
        reflection_model=config.models.reflection.model,
        optimizer=job.optimizer,
        settings=getattr(config.compile.optimizers, job.optimizer).model_dump(mode="json"),
        seed=config.seed,
        data=job.run.content_digest(config.labeled.path or ""),
        taxonomy=digest(prepared.taxonomy.model_dump(mode="json")),
        split=prepared.cases.sizes(),
        left_out=prepared.left_out,
        dev=dev,
        test=test,
        confidence=config.evaluate.confidence,
        adopted=better or forced,
        forced=forced,
        why=f"{why}; adopted by --force" if forced else why,
        ended=ended,
        spent=spent,
        date=datetime.now(UTC).date().isoformat(),
        versions=_versions(),
        prompts=rendered_prompts(program, prepared.sample_values()),
    )


def verdict(dev: SideScores) -> tuple[bool, str]:
    """Whether the compiled program is better on dev, and why: the interval of the difference has to lie above zero."""
    difference = dev.difference
    if difference is None or difference.n < 2:
        return False, "not shown to be better on dev (too little was scored): the old program stays in use"
    measured = f"the difference on dev is {difference.text('+.3f')}"
    if difference.low > 0:
        return True, f"better on dev: {measured}"
    return False, f"not better on dev: {measured}, which reaches zero: the old program stays in use"


def write_program(run: Run, card: Card, program: dspy.Module) -> Path:
    """Write program and card into `<compile.dir>/<target>/`, and return the path of the card's text.

    A candidate that was not adopted leaves the files of the program in use as they are.
    """
    folder = run.base_dir / run.config.compile.dir / card.target
    state, record, text, calibration = (folder / name for name in (_IN_USE if card.adopted else _CANDIDATE))
    save_state(program, state)
    calibration.unlink(missing_ok=True)
    if card.calibration is not None:
        # For `analyze.calibration` of other configurations. The compiled program itself reads it from its card.
        write_record(calibration, card.calibration)
    write_text_atomic(text, as_markdown(card))
    write_record(record, card)
    return text


def save_state(program: dspy.Module, path: Path) -> None:
    """Write a program's state as JSON by DSPy's own `save`. The file is replaced as a whole."""
    bare = program.deepcopy()
    for predictor in bare.predictors():
        predictor.demos = [dspy.Example(**demo) for demo in plain_demos(predictor)]
        predictor.lm = None
    part = path.with_name(f".{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    bare.save(str(part), save_program=False)
    part.write_text(mask(part.read_text(encoding="utf-8")), encoding="utf-8")
    part.replace(path)


def as_markdown(card: Card) -> str:
    """The text of the card, for people."""
    state = "In use" if card.adopted else "Not in use"
    lines = [f"# {card.target}, compiled by {card.optimizer}", "", f"{state}: {card.why}", ""]
    rows = [(name, str(side.cases), *score_texts(side)) for name, side in (("dev", card.dev), ("test", card.test))]
    lines.append(markdown_table(("side", "cases", "before", "after", "difference"), rows))
    lines += ["", f"Scores are from 0 to 1, with {card.confidence:.0%} intervals over conversations.", ""]
    lines += [f"- {line}" for line in _facts(card)]
    for name, prompt in card.prompts.items():
        lines += ["", f"## The prompt of `{name}`", "", "````text", prompt, "````"]
    return "\n".join(lines) + "\n"


def _interval_text(interval: Interval | None, *, signed: bool = False) -> str:
    """An interval as 0.520 (0.400 to 0.630); a dash if nothing was measured."""
    return "-" if interval is None else interval.text("+.3f" if signed else ".3f")


def score_texts(side: SideScores) -> tuple[str, str, str]:
    """Write the scores of a side before and after, and their difference."""
    return _interval_text(side.before), _interval_text(side.after), _interval_text(side.difference, signed=True)


def _facts(card: Card) -> list[str]:
    spent = card.spent
    facts = [
        f"program: {', '.join(filter(None, (card.target, card.strategy)))}, with {', '.join(card.predictors)}",
        f"model: {card.model}; prompt model: {card.prompt_model}; reflection model: {card.reflection_model}",
        f"optimizer: {card.optimizer} {card.settings}, seed {card.seed}; {card.ended}",
        f"labelled set: {card.data}, {card.split}, {card.left_out} examples left out; taxonomy {card.taxonomy}",
        f"calls: {spent.sent} sent and {spent.replayed} replayed; {spent.prompt_tokens} prompt and "
        f"{spent.completion_tokens} completion tokens; {spent.usd:.4f} USD",
        f"date: {card.date}; versions: {', '.join(f'{name} {version}' for name, version in card.versions.items())}",
    ]
    if card.calibration is not None:
        fitted = card.calibration
        facts.append(
            f"calibration, fitted on {fitted.n} sentences of train ({fitted.positives} unsupported): a sentence is "
            f"flagged from {fitted.threshold:.3f} on; area under the curve {fitted.auc:.3f} on the same sentences"
        )
    for name, side in (("dev", card.dev), ("test", card.test)):
        facts += [
            f"{name}, {measure}: {_number(side.measures_before[measure])} before, {_number(value)} after"
            for measure, value in side.measures_after.items()
            if measure in side.measures_before
        ]
        if side.failed_before or side.failed_after or side.unscored:
            facts.append(
                f"{name}: without a usable answer {side.failed_before} before and {side.failed_after} after; "
                f"{side.unscored} not scored, since the budget was spent"
            )
    return facts


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _versions() -> dict[str, str]:
    versions = {"arf": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions

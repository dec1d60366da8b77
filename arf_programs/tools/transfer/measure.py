"""Score a compiled program and the uncompiled one on several models, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import dspy

from arf_programs.config import ROLES, Config, ModelConfig
from arf_programs.models import check_providers, close_models
from arf_programs.programs import TARGET_ROLES, SideScores, apply_state, predictor_fields, use_calibration
from arf_programs.runner import budget_of
from arf_programs.runs import Run, digest_model, write_record
from arf_programs.tools.compiling import (
    Case,
    Prepared,
    Scored,
    asking_context,
    compare,
    prepare_target,
    refuse_leaks,
    score_cases,
)
from arf_programs.tools.transfer.program import SavedProgram
from arf_programs.tools.transfer.table import Transfer, TransferRow, read_table
from signatures.exceptions import BudgetError, ConfigError


def measure_transfer(run: Run, program: SavedProgram, names: Sequence[str]) -> Transfer:
    """Score the program on each of the models named, and write the table beside it, model by model.

    The cases are dev and test of the labelled set, split as `arf compile` does, so no demonstration shows one of them.
    Stored answers are free, so a command that was stopped goes on from there. Rows of other models stay in the table
    if program and labelled set are the same. Raises UserError for what the user can mend, BudgetError when a cap of
    `budget` is reached, and WorkError for what failed at work.
    """
    models = [_named(run.config, program, name) for name in names]
    check_providers(models)
    runs = [_asking(run, program, model) for model in models]
    for one in runs:
        refuse_leaks(one.compiled(), one.prepared.cases)
    table = _table(run, program, runs[0].prepared)
    for one in runs:
        table = table.with_row(one.measure())
        write_record(program.table, table)
        close_models()
    return table


def _named(config: Config, program: SavedProgram, name: str) -> ModelConfig:
    """Return the model of the configuration with this string, that of the program's own role first, else a new one."""
    roles = (TARGET_ROLES[program.target], *ROLES)
    asked = [config.models.asked((role,)).get(role) for role in roles]
    known = [model for model in (*asked, *config.models.editors, *config.evaluate.systems.values()) if model]
    return next((model for model in known if model.model == name), None) or ModelConfig(model=name)


def _table(run: Run, program: SavedProgram, prepared: Prepared) -> Transfer:
    """Return the table to fill: the one that is there, if it is about the same program and labels, else a new one."""
    card, sizes = program.card, prepared.cases.sizes()
    new = Transfer(
        target=card.target,
        strategy=card.strategy,
        program=program.digest,
        compiled_with=card.model,
        optimizer=card.optimizer,
        data=run.content_digest(run.config.labeled.path or ""),
        cases={"dev": sizes["dev"], "test": sizes["test"]},
        confidence=run.config.evaluate.confidence,
    )
    there = read_table(program.table)
    return there if there is not None and there.model_copy(update={"rows": ()}) == new else new


@dataclass(frozen=True)
class _Measurement:
    """The program on one model. `run` has the model in the program's role."""

    run: Run
    program: SavedProgram
    prepared: Prepared

    @property
    def cases(self) -> tuple[Case, ...]:
        return (*self.prepared.cases.dev, *self.prepared.cases.test)

    def compiled(self) -> dspy.Module:
        """Load the program as a run does."""
        card, program = self.program.card, self.prepared.uncompiled()
        apply_state(program, self.program.state, card.nearest)
        if card.calibration is not None:
            use_calibration(program, card.calibration)
        return program

    def measure(self) -> TransferRow:
        model = self.prepared.model
        with asking_context(self.run, model, budget_of(self.run), f"transfer {self.program.target}") as calls:
            before, after = (
                calls.run(self._score(program, what))
                for program, what in ((self.prepared.uncompiled(), "uncompiled"), (self.compiled(), "compiled"))
            )
        scores: SideScores = compare(self.cases, before, after, self.run.config)
        if scores.unscored:
            raise BudgetError(
                f"the budget is spent, and {scores.unscored} cases of {model.model} are not scored: raise `budget`; "
                "the same command goes on from there"
            )
        return TransferRow(model=model.model, model_digest=digest_model(model), scores=scores)

    async def _score(self, program: dspy.Module, what: str) -> Scored:
        prepared, progress = self.prepared, self.run.progress
        label = f"{prepared.model.model}, {what}"
        progress.say(f"{label}: {len(self.cases)} cases")
        flight = prepared.model.concurrency
        return await score_cases(
            prepared.target, program, self.cases, label=label, concurrency=flight, progress=progress
        )


def _asking(run: Run, program: SavedProgram, model: ModelConfig) -> _Measurement:
    """Put the model into the program's role, and ask in the way for which the program was compiled.

    Raises ConfigError if the program answers other questions than this version asks.
    """
    card = program.card
    models = run.config.models.model_copy(update={TARGET_ROLES[program.target]: model})
    config = run.config.model_copy(update={"models": models})
    for update in _ways(config, program):
        one = replace(run, config=config.model_copy(update=update))
        measurement = _Measurement(one, program, prepare_target(one, program.target))
        fields = predictor_fields(measurement.prepared.uncompiled())
        if all(fields.get(name) == compiled for name, compiled in card.predictors.items()):
            return measurement
    raise ConfigError(
        f"{program.path}: compiled for other questions than this version asks ({', '.join(card.predictors)}): compile "
        "again"
    )


def _ways(config: Config, program: SavedProgram) -> list[dict[str, object]]:
    """Return the settings by which the program may have been compiled. The card names the strategy alone."""
    strategy = program.card.strategy
    match program.target:
        case "analyze":
            return [{"analyze": config.analyze.model_copy(update={"strategy": strategy})}]
        case "revise":
            return [
                {"revise": config.revise.model_copy(update={"strategy": strategy, "edits": form})}
                for form in ("together", "one_by_one")
            ]
        case _:
            return [{}]

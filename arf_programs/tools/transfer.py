"""`arf transfer`: a compiled program on other models, beside the uncompiled one. `arf check` reads the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dspy
from pydantic import TypeAdapter, ValidationError

from arf_programs.config import ROLES, Config, ModelConfig, TargetName
from arf_programs.models import check_providers, close_models
from arf_programs.programs import (
    CANDIDATE,
    CARD,
    PROGRAM,
    TARGET_ROLES,
    Card,
    ProgramState,
    SideScores,
    apply_state,
    predictor_fields,
    program_folder,
    read_card,
    use_calibration,
)
from arf_programs.runner import budget_of
from arf_programs.runs import Run, digest_file, digest_model, write_record
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
from signatures.exceptions import BudgetError, ConfigError, DataError
from signatures.records import Record


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
    for update in _possible_settings(config, program):
        one = replace(run, config=config.model_copy(update=update))
        measurement = _Measurement(one, program, prepare_target(one, program.target))
        fields = predictor_fields(measurement.prepared.uncompiled())
        if all(fields.get(name) == compiled for name, compiled in card.predictors.items()):
            return measurement
    raise ConfigError(
        f"{program.path}: compiled for other questions than this version asks ({', '.join(card.predictors)}): compile "
        "again"
    )


def _possible_settings(config: Config, program: SavedProgram) -> list[dict[str, object]]:
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


TABLE = "transfer.json"
_CONFIG = "arf.yaml"
_BEFORE = "candidate-"  # of the card and the table of a program that was not adopted


@dataclass(frozen=True)
class SavedProgram:
    """A compiled program: the file of its state, the state, and its card."""

    path: Path
    state: ProgramState
    card: Card
    target: TargetName

    @property
    def table(self) -> Path:
        """The file of its figures on other models."""
        return table_of(self.path)

    @property
    def digest(self) -> str:
        return digest_file(self.path)


def table_of(program: Path) -> Path:
    """Return the file of the figures of a program on other models. It lies beside the program."""
    return program.with_name(f"{_BEFORE if program.name == CANDIDATE else ''}{TABLE}")


def read_program(path: Path) -> SavedProgram:
    """Read a compiled program by its folder, or by its file: program.json, or candidate.json if it was not adopted.

    Raises ConfigError if there is none, or one of another version.
    """
    file = path / PROGRAM if path.is_dir() else path
    if file.name not in (PROGRAM, CANDIDATE) or not file.is_file():
        raise ConfigError(f"{path}: no compiled program{_other(path)}: `arf compile TARGET CONFIG` makes one")
    card = file.with_name(f"{_BEFORE}{CARD}" if file.name == CANDIDATE else CARD)
    try:
        state: ProgramState = json.loads(file.read_text(encoding="utf-8"))
        made = Card.model_validate_json(card.read_text(encoding="utf-8"))
        target: TargetName = TypeAdapter(TargetName).validate_python(made.target)
        return SavedProgram(file, state, made, target)
    except FileNotFoundError:
        raise ConfigError(f"{card} is missing, which says how {file.name} was made: compile again") from None
    except ValidationError as error:
        raise ConfigError(f"{card} is no card of this version: compile again ({error})") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as a program's state ({error}): compile again") from None


def _other(path: Path) -> str:
    if (path / CANDIDATE).is_file():
        return f" in use there; name {path / CANDIDATE}, which was not adopted, to measure that"
    found = sorted(file.parent.name for file in path.glob(f"*/{PROGRAM}")) if path.is_dir() else []
    return f" in it, but in {', '.join(str(path / name) for name in found)}" if found else ""


def find_config(program: Path) -> Path:
    """Return the arf.yaml in the nearest folder above a program. Raises ConfigError if there is none."""
    for folder in program.resolve().parents:
        if (folder / _CONFIG).is_file():
            return folder / _CONFIG
    raise ConfigError(f"{program}: no {_CONFIG} in a folder above it: name the configuration by --config")


class TransferRow(Record):
    """One model: the scores `before` are those of the uncompiled program, those `after` of the compiled one."""

    model: str
    model_digest: str
    scores: SideScores

    @property
    def verdict(self) -> str:
        """Return `better`, `worse` or `not shown`: the compiled program against the uncompiled one on this model."""
        difference = self.scores.difference
        if difference is None or difference.n < 2 or difference.low <= 0 <= difference.high:
            return "not shown"
        return "better" if difference.low > 0 else "worse"


class Transfer(Record):
    """The figures of one compiled program. `program` and `data` are hashes of its state and of the labelled set.

    The cases are those that the optimizer did not learn from: dev and test.
    """

    target: str
    strategy: str
    program: str
    compiled_with: str
    optimizer: str
    data: str
    cases: dict[str, int]
    confidence: float
    rows: tuple[TransferRow, ...] = ()

    def with_row(self, row: TransferRow) -> Transfer:
        """Return the table with this row, in the place of an earlier one of the same model."""
        kept = [other for other in self.rows if other.model_digest != row.model_digest]
        return self.model_copy(update={"rows": (*kept, row)})


def transfer_notes(run: Run) -> tuple[list[str], list[str]]:
    """Say from the tables whether to compile again: (what is good, warnings), a line for each swapped model at most.

    A program without a table, or one that is used with the model that it was compiled with, gives no line. Raises
    DataError for a table that cannot be read.
    """
    good: list[str] = []
    warnings: list[str] = []
    for target, role in TARGET_ROLES.items():
        folder, model = program_folder(run, target), run.config.models.asked((role,)).get(role)
        if folder is None or model is None or not (folder / CARD).is_file():
            continue
        if read_card(folder, target).model_digest == digest_model(model):
            continue
        table = read_table(table_of(folder / PROGRAM))
        if table is None:
            continue
        again = f"`arf transfer {folder} --models {model.model}` measures it"
        row = next((row for row in table.rows if row.model_digest == digest_model(model)), None)
        name = f"programs.{target}"
        if table.program != digest_file(folder / PROGRAM):
            warnings.append(f"{name}: the transfer table is about an earlier program: {again}")
        elif row is None:
            warnings.append(f"{name}: the transfer table has no figures for {model.model}: {again}")
        else:
            (good if row.verdict == "better" else warnings).append(f"{name}: {_advice(row, target)}")
    return good, warnings


def _advice(row: TransferRow, target: str) -> str:
    difference = row.scores.difference
    measured = f"on {row.model} the compiled program less the uncompiled one scores " + (
        "nothing that was measured" if difference is None else difference.text("+.3f")
    )
    match row.verdict:
        case "better":
            return f"{measured}: no need to compile again"
        case "worse":
            return f"{measured}: compile again by `arf compile {target}`, and set programs.{target} to null until then"
        case _:
            return f"{measured}, which holds 0: compile again by `arf compile {target}`"


def read_table(path: Path) -> Transfer | None:
    """Read the table of a program; None if there is none. Raises DataError for one that cannot be read."""
    try:
        return Transfer.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: cannot be read as a transfer table: remove it and measure again ({error})") from None

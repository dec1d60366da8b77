"""A compiled program in use: its state, its card, and how a run finds, checks and loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
from pydantic import Field, JsonValue, ValidationError
from pydantic_core import to_jsonable_python

from arf_programs.config import Role, find_path
from arf_programs.metrics import Calibration, Interval
from arf_programs.programs.analysis.support import SentenceSupport
from arf_programs.programs.asking import show_nearest
from arf_programs.runs import Run, digest, digest_file, digest_model
from signatures.exceptions import ConfigError
from signatures.records import Record

ProgramState = dict[str, dict[str, Any]]
_MARK = "augmented"  # DSPy's mark of a demonstration that the model wrote itself

# Files of a compiled program's folder. A candidate is a program that was not better than the one in use.
PROGRAM, CARD = "program.json", "card.json"
CANDIDATE = "candidate.json"

TARGET_ROLES: dict[str, Role] = {"analyze": "analyst", "revise": "editor", "judge": "judge", "summarize": "teacher"}


class SideScores(Record):
    """Mean scores of one side before and after, and the paired difference, with intervals over conversations.

    `failed_*` counts the cases without a usable answer, which score 0. `unscored` counts those that the budget left
    out. `measures_*` are figures of the whole side by name.
    """

    cases: int
    before: Interval | None = None
    after: Interval | None = None
    difference: Interval | None = None
    failed_before: int = 0
    failed_after: int = 0
    unscored: int = 0
    measures_before: dict[str, float | None] = Field(default_factory=dict)
    measures_after: dict[str, float | None] = Field(default_factory=dict)


class Spent(Record):
    """Calls of one `arf compile`, `sent` to a model or `replayed` from the store. Tokens and USD are of those sent."""

    sent: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0


class Card(Record):
    """Everything about one compilation. A saved state has to fit `predictors`, the fields of each predictor."""

    target: str
    strategy: str
    predictors: dict[str, list[str]]
    nearest: int | None = None
    calibration: Calibration | None = None
    model: str
    model_digest: str
    prompt_model: str
    reflection_model: str
    optimizer: str
    settings: dict[str, JsonValue]
    seed: int
    data: str
    taxonomy: str
    split: dict[str, int]
    left_out: int = 0
    dev: SideScores
    test: SideScores
    confidence: float
    adopted: bool
    forced: bool = False
    why: str
    ended: str
    spent: Spent
    date: str
    versions: dict[str, str]
    prompts: dict[str, str]


def strategy_of(run: Run, target: str) -> str:
    """The strategy of a target's program; empty if its stage has only one."""
    return {"analyze": run.config.analysis_form(), "revise": run.config.revise.strategy}.get(target, "")


def use_compiled(run: Run, target: str, program: dspy.Module) -> bool:
    """Load the compiled program that `programs.<target>` names into `program`. Returns whether it names one.

    Predictors have no model afterwards. Raises ConfigError if the folder has no compiled program, or it does not fit.
    """
    folder = program_folder(run, target)
    if folder is None:
        return False
    card = read_card(folder, target)
    _check_fit(card, run, target, program)
    apply_state(program, _read_state(folder / PROGRAM), card.nearest)
    if card.calibration is not None:
        use_calibration(program, card.calibration)
    return True


def use_calibration(program: dspy.Module, calibration: Calibration) -> None:
    """Let the support question of an analyst decide by this calibration."""
    for _, support in program.named_sub_modules(SentenceSupport):
        support.calibration = calibration


def apply_state(program: dspy.Module, state: ProgramState, nearest: int | None) -> None:
    """Load a state into the predictors that it names. With `nearest`, each call is shown that many demonstrations."""
    for name, predictor in program.named_predictors():
        if name in state:
            predictor.load_state(state[name])
            if nearest is not None:
                show_nearest(predictor, predictor.demos, nearest)


def program_fingerprint(run: Run, *targets: str) -> dict[str, str]:
    """Hashes of the compiled programs in use for these targets. A target that is not compiled has none."""
    hashes = {}
    for target in targets:
        folder = program_folder(run, target)
        if folder is not None:
            hashes[f"programs.{target}"] = digest([digest_file(folder / PROGRAM), _effects_of_card(folder, target)])
    return hashes


def _effects_of_card(folder: Path, target: str) -> list[Any]:
    """The values of a card that change answers. None if there is no card: loading the program reports that."""
    if not (folder / CARD).exists():
        return []
    card = read_card(folder, target)
    return [card.nearest, card.calibration.model_dump() if card.calibration else None]


def program_folder(run: Run, target: str) -> Path | None:
    """The folder that `programs.<target>` names, beside arf.yaml or in the working directory."""
    given: str | None = getattr(run.config.programs, target)
    if given is None:
        return None
    return find_path(given, run.base_dir) or Path(given)


def read_card(folder: Path, target: str) -> Card:
    """The card of the program in a folder. Raises ConfigError if it has none, or one of another target."""
    key = f"programs.{target}"
    try:
        card = Card.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        rejected = " (its candidate was not adopted; --force adopts it)" if (folder / CANDIDATE).exists() else ""
        raise ConfigError(
            f"{key}: no compiled program in {folder}{rejected}: run `arf compile {target}`, or set {key} to null"
        ) from None
    except ValidationError as error:
        raise ConfigError(f"{key}: {folder / CARD} is no card of this version: compile again ({error})") from None
    if card.target != target:
        raise ConfigError(f"{key}: {folder} holds a compiled program for {card.target}, not for {target}")
    return card


def program_notes(run: Run) -> list[str]:
    """Warnings about compiled programs that are used with another model than they were compiled with."""
    notes = []
    for target, role in TARGET_ROLES.items():
        folder = program_folder(run, target)
        model = run.config.models.asked((role,)).get(role)
        if model is None or folder is None or not (folder / CARD).exists():
            continue
        card = read_card(folder, target)
        if card.model_digest != digest_model(model):
            other = card.model if card.model != model.model else f"other parameters of {card.model}"
            notes.append(
                f"programs.{target}: compiled with {other}, used with {model.model}: the scores of its card hold for "
                "the former"
            )
    return notes


def program_state(program: dspy.Module) -> ProgramState:
    """The state of each predictor that can be compiled, in JSON's types. It holds no model and no endpoint."""
    return {
        name: {
            "traces": [],
            "train": [],
            "demos": plain_demos(predictor),
            "signature": predictor.signature.dump_state(),
            "lm": None,
        }
        for name, predictor in program.named_predictors()
    }


def plain_demos(predictor: dspy.Predict) -> list[dict[str, Any]]:
    """The demonstrations that have all fields of the predictor, without other fields."""
    fields = set(predictor.signature.fields)
    return [
        {key: to_jsonable_python(value) for key, value in demo.items() if key in fields | {_MARK}}
        for demo in map(dict, predictor.demos)
        if fields <= demo.keys()
    ]


def predictor_fields(program: dspy.Module) -> dict[str, list[str]]:
    """The fields of each predictor by name. A saved state has to fit them."""
    return {name: list(predictor.signature.fields) for name, predictor in program.named_predictors()}


def _read_state(path: Path) -> ProgramState:
    try:
        state: ProgramState = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a program's state ({error}): compile again") from None
    return state


def _check_fit(card: Card, run: Run, target: str, program: dspy.Module) -> None:
    wanted = strategy_of(run, target)
    if card.strategy != wanted:
        raise ConfigError(
            f"programs.{target}: compiled for the strategy {card.strategy}, and {target}.strategy is {wanted}: compile "
            "again, or change one of them"
        )
    fields = predictor_fields(program)
    if any(fields.get(name) != compiled for name, compiled in card.predictors.items()):
        raise ConfigError(
            f"programs.{target}: compiled for other questions than this version asks ({', '.join(card.predictors)}): "
            "compile again"
        )

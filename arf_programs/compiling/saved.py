"""Compiled programs in use: found by the configuration, checked against the program, and loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
from pydantic import ValidationError

from arf_programs.calibration import Calibration
from arf_programs.compiling.card import CANDIDATE, CARD, PROGRAM, Card
from arf_programs.compiling.state import ProgramState, load_state, predictor_fields
from arf_programs.config.models import Role
from arf_programs.fingerprint import digest, file_digest, model_digest
from arf_programs.programs.nearest import show_nearest
from arf_programs.programs.support import SentenceSupport
from arf_programs.run import Run
from signatures.exceptions import ConfigError

TARGET_ROLES: dict[str, Role] = {"analyze": "analyst", "revise": "editor", "judge": "judge", "summarize": "teacher"}


def strategy_of(run: Run, target: str) -> str:
    """The strategy under which a target's program works; empty where there is but one."""
    return {"analyze": run.config.analyze.strategy, "revise": run.config.revise.strategy}.get(target, "")


def use_compiled(run: Run, target: str, program: dspy.Module) -> bool:
    """Load the compiled program that `programs.<target>` names, if any, into `program`; whether there was one.

    Predictors are without a model afterwards. Raises ConfigError for a folder without one, or one that does not fit.
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
    """Let the support question of an analyser decide by this calibration."""
    for _, support in program.named_sub_modules(SentenceSupport):
        support.calibration = calibration


def apply_state(program: dspy.Module, state: ProgramState, nearest: int | None) -> None:
    """Put a state into a program; with `nearest`, its demonstrations are a pool of which each call is shown so many."""
    load_state(program, state)
    if nearest is not None:
        for name, predictor in program.named_predictors():
            if name in state:
                show_nearest(predictor, predictor.demos, nearest)


def program_fingerprint(run: Run, *targets: str) -> dict[str, str]:
    """Hashes of the compiled programs in use for these targets; nothing for one that is not compiled."""
    found = {}
    for target in targets:
        folder = program_folder(run, target)
        if folder is not None:
            found[f"programs.{target}"] = digest([file_digest(folder / PROGRAM), _used_of_card(folder, target)])
    return found


def _used_of_card(folder: Path, target: str) -> list[Any]:
    """What of a card makes a difference to answers; nothing where there is no card, which loading complains of."""
    if not (folder / CARD).exists():
        return []
    card = read_card(folder, target)
    return [card.nearest, card.calibration.model_dump() if card.calibration else None]


def program_folder(run: Run, target: str) -> Path | None:
    """The folder that `programs.<target>` names, beside arf.yaml or in the working directory."""
    given: str | None = getattr(run.config.programs, target)
    if given is None:
        return None
    beside = run.base_dir / given
    return beside if beside.exists() else Path(given)


def read_card(folder: Path, target: str) -> Card:
    """The card of the program in a folder. Raises ConfigError where there is none, or one of another target."""
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
    """What a user should know of the compiled programs in use: one that was compiled with another model than asked."""
    notes = []
    for target, role in TARGET_ROLES.items():
        folder = program_folder(run, target)
        if folder is None or not (folder / CARD).exists():
            continue
        card, model = read_card(folder, target), run.config.models.of(role)
        if card.model_digest != model_digest(model):
            other = card.model if card.model != model.model else f"other parameters of {card.model}"
            notes.append(
                f"programs.{target}: compiled with {other}, used with {model.model}: what the card proves is about the "
                "former"
            )
    return notes


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
    if any(fields.get(name) != known for name, known in card.predictors.items()):
        raise ConfigError(
            f"programs.{target}: compiled for other questions than this version asks ({', '.join(card.predictors)}): "
            "compile again"
        )

"""Writes a compiled program and its card: in the place where runs find it, or beside it as a candidate."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import dspy

from arf_programs import __version__
from arf_programs.calibration import Calibration, write_calibration
from arf_programs.compiling.card import (
    CALIBRATION,
    CANDIDATE,
    CANDIDATE_CALIBRATION,
    CANDIDATE_CARD,
    CANDIDATE_TEXT,
    CARD,
    CARD_TEXT,
    PROGRAM,
    Card,
    SideScores,
    Spent,
    as_markdown,
)
from arf_programs.compiling.prompts import rendered_prompts
from arf_programs.compiling.saved import strategy_of
from arf_programs.compiling.state import predictor_fields, save_state
from arf_programs.config.names import OptimizerName
from arf_programs.fingerprint import digest, model_digest
from arf_programs.jsonl import write_text_atomic
from arf_programs.run import Run

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
        model_digest=model_digest(model),
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

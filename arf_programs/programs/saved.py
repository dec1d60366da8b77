"""A program's state: instructions and demonstrations of each predictor, as DSPy saves them, and nothing else.

The card of a compiled program: what it is, how it was made, what it scored, and whether it is in use.

Compiled programs in use: found by the configuration, checked against the program, and loaded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
from pydantic import BaseModel, Field, JsonValue, ValidationError

from arf_programs.config import Role
from arf_programs.metrics import Interval
from arf_programs.programs.asking import show_nearest
from arf_programs.programs.calibration import Calibration
from arf_programs.programs.support import SentenceSupport
from arf_programs.runs import Run, digest, digest_file, digest_model
from signatures.exceptions import ConfigError
from signatures.records import Record

ProgramState = dict[str, dict[str, Any]]
_MARK = "augmented"  # DSPy's mark of a demonstration that the model wrote itself


def program_state(program: dspy.Module) -> ProgramState:
    """The state of every predictor that can be compiled, by name, in JSON's types; no model and no endpoint in it."""
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
    """The demonstrations with the fields of their predictor alone; one that lacks a field is none."""
    fields = set(predictor.signature.fields)
    return [
        {key: plain(value) for key, value in demo.items() if key in fields | {_MARK}}
        for demo in map(dict, predictor.demos)
        if fields <= demo.keys()
    ]


def plain(value: Any) -> Any:
    """A value in JSON's types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def load_state(program: dspy.Module, state: ProgramState) -> None:
    """Put a state into a program: every predictor that it names, and no other."""
    for name, predictor in program.named_predictors():
        if name in state:
            predictor.load_state(state[name])


def save_state(program: dspy.Module, path: Path) -> None:
    """Write a program's state by DSPy's own `save`, as JSON; the file is the old one or the whole new one."""
    bare = program.deepcopy()
    for predictor in bare.predictors():
        predictor.demos = [dspy.Example(**demo) for demo in plain_demos(predictor)]
        predictor.lm = None
    part = path.with_name(f".{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    bare.save(str(part), save_program=False)
    part.replace(path)


def predictor_fields(program: dspy.Module) -> dict[str, list[str]]:
    """The fields of each predictor, by name: what a state has to fit."""
    return {name: list(predictor.signature.fields) for name, predictor in program.named_predictors()}


PROGRAM, CARD, CARD_TEXT = "program.json", "card.json", "card.md"
CALIBRATION, CANDIDATE_CALIBRATION = "calibration.json", "candidate-calibration.json"
CANDIDATE, CANDIDATE_CARD, CANDIDATE_TEXT = "candidate.json", "candidate-card.json", "candidate-card.md"


class SideScores(Record):
    """Mean scores of one side before and after, and the paired difference, with intervals over conversations.

    `failed_*` counts the cases without a usable answer, which score 0; `unscored` those that the budget left out.
    `measures_*` are figures over the whole side, by name.
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
    """Calls of one `arf compile`: `sent` to a model, or `replayed` from the store; tokens and USD of those sent."""

    sent: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0


class Card(Record):
    """Everything about one compilation. `predictors` gives the fields of each, by which a saved state has to fit."""

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


def as_markdown(card: Card) -> str:
    """The card for people."""
    lines = [f"# {card.target}, compiled by {card.optimizer}", "", _verdict(card), ""]
    lines += ["| side | cases | before | after | difference |", "| --- | --- | --- | --- | --- |"]
    lines += [_row(name, side) for name, side in (("dev", card.dev), ("test", card.test))]
    lines += ["", f"Scores are from 0 to 1, with {card.confidence:.0%} intervals over conversations.", ""]
    lines += [f"- {line}" for line in _facts(card)]
    for name, prompt in card.prompts.items():
        lines += ["", f"## The prompt of `{name}`", "", "````text", prompt, "````"]
    return "\n".join(lines) + "\n"


def interval_text(interval: Interval | None, *, signed: bool = False) -> str:
    """0.52 (0.40 to 0.63); a dash where nothing was measured."""
    if interval is None:
        return "-"
    sign = "+" if signed else ""
    return f"{interval.value:{sign}.3f} ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})"


def _verdict(card: Card) -> str:
    state = "In use" if card.adopted else "Not in use"
    return f"{state}: {card.why}"


def _row(name: str, side: SideScores) -> str:
    cells = [interval_text(side.before), interval_text(side.after), interval_text(side.difference, signed=True)]
    return f"| {name} | {side.cases} | {' | '.join(cells)} |"


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
            found[f"programs.{target}"] = digest([digest_file(folder / PROGRAM), _used_of_card(folder, target)])
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
        if card.model_digest != digest_model(model):
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

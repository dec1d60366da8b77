"""The card of a compiled program: what it is, how it was made, what it scored, and whether it is in use."""

from __future__ import annotations

from pydantic import Field, JsonValue

from arf_programs.calibration import Calibration
from arf_programs.metrics.bootstrap import Interval
from signatures.records import Record

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

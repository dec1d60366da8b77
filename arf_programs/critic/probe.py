"""`arf checker probe`: how well a checker, or the checks, tell wrong texts from right ones.

A trained checker carries `checker.json` and a model card beside its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import Field

from arf_programs import __version__
from arf_programs.checkers import Checker, load_checker
from arf_programs.checks import run_checks
from arf_programs.config import CheckerConfig
from arf_programs.critic.items import Item, ItemSet, file_set, own_sets
from arf_programs.metrics import Calibration, CheckerFigures, CheckerProbe, Interval, Scored, measure_separation
from arf_programs.pipeline import run_until
from arf_programs.programs import CheckerSupport
from arf_programs.report import markdown_table
from arf_programs.runs import Run, digest, read_record, write_record, write_text_atomic
from arf_programs.stages import build_support, checker_digest, keeping_report, read_run_calibration
from signatures.exceptions import ConfigError, DataError
from signatures.records import Record

CARD: Final = "checker.json"
_DIGITS: Final = 16
CHECKS: Final = "checks"
_NEUTRAL: Final = 0.5
_ONE_NOTE: Final = 1.0


class TrainedChecker(Record):
    """How a checker was made. `pairs` counts what it was trained on, by kind.

    `conversations` has a hash of each conversation that it has seen, and no id. `overlap_auc` is the area under the
    curve of a classifier that sees only word overlap and length: at 0.5 these say nothing about right and wrong.
    `stopped` says that the time ended before the training.
    """

    base: str
    seed: int
    pairs: dict[str, int]
    conversations: tuple[str, ...]
    test_conversations: int
    epochs: int
    steps: int
    stopped: bool
    seconds: float
    loss_first: float | None = None
    loss_last: float | None = None
    overlap_auc: float | None = None
    false_alarms: float
    arf_version: str = Field(default=__version__)

    def seen(self, names: Collection[str]) -> frozenset[str]:
        """Return those of the conversations, by their ids, that the checker was trained on."""
        known = set(self.conversations)
        return frozenset(name for name in names if hash_id(name) in known)


def hash_id(name: str) -> str:
    """Return a short hash of a conversation's id, since a card may be public."""
    return digest(["checker", name])[:_DIGITS]


def read_card(folder: Path) -> TrainedChecker | None:
    """Read the card in a checker's folder; None for one that ARF did not train."""
    return read_record(folder / CARD, TrainedChecker)


def write_card(folder: Path, card: TrainedChecker, probe: CheckerProbe) -> None:
    """Write `checker.json` and the model card."""
    write_record(folder / CARD, card)
    write_text_atomic(folder / "README.md", model_card(card, probe))


def model_card(card: TrainedChecker, probe: CheckerProbe) -> str:
    """Write the model card: data, time, and what was measured, also where that is chance."""
    counts = ", ".join(f"{count} {kind}" for kind, count in card.pairs.items())
    ended = "The time ended before the training did." if card.stopped else "The training ended as planned."
    overlap = "not measured" if card.overlap_auc is None else f"{card.overlap_auc:.2f}"
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "tags: [arf, fact-checking, customer-service]",
        "---",
        "",
        "# A checker of sentences",
        "",
        "It says how likely it is that a conversation supports a sentence of its summary. Read it by",
        "`analyze.checker.model`. From 0.5 on a sentence counts as supported. The threshold was set so that",
        f"{card.false_alarms:.0%} of the right sentences of other conversations are flagged.",
        "",
        f"- Base: {card.base}",
        f"- Trained on {sum(card.pairs.values())} sentences of {len(card.conversations)} conversations: {counts}",
        f"- {card.steps} steps in {card.seconds / 60:.1f} minutes, seed {card.seed}. {ended}",
        f"- Word overlap and length alone tell right from wrong with an area under the curve of {overlap}.",
        f"- Made by ARF {card.arf_version}",
        "",
        f"Measured on {card.test_conversations} conversations that it has not seen:",
        "",
        markdown_table(("texts", "scored by", "n", "wrong", "area under the curve", ""), map(_card_row, probe.rows)),
        "",
    ]
    return "\n".join(lines)


def _card_row(row: CheckerFigures) -> tuple[str, ...]:
    found = row.figures
    area = "-" if found.auc is None else found.auc.text()
    return row.data, row.scorer, str(found.texts), str(found.wrong), area, verdict(found.auc)


def verdict(area: Interval | None) -> str:
    """Say in a word or two what an area under the curve means."""
    if area is None:
        return "not measured"
    if area.low <= 0.5 <= area.high:
        return "chance"
    return "worse than chance" if area.high < 0.5 else "above chance"


class Scorer(NamedTuple):
    """Something that scores texts. From `threshold` on it calls a text wrong."""

    name: str
    threshold: float
    score: Callable[[Sequence[Item]], list[float]]


def probe_run(run: Run, data: Path | None = None) -> CheckerProbe:
    """Measure the run's checker, and the checks beside it, on planted errors and labels of conversations new to it.

    The result is written to `checker_probe.json`. Raises DataError if there is nothing to measure on.
    """
    run_until(run, "corpus")
    support = build_support(run)
    scorers, seen, name = [checks_scorer()], frozenset[str](), None
    if isinstance(support, CheckerSupport):
        name = support.name
        card = read_card(Path(str(support.checker.model)))
        seen = card.seen(run.conversations()) if card else seen
        scorers.insert(0, checker_scorer(load_checker(support.checker), name, read_run_calibration(run)))
    sets = own_sets(run, seen=seen)
    if data is not None:
        sets.append(file_set(data, run))
    made = measure(scorers, sets, seed=run.config.seed)
    made = made.model_copy(update={"checker": name, "digest": checker_digest(run)})
    with keeping_report(run):
        write_record(run.folder.checker_probe, made)
    return made


def probe_folder(folder: Path, data: Path | None) -> CheckerProbe:
    """Measure the checker in a folder, and the checks beside it, on a JSONL file.

    Raises ConfigError without a file, and DataError for a folder that is no checker.
    """
    if data is None:
        raise ConfigError("--data: a folder of weights has no conversations: give a file, or the arf.yaml of a run")
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder}: no checker, since it has no config.json: give its folder, or an arf.yaml")
    name = folder.resolve().name
    checker = load_checker(CheckerConfig(model=str(folder)))
    made = measure([checker_scorer(checker, name), checks_scorer()], [file_set(data, None)])
    return made.model_copy(update={"checker": name})


def measure(scorers: Sequence[Scorer], sets: Sequence[ItemSet], *, seed: int = 0) -> CheckerProbe:
    """Measure each scorer on each set."""
    return CheckerProbe(
        rows=tuple(_figures(scorer, items, seed) for items in sets for scorer in scorers),
    )


def _figures(scorer: Scorer, items: ItemSet, seed: int) -> CheckerFigures:
    scores = scorer.score(items.items)
    scored = [Scored(item.conversation.id, score, item.kinds) for item, score in zip(items.items, scores, strict=True)]
    figures = measure_separation(scored, threshold=scorer.threshold, seed=seed)
    return CheckerFigures(data=items.name, scorer=scorer.name, figures=figures)


def checker_scorer(checker: Checker, name: str, calibration: Calibration | None = None) -> Scorer:
    """Score a text by its worst sentence: the probability that the conversation does not support it."""

    def score(items: Sequence[Item]) -> list[float]:
        asked = [[checker.ask(item.conversation, sentence) for sentence in item.sentences] for item in items]
        raw = [max((1 - future.result() for future in futures), default=0.0) for futures in asked]
        return raw if calibration is None else [calibration.apply(value) for value in raw]

    return Scorer(name, calibration.threshold if calibration else _NEUTRAL, score)


def checks_scorer() -> Scorer:
    """Score a text by the number of errors that the checks quote in it."""

    def score(items: Sequence[Item]) -> list[float]:
        return [float(sum(bool(note.quote) for note in run_checks(item.conversation, item.text))) for item in items]

    return Scorer(CHECKS, _ONE_NOTE, score)

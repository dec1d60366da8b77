"""`arf checker probe`: how well a checker, or the checks, tell wrong texts from right ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from arf_programs.checkers import Checker, load_checker
from arf_programs.checks import run_checks
from arf_programs.config import CheckerConfig
from arf_programs.critic.card import read_card
from arf_programs.critic.items import Item, ItemSet, file_set, own_sets
from arf_programs.metrics import Calibration, CheckerFigures, CheckerProbe, Scored, measure_separation
from arf_programs.pipeline import run_until
from arf_programs.programs import CheckerSupport
from arf_programs.runs import Run, write_record
from arf_programs.stages import build_support, checker_digest, keeping_report, read_run_calibration
from signatures.exceptions import ConfigError, DataError

CHECKS: Final = "checks"
_NEUTRAL: Final = 0.5
_ONE_NOTE: Final = 1.0


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
    sets = own_sets(run, seen=seen, most=run.config.checker.probe_sentences)
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

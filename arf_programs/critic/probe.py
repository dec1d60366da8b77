"""`arf checker probe`: how well a checker, or the checks, tell wrong texts from right ones.

It is measured on sentences and summaries that are known to be right or wrong. A trained checker carries `checker.json`
and a model card beside its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import Field

from arf_programs import __version__
from arf_programs.checkers import Checker, load_checker
from arf_programs.checks import run_checks
from arf_programs.config import CheckerConfig
from arf_programs.corpus import LabeledExample, load_labeled, read_labeled_file
from arf_programs.metrics import (
    LABELLED,
    PLANTED_SUMMARIES,
    Calibration,
    CheckerFigures,
    CheckerProbe,
    Interval,
    Scored,
    measure_separation,
)
from arf_programs.pipeline import run_until
from arf_programs.planting import PlantedTalk, RightSummary, labels_are_planted, plant_sentences, right_summaries
from arf_programs.programs import CheckerSupport
from arf_programs.report import markdown_table
from arf_programs.runs import Run, digest, read_record, write_record, write_text_atomic
from arf_programs.stages import build_support, checker_digest, keeping_report, read_run_calibration
from arf_programs.text import split_sentences
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Record

PLANTED_SENTENCES: Final = "planted sentences"
_WITHOUT_A_NAME: Final = "wrong"


@dataclass(frozen=True)
class Item:
    """A text with its sentences, and the kinds of the errors in it; none if it is right.

    It is as suspect as its worst sentence.
    """

    conversation: Conversation
    text: str
    sentences: tuple[str, ...]
    kinds: tuple[str, ...] = ()


class ItemSet(NamedTuple):
    """Items of one origin, by which a table names them."""

    name: str
    items: tuple[Item, ...]


def planted_sets(talks: Sequence[PlantedTalk]) -> list[ItemSet]:
    """Return planted sentences, and summaries with one of them each, beside the right ones."""
    sentences: list[Item] = []
    summaries: dict[tuple[str, str], Item] = {}
    for talk in talks:
        conversation, text = talk.summary.conversation, talk.summary.text
        right = tuple(split_sentences(text))
        summaries.setdefault((conversation.id, text), Item(conversation, text, right))
        for sentence, kind in talk.sentences:
            kinds = (kind,) if kind else ()
            sentences.append(Item(conversation, sentence, (sentence,), kinds))
            if kind:
                changed = _with_sentence(right, sentence, added=kind == "unsupported")
                joined = " ".join(changed)
                summaries[conversation.id, joined] = Item(conversation, joined, changed, kinds)
    return [ItemSet(PLANTED_SENTENCES, tuple(sentences)), ItemSet(PLANTED_SUMMARIES, tuple(summaries.values()))]


def _with_sentence(right: tuple[str, ...], wrong: str, *, added: bool) -> tuple[str, ...]:
    """Put the wrong sentence in the place of the sentence that it is most like, or at the end."""
    if added or not right:
        return (*right, wrong)
    alike = [SequenceMatcher(None, sentence, wrong, autojunk=False).ratio() for sentence in right]
    place = alike.index(max(alike))
    return (*right[:place], wrong, *right[place + 1 :])


def labelled_items(examples: Iterable[LabeledExample]) -> tuple[Item, ...]:
    """Return the labelled summaries. The kinds of their errors are the categories."""
    return tuple(
        Item(
            example.conversation,
            example.summary,
            tuple(split_sentences(example.summary)),
            tuple(dict.fromkeys(note.category or _WITHOUT_A_NAME for note in example.errors)),
        )
        for example in examples
    )


def file_set(path: Path, run: Run | None) -> ItemSet:
    """Read a JSONL file of labelled summaries, in the form of a labelled set.

    A row without a conversation needs a run whose corpus has it. Raises DataError with every problem of the file, and
    for a file without right or without wrong summaries.
    """
    talks = run.conversations() if run is not None and run.folder.conversations.exists() else {}
    columns = run.config.corpus.columns if run is not None else None
    items = labelled_items(read_labeled_file(path.resolve(), talks.values(), columns=columns))
    if len({bool(item.kinds) for item in items}) < 2:
        raise DataError(f"--data: {path}: right and wrong summaries are needed, and all of them are of one kind")
    return ItemSet(path.stem, items)


def own_sets(run: Run, *, seen: Collection[str]) -> list[ItemSet]:
    """Return planted and labelled items of the run's training conversations, without those in `seen`.

    Raises DataError if nothing is believed right, or if all of it was seen.
    """
    summaries = [item for item in right_summaries(run) if item.conversation.id not in seen]
    if not summaries:
        raise DataError(
            "the checker was trained on every conversation whose summary is believed right: train it again with a "
            "larger checker.test, or measure it on --data FILE"
        )
    return sets_of(run, summaries, seen=seen)


def sets_of(run: Run, summaries: Sequence[RightSummary], *, seen: Collection[str]) -> list[ItemSet]:
    """Plant errors in the summaries, and add the labelled ones of people if right and wrong ones are among them."""
    most = run.config.checker.probe_sentences
    sets = planted_sets(plant_sentences(summaries, seed=run.config.seed, most=most))
    labelled = labelled_items(unseen_labels(run, seen))
    if len({bool(item.kinds) for item in labelled}) == 2:
        sets.append(ItemSet(LABELLED, labelled))
    return sets


def unseen_labels(run: Run, seen: Collection[str]) -> list[LabeledExample]:
    """Return the labelled examples of people, without those of the holdout and of `seen` conversations."""
    if labels_are_planted(run):
        return []
    holdout = run.conversations("holdout")
    return [item for item in load_labeled(run) if item.conversation.id not in {*holdout, *seen}]


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

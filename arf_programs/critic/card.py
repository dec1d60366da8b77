"""`checker.json`, which a trained checker carries beside its weights, and its model card."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from pydantic import Field

from arf_programs import __version__
from arf_programs.metrics import CheckerProbe, Interval
from arf_programs.runs import digest, read_record, write_record, write_text_atomic
from signatures.records import Record

CARD: Final = "checker.json"
_DIGITS: Final = 16


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
        "| texts | scored by | n | wrong | area under the curve | |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row.data} | {row.scorer} | {row.figures.texts} | {row.figures.wrong} | {_area(row.figures.auc)} | "
            f"{verdict(row.figures.auc)} |"
            for row in probe.rows
        ),
        "",
    ]
    return "\n".join(lines)


def verdict(area: Interval | None) -> str:
    """Say in a word or two what an area under the curve means."""
    if area is None:
        return "not measured"
    if area.low <= 0.5 <= area.high:
        return "chance"
    return "worse than chance" if area.high < 0.5 else "above chance"


def _area(area: Interval | None) -> str:
    return "-" if area is None else area.text()

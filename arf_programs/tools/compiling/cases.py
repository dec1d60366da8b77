"""The labelled set as cases, split by conversation into train, dev and test."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from arf_programs.corpus import LabeledExample, group_duplicates
from signatures.exceptions import DataError

SIDES = ("train", "dev", "test")


@dataclass(frozen=True, eq=False)
class Case:
    """A labelled example as DSPy's optimizers carry it. Near-duplicate conversations share a `group`.

    Its text never shows the labels, since optimizers write inputs into prompts.
    """

    labeled: LabeledExample
    group: int

    def __str__(self) -> str:
        return f"{self.labeled.conversation.as_text()}\n\nSummary: {self.labeled.summary}"

    def __repr__(self) -> str:
        return f"Case({self.labeled.conversation.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Case) and self.labeled == other.labeled

    def __hash__(self) -> int:
        return hash((self.labeled.conversation.id, self.labeled.summary))

    @property
    def key(self) -> str:
        """The name of the case. A conversation may have several labelled summaries, so the summary is part of it."""
        summary = hashlib.sha256(self.labeled.summary.encode()).hexdigest()[:8]
        return f"{self.labeled.conversation.id}/{summary}"


@dataclass(frozen=True)
class Cases:
    """The three sides, each in the order of the file."""

    train: tuple[Case, ...]
    dev: tuple[Case, ...]
    test: tuple[Case, ...]

    def only(self, wanted: Callable[[LabeledExample], bool], *, what: str) -> Cases:
        """The cases that `wanted` accepts. Raises DataError, which calls them `what`, if a side would be empty."""
        sides = [tuple(case for case in side if wanted(case.labeled)) for side in (self.train, self.dev, self.test)]
        for name, side in zip(SIDES, sides, strict=True):
            if not side:
                raise DataError(
                    f"labeled.path: no {what} among the labelled examples of {name}: label more conversations, or "
                    "change compile.split"
                )
        return Cases(*sides)

    def sizes(self) -> dict[str, int]:
        return {"train": len(self.train), "dev": len(self.dev), "test": len(self.test)}


def split_cases(
    examples: Sequence[LabeledExample], *, shares: Sequence[float], seed: int, near_duplicate: float
) -> Cases:
    """Split by groups of near-duplicate conversations, ordered by a hash of seed and ids.

    Test is filled first, then dev, each up to its share of the examples and with one group at least. The rest is train.
    If an example is added, few others change sides. Raises DataError if there are fewer than three groups.
    """
    numbers = group_duplicates([example.conversation for example in examples], threshold=near_duplicate)
    groups: defaultdict[int, list[Case]] = defaultdict(list)
    for number, example in zip(numbers, examples, strict=True):
        groups[number].append(Case(example, number))
    if len(groups) < len(SIDES):
        raise DataError(
            f"labeled.path: {len(groups)} different conversations are labelled, and train, dev and test need one each: "
            "label more (30 are a good beginning)"
        )
    ordered = sorted(groups.values(), key=lambda group: _place(group, seed))
    test = _fill(ordered, shares[2] * len(examples), keep=2)
    dev = _fill(ordered, shares[1] * len(examples), keep=1)
    position = {id(example): place for place, example in enumerate(examples)}
    sides = (sorted(chain(*side), key=lambda case: position[id(case.labeled)]) for side in (ordered, dev, test))
    return Cases(*map(tuple, sides))


def _fill(ordered: list[list[Case]], wanted: float, *, keep: int) -> list[list[Case]]:
    """Take groups from the end until half of the next would be too much. `keep` groups stay."""
    taken: list[list[Case]] = []
    size = 0
    while len(ordered) > keep and (not taken or size + len(ordered[-1]) / 2 <= wanted):
        taken.append(ordered.pop())
        size += len(taken[-1])
    return taken


def _place(group: Sequence[Case], seed: int) -> str:
    return min(hashlib.sha256(f"{seed}\0{case.labeled.conversation.id}".encode()).hexdigest() for case in group)

"""Choose which errors go into which summaries.

Most texts allow only a few kinds of error, so the rare kinds come first in a set of planted items. `draw_errors` draws
one error for each right summary: the rejected side of a preference pair. Errors that a teacher makes often, amplified
in otherwise right texts, are the rejected samples of SeaPO (arXiv 2509.24781). A kind of error is there a category of
the taxonomy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from arf_programs.checks import Material
from arf_programs.config import ErrorKinds, Kind, PlantConfig
from arf_programs.metrics import Place
from arf_programs.planting.details import plant_amounts, plant_dates, plant_names, plant_numbers
from arf_programs.planting.records import Change, Origin, Planter, Source, plant_text
from arf_programs.planting.sentences import (
    plant_actions,
    plant_negations,
    plant_outcome,
    plant_speakers,
    plant_unsupported,
)
from arf_programs.runs import digest
from signatures.exceptions import DataError
from signatures.records import Conversation

PLANTERS: Final[MappingProxyType[Kind, Planter]] = MappingProxyType(
    {
        "number": plant_numbers,
        "amount": plant_amounts,
        "date": plant_dates,
        "name": plant_names,
        "speaker": plant_speakers,
        "negation": plant_negations,
        "outcome": plant_outcome,
        "unsupported": plant_unsupported,
        "action": plant_actions,
    }
)
FACT_KINDS: Final[tuple[Kind, ...]] = ("number", "amount", "date", "name")
"""The kinds that change a detail. Deterministic checks can see such an error if the detail is invented."""


def find_changes_of(material: Material, kinds: Iterable[Kind], seed: str) -> list[Change]:
    """Find all changes of these kinds, in the order of the kinds; `seed` decides what each detail is changed to.

    Each kind has its own random numbers, so leaving out a kind changes nothing for the others.
    """
    return [
        change
        for kind in kinds
        for change in PLANTERS[kind](material, Random(f"{seed} {kind}"))  # noqa: S311 - repeatable, not secret
    ]


class Aim(NamedTuple):
    """Kind, origin and category of an error. Of each combination `plant.per_kind` errors are wanted."""

    kind: Kind
    origin: Origin
    category: str


@dataclass(frozen=True)
class RightSummary:
    """A summary that is believed right, and where it comes from."""

    conversation: Conversation
    text: str
    source: Source

    def key(self, seed: int) -> str:
        """A hash that decides its place in the order and its random choices, whatever other summaries there are."""
        return digest([seed, self.conversation.id, self.text])


@dataclass
class Ground:
    """A right summary with the changes that it allows, and the kinds that were planted in it already."""

    summary: RightSummary
    key: str
    changes: dict[Aim, list[Change]]
    used: set[tuple[Kind, Origin]] = field(default_factory=set)


class Chosen(NamedTuple):
    """The changes of one item, in the order of the text (none if clean). `number` counts the items of a summary."""

    summary: RightSummary
    changes: tuple[Change, ...]
    number: int


def choose_items(summaries: Sequence[RightSummary], config: PlantConfig, seed: int) -> list[Chosen]:
    """Choose items until each aim has `per_kind` errors, if the texts allow that many, and then the clean items.

    The summaries are visited in the order of a hash, once for each item that a summary may give. Each visit takes the
    changes that are wanted most: those with the fewest planted errors per summary that allows them.
    """
    grounds = sorted((_ground(summary, config, seed) for summary in _distinct(summaries)), key=lambda item: item.key)
    supply = Counter(aim for ground in grounds for aim in ground.changes)
    planted: Counter[Aim] = Counter()
    items: list[Chosen] = []
    for number in range(config.per_summary):
        for ground in grounds:
            rng = Random(f"{ground.key} {number}")  # noqa: S311 - repeatable, not secret
            changes = _choose(ground, planted, supply, config, rng)
            if changes:
                items.append(Chosen(ground.summary, changes, number))
                planted.update(_aim(change) for change in changes)
    return [*items, *_clean(grounds, len(items), config)]


def _clean(grounds: Sequence[Ground], planted: int, config: PlantConfig) -> list[Chosen]:
    """As many clean items as make a share of `clean`, or as there are summaries; each summary once."""
    wanted = round(planted * config.clean / (1 - config.clean)) if planted else len(grounds)
    # In reverse order, so that the clean summaries are not just those with the most planted errors.
    return [Chosen(ground.summary, (), config.per_summary) for ground in grounds[::-1][:wanted]]


def _distinct(summaries: Sequence[RightSummary]) -> list[RightSummary]:
    """Keep each text of a conversation once."""
    return list({(item.conversation.id, item.text): item for item in reversed(summaries)}.values())


def _ground(summary: RightSummary, config: PlantConfig, seed: int) -> Ground:
    key = summary.key(seed)
    material = Material(summary.conversation, summary.text)
    changes: dict[Aim, list[Change]] = {}
    for change in find_changes_of(material, config.kinds, key):
        changes.setdefault(_aim(change), []).append(change)
    return Ground(summary, key, changes)


def _aim(change: Change) -> Aim:
    return Aim(change.kind, change.origin, change.category)


def _choose(
    ground: Ground, planted: Counter[Aim], supply: Counter[Aim], config: PlantConfig, rng: Random
) -> tuple[Change, ...]:
    """Choose changes for one item that do not touch each other; none if no change of this summary is wanted."""
    open_aims = [aim for aim in ground.changes if aim[:2] not in ground.used]
    wanted = [aim for aim in open_aims if planted[aim] < config.per_kind]
    if not wanted:
        return ()
    size = rng.randint(config.min_errors, config.max_errors)
    rank = {aim: (planted[aim] >= config.per_kind, planted[aim] / supply[aim], rng.random()) for aim in open_aims}
    chosen: list[Change] = []
    for aim in sorted(open_aims, key=lambda aim: rank[aim]):
        enough = len(chosen) >= (size if aim in wanted else config.min_errors)
        fitting = [] if enough else [item for item in ground.changes[aim] if _free(ground, item, chosen)]
        if fitting:
            chosen.append(rng.choice(fitting))
            ground.used.add((aim.kind, aim.origin))
    if len(chosen) < config.min_errors:
        return ()
    return tuple(sorted(chosen, key=lambda change: change.start))


def _free(ground: Ground, change: Change, chosen: Sequence[Change]) -> bool:
    """Whether the change touches none of the chosen ones, and is of another kind."""
    if any(change.kind == other.kind for other in chosen):
        return False
    return not any(_clash(ground.summary.text, change, other) for other in chosen)


def _clash(text: str, a: Change, b: Change) -> bool:
    """Whether there is no word between two changes, or one of them quotes the sentence of the other."""
    left, right = sorted((a, b), key=lambda change: (change.start, change.end))
    between = text[left.end : right.start]
    if left.end >= right.start or not any(char.isalnum() for char in between):
        return True
    quoting = any(change.sentence and change.start < change.end for change in (a, b))
    return quoting and not any(stop in between for stop in (". ", "! ", "? ", "\n"))


class DrawnError(NamedTuple):
    """A right summary, the change that was drawn for it, and the text with that error."""

    summary: RightSummary
    change: Change
    text: str


def draw_errors(
    summaries: Sequence[RightSummary], kinds: ErrorKinds, counts: Mapping[str, int], seed: int
) -> list[DrawnError | None]:
    """Draw one error for each summary; None where its text allows no error of a wanted kind.

    `counts` holds the errors of the teacher by category. With `teacher` a category is drawn as often as the teacher's
    errors have it, of those that the text allows. `uniform` draws each category equally often. `commonest` takes the
    category that the teacher's errors have most, of those that can be planted in any of the texts. Within the category
    each change is equally likely. A summary's error does not depend on the other summaries, apart from `commonest`.

    Raises DataError if the teacher has no error of a category that can be planted.
    """
    keys = [summary.key(seed) for summary in summaries]
    found = [
        find_changes_of(Material(summary.conversation, summary.text), PLANTERS, key)
        for summary, key in zip(summaries, keys, strict=True)
    ]
    weights = _weights(kinds, counts, {change.category for changes in found for change in changes})
    return [
        _draw(summary, changes, weights, Random(f"{key} rejected"))  # noqa: S311 - repeatable, not secret
        for summary, changes, key in zip(summaries, found, keys, strict=True)
    ]


def _weights(kinds: ErrorKinds, counts: Mapping[str, int], possible: set[str]) -> dict[str, int]:
    """{category: how often to draw it}, without those that are never drawn."""
    if kinds == "uniform" or not possible:
        return dict.fromkeys(possible, 1)
    known = {name: counts[name] for name in sorted(possible) if counts.get(name)}
    if not known:
        raise DataError(
            f"train.preference.kinds: {kinds}: none of the teacher's errors is of a kind that can be planted "
            f"({', '.join(sorted(possible))}): set train.preference.kinds to uniform."
        )
    return known if kinds == "teacher" else {max(known, key=lambda name: known[name]): 1}


def _draw(
    summary: RightSummary, changes: Sequence[Change], weights: Mapping[str, int], rng: Random
) -> DrawnError | None:
    allowed = sorted({change.category for change in changes} & set(weights))
    if not allowed:
        return None
    (category,) = rng.choices(allowed, [weights[name] for name in allowed])
    change = rng.choice([change for change in changes if change.category == category])
    text = plant_text(summary.text, [Place(change.start, change.end, change.wrong)])
    return DrawnError(summary, change, text)

"""The records of planting: an item of `planted.jsonl`, and a change that makes a right summary wrong.

Beside them are the functions that all kinds of change share, and those that count what was planted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from pydantic import Field, JsonValue

from arf_programs.checks import Material
from arf_programs.config import Kind, PlantConfig
from arf_programs.metrics import Place
from arf_programs.values import with_article
from signatures.records import Conversation, ErrorNote, Record, Severity, Turn

Origin = Literal["conversation", "invented", "none"]
"""The wrong words come from elsewhere in the conversation, are invented, or are neither (a negation, a deletion)."""

Source = Literal["references", "labeled", "revisions", "drafts"]


class Plant(Record):
    """One planted error: at character `start` of the right summary, `wrong` replaces `right`.

    `error_id` is the id of its ErrorNote, which has category, quote and evidence.
    """

    error_id: str
    kind: Kind
    origin: Origin
    start: int = Field(ge=0)
    right: str
    wrong: str

    def place(self) -> Place:
        """The place in the right summary, as the metrics of repair take it."""
        return Place(self.start, self.start + len(self.right), self.wrong)


class PlantedItem(Record):
    """A summary with planted errors, or a clean one. It is also a valid row of a labelled set (`labeled.path`).

    `revised` is believed right. `summary` is `revised` with the `plants` in it, which are in the order of the text.
    `errors` is parallel to `plants`. `source` says where the right summary comes from.
    """

    id: str
    conversation_id: str
    channel: str
    conversation: tuple[Turn, ...] = Field(min_length=1)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    summary: str = Field(min_length=1)
    revised: str = Field(min_length=1)
    errors: tuple[ErrorNote, ...] = ()
    plants: tuple[Plant, ...] = ()
    source: Source
    seed: int
    naturalized: bool = False

    def talk(self) -> Conversation:
        """The conversation as a record."""
        return Conversation(
            id=self.conversation_id, channel=self.channel, turns=self.conversation, metadata=self.metadata
        )


def with_turns(conversation: Conversation, turns: tuple[Turn, ...]) -> Conversation:
    """Return the conversation with these turns. References and drafts are left out, since they tell the old story."""
    return Conversation(id=conversation.id, channel=conversation.channel, turns=turns, metadata=conversation.metadata)


def plant_text(right: str, places: Sequence[Place]) -> str:
    """Put the wrong words of each place into `right`. Places are in the order of the text and do not overlap."""
    pieces, last = [], 0
    for place in places:
        pieces += [right[last : place.start], place.wrong]
        last = place.end
    return "".join([*pieces, right[last:]])


def planted_spans(places: Sequence[Place]) -> list[tuple[int, int]]:
    """Compute where the wrong words are in the planted text: `(start, end)` for each place."""
    spans, shift = [], 0
    for place in places:
        start = place.start + shift
        spans.append((start, start + len(place.wrong)))
        shift += len(place.wrong) - (place.end - place.start)
    return spans


@dataclass(frozen=True)
class Change:
    """A change of the right summary: `wrong` replaces the characters `start:end`.

    An empty `wrong` leaves something out. With `sentence` the note quotes the whole sentence, since a word alone
    ("agent") would not show what is wrong.
    """

    kind: Kind
    category: str
    origin: Origin
    start: int
    end: int
    wrong: str
    explanation: str
    evidence: tuple[int, ...] = ()
    severity: Severity = "major"
    sentence: bool = False


Planter = Callable[[Material, Random], list[Change]]
"""Finds all places where one kind of change is possible, with one random change of each origin for each place."""


def swapped(
    material: Material, kind: Kind, span: tuple[int, int], wrong: str, origin: Origin, *, category: str = "wrong_fact"
) -> Change:
    """Replace a detail by another of its sort."""
    right = material.summary[slice(*span)]
    start, end, wrong = with_article(material.summary, *span, wrong)
    where = "elsewhere" if origin == "conversation" else "nowhere"
    return Change(
        kind=kind,
        category=category,
        origin=origin,
        start=start,
        end=end,
        wrong=wrong,
        explanation=f'The conversation says "{right}" here; "{wrong}" stands {where}.',
        evidence=turns_with(material, right, span[0]),
    )


def turns_with(material: Material, words: str, start: int) -> tuple[int, ...]:
    """At most two turns (from 1) that have the words, or else the nearest to the sentence at `start`."""
    wanted = words.lower()
    having = {turn for turn, text in enumerate(material.texts, start=1) if wanted in text.lower()}
    return material.nearest_turns(having or set(range(1, len(material.texts) + 1)), start)


def last_sentence(material: Material) -> tuple[int, int] | None:
    """The sentence with the outcome: the last of at least two; None if there is only one."""
    return material.sentences[-1] if len(material.sentences) > 1 else None


def outcome_or_fact(material: Material, start: int) -> str:
    """The category of a reversed statement: in the last sentence it contradicts the outcome."""
    last = last_sentence(material)
    return "contradicts_outcome" if last and start >= last[0] else "wrong_fact"


def by_category(items: Iterable[PlantedItem]) -> dict[str, int]:
    """{category: planted errors}, by name."""
    return dict(sorted(Counter(note.category for item in items for note in item.errors).items()))


def by_kind(items: Iterable[PlantedItem]) -> dict[str, int]:
    """{kind, with its origin and category: planted errors}, such as "name, invented, as fabricated"."""
    counts: Counter[str] = Counter()
    for item in items:
        for plant, note in zip(item.plants, item.errors, strict=True):
            origin = "" if plant.origin == "none" else f", {plant.origin}"
            counts[f"{plant.kind}{origin}, as {note.category}"] += 1
    return dict(sorted(counts.items()))


def short_of(items: Sequence[PlantedItem], config: PlantConfig) -> dict[str, int]:
    """{kind: planted errors} for the kinds with fewer than `per_kind` errors, those with none included."""
    counts = by_kind(items)
    short = {name: count for name, count in counts.items() if count < config.per_kind}
    planted = {plant.kind for item in items for plant in item.plants}
    return {**short, **{kind: 0 for kind in config.kinds if kind not in planted}}

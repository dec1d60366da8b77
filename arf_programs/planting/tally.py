"""What was planted, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from arf_programs.config.plant import PlantConfig
from arf_programs.planting.records import PlantedItem


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
    """What the texts did not allow `per_kind` errors of: {kind: planted}, kinds of which there is none included."""
    counts = by_kind(items)
    short = {name: count for name, count in counts.items() if count < config.per_kind}
    there = {plant.kind for item in items for plant in item.plants}
    return {**short, **{kind: 0 for kind in config.kinds if kind not in there}}

"""From revisions of planted items to figures. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arf_programs.metrics.repair import Untouched, exact_fixes, repair, untouched
from arf_programs.planting.records import PlantedItem
from arf_programs.probing.analysis import Resampling
from arf_programs.probing.figures import Cost, ReviseProbe


class _Mended(NamedTuple):
    """One planted item and what its revision is worth."""

    item: PlantedItem
    fixed: list[bool]
    rest: Untouched
    score: float


def revision_figures(
    items: Sequence[PlantedItem], revised: Mapping[str, str], resampling: Resampling, cost: Cost
) -> ReviseProbe:
    """Figures over the planted items with a revision in `revised`, which is by item id."""
    rows = [_mended(item, revised[item.id]) for item in items if item.errors and item.id in revised]
    clusters = [row.item.conversation_id for row in rows]
    ones = [1.0] * len(rows)
    intervals = {
        "fix_rate": resampling.ratio([sum(r.fixed) for r in rows], [len(r.fixed) for r in rows], clusters),
        "untouched_rate": resampling.ratio([r.rest.kept for r in rows], [r.rest.total for r in rows], clusters),
        "whole_rate": resampling.ratio([float(r.rest.whole) for r in rows], ones, clusters),
        "score": resampling.ratio([r.score for r in rows], ones, clusters),
    }
    known = {name: interval for name, interval in intervals.items() if interval is not None}
    return ReviseProbe(
        planted=sum(len(row.fixed) for row in rows),
        fix_rate=known["fix_rate"].value if "fix_rate" in known else None,
        untouched_rate=known["untouched_rate"].value if "untouched_rate" in known else None,
        whole_rate=known["whole_rate"].value if "whole_rate" in known else None,
        score=known["score"].value if "score" in known else None,
        by_kind=_shares(rows, [[plant.kind for plant in row.item.plants] for row in rows]),
        by_category=_shares(rows, [[note.category for note in row.item.errors] for row in rows]),
        intervals=known,
        cost=cost,
    )


def clean_untouched(items: Sequence[PlantedItem], revised: Mapping[str, str]) -> float | None:
    """The share of clean items whose revision is the summary itself; None without any."""
    same = [revised[item.id] == item.summary for item in items if not item.errors and item.id in revised]
    return sum(same) / len(same) if same else None


def _mended(item: PlantedItem, after: str) -> _Mended:
    places = [plant.place() for plant in item.plants]
    return _Mended(
        item=item,
        fixed=exact_fixes(item.revised, places, after),
        rest=untouched(item.revised, places, after),
        score=repair(item.summary, item.revised, after).score,
    )


def _shares(rows: Sequence[_Mended], names: Sequence[Sequence[str]]) -> dict[str, float]:
    """{name: share of its errors that are fixed}; `names` gives the name of each row's errors."""
    fixed: dict[str, list[bool]] = defaultdict(list)
    for row, told in zip(rows, names, strict=True):
        for name, hit in zip(told, row.fixed, strict=True):
            fixed[name].append(hit)
    return {name: sum(fixed[name]) / len(fixed[name]) for name in sorted(fixed)}

"""Computes the figures of a probe from the errors that were reported and from the revisions. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from arf_programs.metrics import (
    Interval,
    Resampling,
    Untouched,
    balanced_accuracy,
    count_untouched,
    find_exact_fixes,
    score_repair,
)
from arf_programs.planting import FACT_KINDS, Plant, PlantedItem
from arf_programs.report import AnalyzeProbe, Cost, Detected, Overall, Recall, ReviseProbe
from arf_programs.text import match_errors
from signatures.records import ErrorNote


class _Label(NamedTuple):
    """One planted error, whether it was reported, and whether its place was."""

    cluster: str
    plant: Plant
    note: ErrorNote
    reported: bool
    located: bool


class _Report(NamedTuple):
    """One error that was reported, and whether it is a planted one."""

    cluster: str
    category: str
    right: bool
    located: bool


def analysis_figures(
    items: Sequence[PlantedItem], reported: Mapping[str, Sequence[ErrorNote]], resampling: Resampling, cost: Cost
) -> AnalyzeProbe:
    """Compute the figures over the items with an answer in `reported`, which is by item id."""
    answered = [item for item in items if item.id in reported]
    labels, reports = _compare(answered, reported)
    clean = [item for item in answered if not item.errors]
    alarms = resampling.share([bool(reported[item.id]) for item in clean], [item.conversation_id for item in clean])
    located = resampling.share([report.located for report in reports], [report.cluster for report in reports])
    base = _detected(labels, reports, resampling)
    overall = Overall(
        **base.model_dump(exclude={"intervals"}),
        intervals=base.intervals | _named(false_alarm_rate=alarms, precision_located=located),
        precision_located=_value(located),
        clean=len(clean),
        false_alarm_rate=_value(alarms),
        balanced_accuracy=balanced_accuracy(
            [bool(reported[item.id]) for item in answered], [bool(item.errors) for item in answered]
        ),
    )
    categories = sorted({label.note.category for label in labels})
    return AnalyzeProbe(
        overall=overall,
        by_category={
            name: _detected(
                [label for label in labels if label.note.category == name],
                [report for report in reports if report.category == name],
                resampling,
            )
            for name in categories
        },
        by_kind=_grouped(labels, lambda plant: plant.kind, resampling),
        by_origin=_grouped(labels, lambda plant: f"{plant.kind}, {plant.origin}", resampling),
        outside=_recall([label for label in labels if _outside(label.plant)], resampling),
        cost=cost,
    )


def _compare(
    items: Sequence[PlantedItem], reported: Mapping[str, Sequence[ErrorNote]]
) -> tuple[list[_Label], list[_Report]]:
    labels: list[_Label] = []
    reports: list[_Report] = []
    for item in items:
        notes = list(reported[item.id])
        right = match_errors(notes, item.errors)
        near = match_errors(notes, item.errors, same_category=False)
        hit, placed = {id(pair[1]) for pair in right}, {id(pair[1]) for pair in near}
        for plant, note in zip(item.plants, item.errors, strict=True):
            labels.append(_Label(item.conversation_id, plant, note, id(note) in hit, id(note) in placed))
        true, close = {id(pair[0]) for pair in right}, {id(pair[0]) for pair in near}
        reports += [_Report(item.conversation_id, n.category, id(n) in true, id(n) in close) for n in notes]
    return labels, reports


def _detected(labels: Sequence[_Label], reports: Sequence[_Report], resampling: Resampling) -> Detected:
    recall = _recall(labels, resampling)
    precision = resampling.share([report.right for report in reports], [report.cluster for report in reports])
    # F1 = 2 TP / (reported + planted), each true positive counted at its label.
    f1 = resampling.ratio(
        [2.0 * label.reported for label in labels] + [0.0] * len(reports),
        [1.0] * (len(labels) + len(reports)),
        [label.cluster for label in labels] + [report.cluster for report in reports],
    )
    return Detected(
        **recall.model_dump(exclude={"intervals"}),
        intervals=recall.intervals | _named(precision=precision, f1=f1),
        found=len(reports),
        precision=_value(precision),
        f1=_value(f1),
    )


def _recall(labels: Sequence[_Label], resampling: Resampling) -> Recall:
    clusters = [label.cluster for label in labels]
    recall = resampling.share([label.reported for label in labels], clusters)
    located = resampling.share([label.located for label in labels], clusters)
    return Recall(
        planted=len(labels),
        recall=_value(recall),
        located=_value(located),
        intervals=_named(recall=recall, located=located),
    )


def _grouped(labels: Sequence[_Label], name: Callable[[Plant], str], resampling: Resampling) -> dict[str, Recall]:
    groups: dict[str, list[_Label]] = defaultdict(list)
    for label in labels:
        groups[name(label.plant)].append(label)
    return {key: _recall(groups[key], resampling) for key in sorted(groups)}


def _outside(plant: Plant) -> bool:
    return plant.kind in FACT_KINDS and plant.origin == "invented"


def _named(**intervals: Interval | None) -> dict[str, Interval]:
    return {name: interval for name, interval in intervals.items() if interval is not None}


def _value(interval: Interval | None) -> float | None:
    return interval.value if interval else None


class _Mended(NamedTuple):
    """One planted item, and how well its revision mends it."""

    item: PlantedItem
    fixed: list[bool]
    rest: Untouched
    score: float


def revision_figures(
    items: Sequence[PlantedItem], revised: Mapping[str, str], resampling: Resampling, cost: Cost
) -> ReviseProbe:
    """Compute the figures over the planted items with a revision in `revised`, which is by item id."""
    rows = [_mended(item, revised[item.id]) for item in items if item.errors and item.id in revised]
    clusters = [row.item.conversation_id for row in rows]
    intervals = {
        "fix_rate": resampling.ratio([sum(r.fixed) for r in rows], [len(r.fixed) for r in rows], clusters),
        "untouched_rate": resampling.ratio([r.rest.kept for r in rows], [r.rest.total for r in rows], clusters),
        "whole_rate": resampling.share([r.rest.whole for r in rows], clusters),
        "score": resampling.ratio([r.score for r in rows], [1.0] * len(rows), clusters),
    }
    return ReviseProbe(
        planted=sum(len(row.fixed) for row in rows),
        **{name: _value(interval) for name, interval in intervals.items()},
        by_kind=_shares(rows, [[plant.kind for plant in row.item.plants] for row in rows]),
        by_category=_shares(rows, [[note.category for note in row.item.errors] for row in rows]),
        intervals=_named(**intervals),
        cost=cost,
    )


def clean_untouched(items: Sequence[PlantedItem], revised: Mapping[str, str]) -> float | None:
    """The share of clean items whose revision is the summary itself; None without clean items."""
    same = [revised[item.id] == item.summary for item in items if not item.errors and item.id in revised]
    return sum(same) / len(same) if same else None


def _mended(item: PlantedItem, after: str) -> _Mended:
    places = [plant.place() for plant in item.plants]
    return _Mended(
        item=item,
        fixed=find_exact_fixes(item.revised, places, after),
        rest=count_untouched(item.revised, places, after),
        score=score_repair(item.summary, item.revised, after).score,
    )


def _shares(rows: Sequence[_Mended], names: Sequence[Sequence[str]]) -> dict[str, float]:
    """{name: share of its errors that are fixed}; `names` has the names of each row's errors."""
    fixed: dict[str, list[bool]] = defaultdict(list)
    for row, row_names in zip(rows, names, strict=True):
        for name, hit in zip(row_names, row.fixed, strict=True):
            fixed[name].append(hit)
    return {name: sum(fixed[name]) / len(fixed[name]) for name in sorted(fixed)}

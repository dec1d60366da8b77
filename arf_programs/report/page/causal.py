"""The causal table of the report: how often each kind of error occurs, and which kinds make up a student's gain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from arf_programs.metrics import ANY, TEACHER, CausalRow, Interval, in_order
from arf_programs.report.data import ReportData
from arf_programs.report.page.figures import Cell, bounds, category_name
from arf_programs.report.text import figure, signed_bounds

_SHARE, _COUNT = "error_rate", "errors_per_summary"


@dataclass(frozen=True)
class CausalLine:
    """One category: the cells of the training side, and a cell for each system of the holdout."""

    name: str
    whole: bool
    training: tuple[Cell, ...]
    holdout: tuple[Cell, ...]


@dataclass(frozen=True)
class GainLine:
    """One category: for each system its gain over the teacher, and its part of the whole in per cent."""

    name: str
    whole: bool
    gains: tuple[tuple[Cell, str], ...]


@dataclass(frozen=True)
class CausalView:
    """Both tables; `systems` names the columns of the holdout, `gainers` those of the gains."""

    systems: tuple[str, ...]
    gainers: tuple[str, ...]
    lines: tuple[CausalLine, ...]
    gains: tuple[GainLine, ...]


def build_causal_view(data: ReportData) -> CausalView | None:
    """Build the causal table for the template; None if there is no category of error."""
    rows = data.summary.evaluate.causal
    if len(rows) < 2:
        return None
    systems, gainers = (tuple(in_order(_names(group))) for group in ((r.holdout for r in rows), (r.gain for r in rows)))
    # A reader looks for student and teacher: they come before what may be out of sight on a small screen.
    systems = tuple(sorted(systems, key=_place))
    gainers = tuple(name for name in gainers if name.startswith("student_")) or gainers
    ordered = [*(row for row in rows if row.category != ANY), *(row for row in rows if row.category == ANY)]
    return CausalView(
        systems=systems,
        gainers=gainers,
        lines=tuple(_line(data, row, systems) for row in ordered),
        gains=tuple(_gain_line(data, row, gainers) for row in ordered) if gainers else (),
    )


def _place(system: str) -> tuple[bool, bool, bool]:
    return system != TEACHER, not system.startswith("student_arf"), system == "base"


def _names(groups: Iterable[dict[str, Interval]]) -> set[str]:
    return {name for group in groups for name in group}


def _line(data: ReportData, row: CausalRow, systems: tuple[str, ...]) -> CausalLine:
    return CausalLine(
        name=_name(data, row),
        whole=row.category == ANY,
        training=(
            _share(row.drafts),
            _against(row.revisions, row.change),
            _share_of(row.fixed),
            _share_of(row.added),
        ),
        holdout=tuple(_system(row, system) for system in systems),
    )


def _system(row: CausalRow, system: str) -> Cell:
    return _against(row.holdout.get(system), row.against_teacher.get(system) if system != TEACHER else None)


def _against(share: Interval | None, difference: Interval | None) -> Cell:
    """A share with the interval of its paired difference, and bold if that excludes zero.

    Without a difference it has the interval of the share.
    """
    if share is None or difference is None:
        return _share(share)
    excludes_zero = difference.low > 0 or difference.high < 0
    return Cell(figure(share.value, _SHARE), signed_bounds(difference, _SHARE), best=excludes_zero)


def _share(interval: Interval | None) -> Cell:
    return Cell() if interval is None else Cell(figure(interval.value, _SHARE), bounds(interval, _SHARE))


def _share_of(interval: Interval | None) -> Cell:
    """A share of some of the drafts, with their number."""
    cell = _share(interval)
    return cell if interval is None else replace(cell, bounds=f"{cell.bounds}, of {interval.n}")


def _gain_line(data: ReportData, row: CausalRow, systems: tuple[str, ...]) -> GainLine:
    return GainLine(_name(data, row), row.category == ANY, tuple(_gain(row, system) for system in systems))


def _gain(row: CausalRow, system: str) -> tuple[Cell, str]:
    gain, part = row.gain.get(system), row.part.get(system)
    if gain is None:
        return Cell(), ""
    cell = Cell(figure(gain.value, _COUNT, signed=True), signed_bounds(gain, _COUNT))
    return cell, "" if part is None else f"{part:.0%}".replace("-", "−")


def _name(data: ReportData, row: CausalRow) -> str:
    return "Any error" if row.category == ANY else category_name(data, row.category)

"""The figures of a probe as tables: for a terminal, for Markdown and for the report."""

from __future__ import annotations

from collections.abc import Mapping

from arf_programs.metrics.bootstrap import Interval
from arf_programs.probing.figures import Cost, Detected, Probe, Recall, ReviseProbe
from signatures.records import Record


class Table(Record):
    """A table of texts; the first column names the row."""

    title: str
    note: str = ""
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(probe: Probe) -> tuple[Table, ...]:
    """All tables of a probe."""
    found = (_by_category(probe), _by_origin(probe), _alarms(probe))
    return (*found, _revised(probe)) if probe.revise else found


def as_markdown(probe: Probe) -> str:
    """The tables as Markdown, to be pasted into a page."""
    return "\n\n".join(_markdown(table) for table in tables(probe))


def _markdown(table: Table) -> str:
    lines = [table.header, ("---",) * len(table.header), *table.rows]
    grid = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"**{table.title}.** {table.note}".strip() + f"\n\n{grid}"


def _by_category(probe: Probe) -> Table:
    rows = [(name, *_detected(figures)) for name, figures in probe.analyze.by_category.items()]
    who = "checks alone" if probe.checks_only else f"analyst {probe.analyst}"
    return Table(
        title=f"Found, by category ({who})",
        note=f"{probe.items} summaries, {probe.clean} of them clean; in brackets the {probe.confidence:.0%} interval. "
        "Located: found at the place, under any category.",
        header=("category", "planted", "recall", "precision", "F1", "located"),
        rows=(*rows, ("all", *_detected(probe.analyze.overall))),
    )


def _by_origin(probe: Probe) -> Table:
    sorts = {name.removesuffix(", none"): figures for name, figures in probe.analyze.by_origin.items()}
    sorts["details from outside the conversation"] = probe.analyze.outside
    return Table(
        title="Found, by kind",
        header=("kind", "planted", "recall", "located"),
        rows=tuple((name, *_recall(figures)) for name, figures in sorts.items()),
    )


def _alarms(probe: Probe) -> Table:
    overall, cost = probe.analyze.overall, probe.analyze.cost
    known = overall.intervals
    return Table(
        title="Alarms",
        header=("measure", "value"),
        rows=(
            ("reports", str(overall.found)),
            (
                "reports that are a planted error, by place",
                _cell(overall.precision_located, known, "precision_located"),
            ),
            ("clean summaries with a false alarm", _cell(overall.false_alarm_rate, known, "false_alarm_rate")),
            ("balanced accuracy of having an error", _number(overall.balanced_accuracy)),
            *(() if probe.checks_only else _cost(cost)),
        ),
    )


def _revised(probe: Probe) -> Table:
    columns = [figures for figures in (probe.revise, probe.end_to_end) if figures is not None]
    measures = {
        "errors fixed exactly": "fix_rate",
        "tokens elsewhere untouched": "untouched_rate",
        "summaries untouched elsewhere": "whole_rate",
        "repair score": "score",
    }
    rows = [(label, *(_revise_cell(column, name) for column in columns)) for label, name in measures.items()]
    kinds = sorted({kind for column in columns for kind in column.by_kind})
    rows += [(f"fixed: {kind}", *(_number(column.by_kind.get(kind)) for column in columns)) for kind in kinds]
    rows += [
        (label, *(cells[label] for cells in [dict(_cost(column.cost)) for column in columns]))
        for label, _ in _cost(columns[0].cost)
    ]
    clean = _number(probe.clean_untouched_rate)
    return Table(
        title=f"Mended (editor {probe.editor})",
        note=f"Given: with the planted errors as notes. End to end: with what the analyst found, which leaves {clean} "
        "of the clean summaries as they are.",
        header=("measure", "given", "end to end"),
        rows=tuple(rows),
    )


def _revise_cell(figures: ReviseProbe, name: str) -> str:
    return _cell(getattr(figures, name), figures.intervals, name)


def _detected(figures: Detected) -> tuple[str, ...]:
    names = ("recall", "precision", "f1", "located")
    return (str(figures.planted), *(_cell(getattr(figures, name), figures.intervals, name) for name in names))


def _recall(figures: Recall) -> tuple[str, ...]:
    cells = (_cell(getattr(figures, name), figures.intervals, name) for name in ("recall", "located"))
    return (str(figures.planted), *cells)


def _cost(cost: Cost) -> tuple[tuple[str, str], ...]:
    return (
        ("calls a summary", f"{cost.calls_per_summary:.2f}"),
        ("tokens a summary", f"{cost.tokens_per_summary:.0f}"),
        ("summaries without a usable answer", f"{cost.failed} of {cost.summaries}"),
    )


def _cell(value: float | None, intervals: Mapping[str, Interval], name: str) -> str:
    interval = intervals.get(name)
    if value is None or interval is None:
        return "-"
    return f"{value:.2f} ({interval.low:.2f}-{interval.high:.2f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

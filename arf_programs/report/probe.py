"""The figures of a probe (`probe.json`), and the same as tables for a terminal, for Markdown and for the report."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from arf_programs.metrics import Interval
from arf_programs.report.text import markdown_table
from signatures.records import Record

Intervals = dict[str, Interval]


class Recall(Record):
    """Planted errors of one kind, and how many of them were found.

    `recall` is the share found under the right category, `located` the share found at the place under any category.
    `intervals` has the intervals of the figures by name.
    """

    planted: int = 0
    recall: float | None = None
    located: float | None = None
    intervals: Intervals = Field(default_factory=dict)


class Detected(Recall):
    """Planted errors against all reported errors (`found`), over planted and clean summaries together."""

    found: int = 0
    precision: float | None = None
    f1: float | None = None


class Overall(Detected):
    """All categories together.

    `precision_located` is the share of reports that are a planted error by place alone. `false_alarm_rate` is the share
    of the `clean` summaries with a report. `balanced_accuracy` is the mean of two shares: planted summaries with a
    report, and clean ones without.
    """

    precision_located: float | None = None
    clean: int = 0
    false_alarm_rate: float | None = None
    balanced_accuracy: float | None = None


class Cost(Record):
    """What one summary costs on average; `failed` is the number of summaries without a usable answer."""

    summaries: int = 0
    failed: int = 0
    calls_per_summary: float = 0.0
    tokens_per_summary: float = 0.0


class AnalyzeProbe(Record):
    """Errors that the analyst finds. `outside` has the invented numbers, amounts, dates and names together."""

    overall: Overall
    by_category: dict[str, Detected] = Field(default_factory=dict)
    by_kind: dict[str, Recall] = Field(default_factory=dict)
    by_origin: dict[str, Recall] = Field(default_factory=dict)
    outside: Recall = Recall()
    cost: Cost = Cost()


class ReviseProbe(Record):
    """Errors that the editor mends.

    `fix_rate`: share of planted errors whose place has the text of the right summary again.
    `untouched_rate`: share of the tokens outside the planted places that are still there.
    `whole_rate`: share of summaries in which all these tokens are there and nothing was added.
    `score`: mean score of `arf_programs.metrics.score_repair`.
    """

    planted: int = 0
    fix_rate: float | None = None
    untouched_rate: float | None = None
    whole_rate: float | None = None
    score: float | None = None
    by_kind: dict[str, float] = Field(default_factory=dict)
    by_category: dict[str, float] = Field(default_factory=dict)
    intervals: Intervals = Field(default_factory=dict)
    cost: Cost = Cost()


class Probe(Record):
    """A whole probe: the editor gets the planted errors in `revise`, and the analyst's errors in `end_to_end`.

    Both are None if only the checks were measured. `clean_untouched_rate` is the share of clean summaries that stay as
    they are, end to end.
    """

    name: str
    checks_only: bool
    analyst: str = ""
    editor: str = ""
    items: int
    clean: int
    confidence: float
    analyze: AnalyzeProbe
    revise: ReviseProbe | None = None
    end_to_end: ReviseProbe | None = None
    clean_untouched_rate: float | None = None


class Table(Record):
    """A table of texts; the first column names the row."""

    title: str
    note: str = ""
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(probe: Probe) -> tuple[Table, ...]:
    """All tables of a probe."""
    analysis = (_by_category(probe), _by_origin(probe), _alarms(probe))
    return (*analysis, _revised(probe)) if probe.revise else analysis


def as_markdown(probe: Probe) -> str:
    """The tables as Markdown."""
    return "\n\n".join(_markdown(table) for table in tables(probe))


def _markdown(table: Table) -> str:
    return f"**{table.title}.** {table.note}".strip() + "\n\n" + markdown_table(table.header, table.rows)


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
    intervals = overall.intervals
    return Table(
        title="Alarms",
        header=("measure", "value"),
        rows=(
            ("reports", str(overall.found)),
            (
                "reports that are a planted error, by place",
                _cell(overall.precision_located, intervals, "precision_located"),
            ),
            ("clean summaries with a false alarm", _cell(overall.false_alarm_rate, intervals, "false_alarm_rate")),
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

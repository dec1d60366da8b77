"""What the commands print: tables for people, objects for scripts.

What `arf plant` and `arf probe` print.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from arf_programs.cli.check import Findings
from arf_programs.metrics import METRICS
from arf_programs.planting import PlantedItem, by_category, by_kind, short_of
from arf_programs.report import Probe, tables
from arf_programs.report import Table as Figures
from arf_programs.report import as_markdown as markdown
from arf_programs.runs import Run, read_manifest

# What the table of the systems shows, and the headings that let it fit into 80 columns.
_HEADINGS = {
    "check_error_rate": "with errors\n(checks)",
    "error_rate": "with\nerrors",
    "errors_per_summary": "errors per\nsummary",
    "rating": "rating\n(1 to 5)",
    "rougeL": "ROUGE-L",
    "words": "words",
}


def show_findings(findings: Findings) -> None:
    """The good news, then what to beware of, then every problem."""
    console = Console()
    for line in findings.good:
        console.print(f"ok: {line}", markup=False, highlight=False, soft_wrap=True)
    for warning in findings.warnings:
        console.print(f"beware: {warning}", markup=False, highlight=False, soft_wrap=True)
    for problem in findings.problems:
        console.print(f"problem: {problem}", markup=False, highlight=False, soft_wrap=True)
    count = len(findings.problems)
    console.print("Ready to run." if not count else f"{count} problem{'s' if count > 1 else ''} to mend.")


def show_result(run: Run, last: str) -> None:
    """After `run` and `report` the table of the systems and the path of the report; else the run's folder."""
    console = Console()
    if last != "report":
        console.print(f"Done: {run.folder.path}", markup=False, highlight=False, soft_wrap=True)
        return
    summary = json.loads(run.folder.summary.read_text(encoding="utf-8"))
    console.print(systems_table(summary))
    console.print(f"Report: {run.folder.report}", markup=False, highlight=False, soft_wrap=True)


def systems_table(summary: Mapping[str, Any]) -> Table:
    """The systems with their metrics and intervals."""
    systems: Mapping[str, Mapping[str, Mapping[str, float]]] = summary["evaluate"]["systems"]
    # Where the analyst was not asked, both error rates are those of the checks.
    same = all(values.get("error_rate") == values.get("check_error_rate") for values in systems.values())
    shown = [name for name in _HEADINGS if not (same and name == "error_rate")]
    metrics = [name for name in shown if any(name in values for values in systems.values())]
    holdout = summary["corpus"]["holdout"]
    title = f"{summary['name']}: {holdout} holdout conversations, with intervals"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("system", no_wrap=True)
    for name in metrics:
        table.add_column(_HEADINGS[name], justify="right", no_wrap=True)
    for system, values in systems.items():
        table.add_row(system, *(_cell(name, values.get(name)) for name in metrics))
    return table


def result_json(run: Run, last: str) -> dict[str, Any]:
    """What a stage did, and the figures once there are any."""
    manifest = read_manifest(run.folder.manifest(last))
    result: dict[str, Any] = {"ok": True, "run_dir": str(run.folder.path), "stage": last}
    if manifest is not None:
        result["counts"] = manifest.counts
    if last == "report":
        result["report"] = str(run.folder.report)
        result["summary"] = json.loads(run.folder.summary.read_text(encoding="utf-8"))
    return result


def _cell(metric: str, figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return "-"
    value, low, high = (_figure(metric, figures[key]) for key in ("value", "low", "high"))
    return f"{value}\n{low.removesuffix('%')}-{high}"


def _figure(metric: str, value: float) -> str:
    if METRICS[metric].unit == "share":
        return f"{value:.0%}"
    return f"{value:.0f}" if METRICS[metric].unit == "words" else f"{value:.2f}"


def planted_json(run: Run, items: Sequence[PlantedItem]) -> dict[str, Any]:
    """What was planted, in numbers; `short` holds what the texts did not allow enough errors of."""
    return {
        "ok": True,
        "run_dir": str(run.folder.path),
        "planted": str(run.folder.planted),
        "items": len(items),
        "clean": sum(not item.errors for item in items),
        "errors": sum(len(item.errors) for item in items),
        "naturalized": sum(item.naturalized for item in items),
        "by_category": by_category(items),
        "by_kind": by_kind(items),
        "short": short_of(items, run.config.plant),
    }


def show_planted(run: Run, items: Sequence[PlantedItem]) -> None:
    """A line for each kind of error, and where they are."""
    console = Console()
    clean = sum(not item.errors for item in items)
    table = Table("kind", title=f"{len(items)} summaries, {clean} of them clean", title_justify="left")
    table.add_column("planted", justify="right")
    for kind, count in by_kind(items).items():
        table.add_row(kind, str(count))
    console.print(table)
    for kind, count in short_of(items, run.config.plant).items():
        console.print(f"The texts allow only {count} of {run.config.plant.per_kind} errors of: {kind}", highlight=False)
    console.print(f"Planted: {run.folder.planted}", markup=False, highlight=False, soft_wrap=True)


def show_probe(run: Run, probe: Probe, *, as_markdown: bool = False) -> None:
    """The tables of a probe."""
    console = Console()
    if as_markdown:
        console.print(markdown(probe), markup=False, highlight=False, soft_wrap=True)
        return
    for table in tables(probe):
        console.print(_rich(table))
    console.print(f"Figures: {run.folder.probe}", markup=False, highlight=False, soft_wrap=True)


def _rich(figures: Figures) -> Table:
    table = Table(title=figures.title, title_justify="left", caption=figures.note or None, caption_justify="left")
    for place, name in enumerate(figures.header):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in figures.rows:
        table.add_row(*row)
    return table

"""What the commands print: tables for people, objects for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arf_programs.preflight import Findings
from arf_programs.run import Run
from arf_programs.run_folder import read_manifest
from arf_programs.stages.stage import StageState

_COLOURS = {"whole": "green", "stale": "yellow", "missing": "red"}
_SHOWN = ("check_error_rate", "error_rate", "errors_per_summary", "rating", "rougeL", "words")
_DECIMALS = {"words": 0}


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


def show_status(folder: Path, states: Mapping[str, StageState]) -> None:
    """A line for each stage."""
    table = Table("stage", "state", "why", title=str(folder), title_justify="left")
    for name, item in states.items():
        table.add_row(name, Text(item.state, style=_COLOURS[item.state]), Text(item.why))
    Console().print(table)


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
    metrics = [name for name in _SHOWN if any(name in values for values in systems.values())]
    holdout = summary["corpus"]["holdout"]
    table = Table(title=f"{summary['name']}: {holdout} holdout conversations", title_justify="left")
    table.add_column("system", no_wrap=True)
    for name in metrics:
        table.add_column(name, justify="right", overflow="fold")
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
    places = _DECIMALS.get(metric, 2)
    value, low, high = (f"{figures[key]:.{places}f}" for key in ("value", "low", "high"))
    return f"{value}\n{low}-{high}"

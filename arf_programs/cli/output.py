"""What the pipeline's commands print: tables for people, objects for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from arf_programs.cli.session import print_lines, print_table
from arf_programs.metrics import METRICS
from arf_programs.runs import Manifest, Run, RunStatus, Spent, iter_ledger, read_record, read_status

if TYPE_CHECKING:
    from arf_programs.stages import StageState

# The metrics in the table of the systems, under headings that fit into 80 columns.
_HEADINGS = {
    "check_error_rate": "with errors\n(checks)",
    "error_rate": "with\nerrors",
    "errors_per_summary": "errors per\nsummary",
    "rating": "rating\n(1 to 5)",
    "rougeL": "ROUGE-L",
    "words": "words",
}
_COLOURS = {"whole": "green", "stale": "yellow", "missing": "red"}


def show_result(run: Run, last: str) -> None:
    """Print the table of the systems and the path of the report, if it is there; else the run's folder."""
    if last != "report":
        print_lines(f"Done: {run.folder.path}")
        return
    summary = json.loads(run.folder.summary.read_text(encoding="utf-8"))
    print_table(systems_table(summary, run.config.evaluate.confidence))
    if summary["evaluate"].get("checks_alone"):
        from arf_programs.report import READ_BY_NOBODY

        print_lines(f"Errors are those that the automatic checks could see. {READ_BY_NOBODY}")
    print_lines(f"Report: {run.folder.report}")


def systems_table(summary: Mapping[str, Any], confidence: float) -> Table:
    """Make the table of the systems with their metrics, and intervals of that confidence."""
    systems: Mapping[str, Mapping[str, Mapping[str, float]]] = summary["evaluate"]["systems"]
    # Without an analyst both error rates are those of the checks.
    same = all(values.get("error_rate") == values.get("check_error_rate") for values in systems.values())
    shown = [name for name in _HEADINGS if not (same and name == "error_rate")]
    metrics = [name for name in shown if any(name in values for values in systems.values())]
    holdout = summary["corpus"]["holdout"]
    title = f"{summary['name']}: {holdout} holdout conversations, with {confidence:.0%} intervals"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("system", overflow="fold")
    for name in metrics:
        table.add_column(_HEADINGS[name], justify="right", overflow="fold")
    for system, values in systems.items():
        table.add_row(system, *(_cell(name, values.get(name)) for name in metrics))
    return table


def result_json(run: Run, last: str) -> dict[str, Any]:
    """Say what a stage did, with the figures if it is the report."""
    manifest = read_record(run.folder.manifest(last), Manifest)
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


def show_status(run: Run, states: Mapping[str, StageState]) -> None:
    """Print a line for each stage, the progress of the stage at work, and the spend."""
    table = Table("stage", "state", "why", title=str(run.folder.path), title_justify="left")
    for name, item in states.items():
        table.add_row(name, Text(item.state, style=_COLOURS[item.state]), Text(item.why))
    print_table(table)
    if (now := read_status(run.folder)) is not None:
        print_lines(_progress_line(now))
    spent = _spend(run)
    if spent["calls"] or spent["failed"]:
        line = f"Spent: {spent['calls']} calls, {spent['tokens']} tokens, {spent['usd']:.2f} USD"
        line += f"; {spent['failed']} more tries failed" if spent["failed"] else ""
        print_lines(line)


def status_json(run: Run, states: Mapping[str, StageState]) -> dict[str, Any]:
    """Give the same to scripts; `progress` is null while no stage is half done."""
    now = read_status(run.folder)
    progress = None if now is None else {**now.model_dump(), "seconds_left": now.seconds_left, "usd_left": now.usd_left}
    return {
        "run_dir": str(run.folder.path),
        "stages": {name: {"state": item.state, "why": item.why} for name, item in states.items()},
        "progress": progress,
        "spent": _spend(run),
    }


def _spend(run: Run) -> dict[str, float]:
    """Count calls that models answered, tries that failed, tokens and US dollars of the run so far."""
    spent = Spent.on(iter_ledger(run.folder.ledger))
    return {"calls": spent.calls, "failed": spent.failed, "tokens": spent.tokens, "usd": spent.usd}


def _progress_line(now: RunStatus) -> str:
    """`analyze: 120 of 300 done, 3 failed, 64 in flight, 35.2 rows/s, about 5 s and 0.80 USD left`."""
    return ", ".join(part for part in (f"{now.stage}: {now.done} of {now.total} done", now.note) if part)

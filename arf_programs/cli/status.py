"""What `arf status` prints: the state of each stage, its progress, and the spend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from arf_programs.cli.session import print_lines, print_table
from arf_programs.runs import Run, RunStatus, Spent, iter_ledger, read_status
from arf_programs.stages import StageState

_COLOURS = {"whole": "green", "stale": "yellow", "missing": "red"}


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
    """`analyze: 120 of 300 done, 3 failed, 64 in flight, 35.2 rows/s; about 5 s and 0.80 USD left`."""
    line = f"{now.stage}: {now.done} of {now.total} done, {now.failed} failed, {now.in_flight} in flight"
    if now.rows_per_second:
        line += f", {now.rows_per_second:.1f} rows/s"
    return line + (f"; {now.left}" if now.left else "")

"""`arf compare`: show several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import Json, Verbose, print_json, print_lines, print_table, reporting

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.report import ComparedRuns, RunDifference

Runs = Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of finished runs, or their arf.yaml.")]


def compare(runs: Runs, as_json: Json = False, verbose: Verbose = False) -> None:
    """Show several runs side by side: the systems that share a name, on the same holdout."""
    with reporting(as_json=as_json, verbose=verbose):
        from arf_programs.report import compare_runs

        result = compare_runs(runs)
        if as_json:
            print_json({"ok": True, **result.model_dump(mode="json")})
        else:
            _show(result)


def _show(result: ComparedRuns) -> None:
    """Print a table of all systems for each run, then the differences from the first run, then the warnings."""
    from arf_programs.cli.output import systems_table

    for run in result.runs:
        figures = {name: {m: i.model_dump() for m, i in metrics.items()} for name, metrics in run.systems.items()}
        summary = {"name": run.label, "corpus": {"holdout": result.holdout}, "evaluate": {"systems": figures}}
        print_table(systems_table(summary))
    for label in dict.fromkeys(row.a for row in result.differences):
        rows = [row for row in result.differences if row.a == label]
        print_table(_differences_table(rows, result.confidence))
    print_lines(*(f"beware: {note}" for note in result.notes))


def _differences_table(rows: Sequence[RunDifference], confidence: float) -> Table:
    """Show the differences of one run from the first, a line for each system and metric."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from arf_programs.report import figure, metric_label, probability, signed_bounds

    title = Text(f"{rows[0].a} less {rows[0].b}, paired by conversation, {confidence:.0%} intervals")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("system", no_wrap=True)
    table.add_column("metric")
    for name in ("difference", "interval", "p (Holm)", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for system, group in groupby(rows, key=lambda row: row.system):
        for number, row in enumerate(group):
            table.add_row(
                Text("" if number else system),
                metric_label(row.metric),
                figure(row.difference, row.metric, signed=True),
                signed_bounds(row, row.metric),
                "" if row.p_holm is None else probability(row.p_holm),
                str(row.n),
            )
        table.add_section()
    return table

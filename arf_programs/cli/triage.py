"""`arf triage`: which drafts are worth an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import (
    ConfigPath,
    Json,
    Limit,
    RunDir,
    Set,
    Verbose,
    opened_run,
    print_json,
    print_lines,
    print_table,
)

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.tools.probing import Triage

Recall = Annotated[
    float, typer.Option("--recall", min=0.05, max=1.0, help="The share of flawed drafts that is to be caught.")
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="KEY", help="Learn from the earlier half by this key of the metadata."),
]


def triage(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    recall: Recall = 0.9,
    time: Time = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say which share of the drafts has to be analysed to catch 90% of the flawed ones, by several rankings."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
        from arf_programs.tools.probing import rank_drafts

        result = rank_drafts(run, time=time, recall=recall)
        if as_json:
            print_json({"ok": True, **result.model_dump(mode="json")})
        else:
            print_table(_table(result))
            print_lines(*_lines(result))


def _table(result: Triage) -> Table:
    from rich.table import Table

    table = Table(title=f"{result.drafts} drafts, {result.flawed} with an error", title_justify="left")
    table.add_column("drafts are ranked by")
    for share in (0.2, 0.4, 0.6):
        table.add_column(f"caught at {share:.0%}", justify="right")
    table.add_column(f"to catch {result.recall:.0%}", justify="right")
    for curve in result.curves:
        shown = {round(point.analysed, 2): point.caught for point in curve.points}
        table.add_row(
            curve.name, *(shown[share].text(".0%", "-") for share in (0.2, 0.4, 0.6)), curve.needed.text(".0%", "-")
        )
    return table


def _lines(result: Triage) -> list[str]:
    best = min(result.curves, key=lambda curve: curve.needed.value)
    share = f"{best.needed.value:.0%} of the drafts"
    return [
        f"Best: {best.name}. Analyse {share} to catch {result.recall:.0%} of the flawed ones.",
        f"What is learned is {result.split}. A draft is flawed if the analyst or a person reported an error.",
    ]

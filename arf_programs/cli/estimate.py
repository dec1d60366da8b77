"""`arf estimate`: options, and the table that it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import ConfigPath, Json, Limit, RunDir, Set, Verbose, open_run, print_json, reporting

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.estimating import Estimate, Line, Range

Sample = Annotated[
    int, typer.Option("--sample", min=2, help="Try N conversations of each side of the split (default 10).")
]
History = Annotated[
    list[Path] | None,
    typer.Option("--history", metavar="RUN_DIR", help="Count what another run booked, too; may be given again."),
]


def estimate(
    config: ConfigPath,
    sample: Sample = 10,
    history: History = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say what a run would ask and cost, stage by stage, before anything is spent."""
    with reporting(as_json=as_json, verbose=verbose):
        run = open_run(config, run_dir=run_dir, overrides=overrides or (), limit=limit, as_json=as_json)
        from arf_programs.estimating import estimate_run
        from arf_programs.runs import RunFolder

        made = estimate_run(run, sample=sample, history=[RunFolder(path) for path in history or ()])
        if as_json:
            print_json(made.model_dump(mode="json"))
        else:
            _show(made)


def _show(made: Estimate) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table(made))
    for note in made.notes:
        console.print(f"- {note}", markup=False, highlight=False, soft_wrap=True)


def _table(made: Estimate) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = f"{made.run_dir}: {made.conversations} conversations, {made.sample} tried; in brackets low and high"
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    table.add_column("stage", "total", no_wrap=True)
    table.add_column("model", overflow="fold")
    footers = (
        _cell(made.total_calls),
        _cell(made.total_tokens_in),
        _cell(made.total_tokens_out),
        _usd(made.total_usd) + (" + unknown" if made.unpriced else ""),
        _time(made.total_seconds, at_least=made.at_least),
    )
    for name, footer in zip(("calls", "tokens in", "tokens out", "USD", "time"), footers, strict=True):
        table.add_column(name, footer, justify="right")
    for line in made.lines:
        table.add_row(*_row(line))
    return table


def _row(line: Line) -> tuple[str, ...]:
    if line.source == "done":
        return (line.stage, "whole: nothing is asked", "0", "0", "0", "0", "")
    model = f"{line.model} ({line.stored:.0%} stored)" if line.stored else line.model
    usd = "unknown" if line.usd is None else _usd(line.usd)
    return (
        line.stage,
        model.replace("[", r"\["),
        _cell(line.calls),
        _cell(line.tokens_in),
        _cell(line.tokens_out),
        usd,
        _time(line.seconds, at_least=line.at_least),
    )


def _cell(item: Range) -> str:
    return _with_bounds(item, _count)


def _usd(item: Range) -> str:
    return _with_bounds(item, lambda usd: f"{usd:,.2f}" if usd >= 1 or not usd else f"{usd:.4f}")


def _time(item: Range | None, *, at_least: bool) -> str:
    from arf_programs.report import duration

    if item is None:
        return "unknown"
    return ("at least " if at_least else "") + _with_bounds(item, duration)


def _with_bounds(item: Range, write: Callable[[float], str]) -> str:
    middle, low, high = (write(value) for value in (item.mid, item.low, item.high))
    return middle if low == high else f"{middle}\n({low}-{high})"


def _count(value: float) -> str:
    """A count as people read it: 812, 5.2k, 3.4M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= 10 * size:
            return f"{value / size:,.0f}{unit}"
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:.0f}"

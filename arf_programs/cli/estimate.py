"""`arf estimate`: say what a run would ask and cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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

    from arf_programs.tools.estimating import Estimate, Line, Range

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
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
        from arf_programs.runs import RunFolder
        from arf_programs.tools.estimating import estimate_run

        result = estimate_run(run, sample=sample, history=[RunFolder(path) for path in history or ()])
        if as_json:
            print_json(result.model_dump(mode="json"))
        else:
            print_table(_table(result))
            print_lines(*(f"- {note}" for note in result.notes))


def _table(result: Estimate) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = f"{result.run_dir}: {result.conversations} conversations, {result.sample} tried; in brackets low and high"
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    table.add_column("stage", "total", no_wrap=True)
    table.add_column("model", overflow="fold")
    footers = (
        _cell(result.total_calls),
        _cell(result.total_tokens_in),
        _cell(result.total_tokens_out),
        _usd(result.total_usd) + (" + unknown" if result.unpriced else ""),
        _time(result.total_seconds, at_least=result.at_least),
    )
    for name, footer in zip(("calls", "tokens in", "tokens out", "USD", "time"), footers, strict=True):
        table.add_column(name, footer, justify="right", no_wrap=name == "USD", overflow="fold")
    for line in result.lines:
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

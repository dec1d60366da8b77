"""`arf transfer`: measure a compiled program on other models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import (
    Json,
    Limit,
    RunDir,
    Set,
    Verbose,
    opened_run,
    print_json,
    print_lines,
    print_table,
    reporting,
)
from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.tools.transfer import Transfer


def transfer(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A compiled program: its folder, or its file.")],
    models: Annotated[str, typer.Option("--models", metavar="A,B,C", help="The models to measure it on.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="The arf.yaml, instead of that in a folder above PROGRAM.")
    ] = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure a compiled program on other models, beside the uncompiled one, on the labelled set."""
    with reporting(as_json=as_json, verbose=verbose):
        names = _names(models)
        from arf_programs.tools.transfer import find_config, measure_transfer, read_program

        saved = read_program(program)
        path = config or find_config(program)
        with opened_run(path, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
            from arf_programs.corpus import refuse_no_labels
            from arf_programs.runs import lock_run

            refuse_no_labels(run.config.labeled)
            with lock_run(run):
                result = measure_transfer(run, saved, names)
            if as_json:
                print_json({"ok": True, "table": str(saved.table), **result.model_dump(mode="json")})
            else:
                print_table(_table(result))
                print_lines(*_lines(result), f"Table: {saved.table}")


def _names(models: str) -> list[str]:
    names = [name.strip() for name in models.split(",")]
    if not all(names) or len(set(names)) != len(names):
        raise ConfigError(f"--models {models}: name each model once, with commas between them")
    return names


def _table(result: Transfer) -> Table:
    from rich.table import Table

    from arf_programs.tools.compiling import interval_text

    cases = sum(result.cases.values())
    title = (
        f"{result.target}, compiled with {result.compiled_with} by {result.optimizer}: {cases} cases of dev and test"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("model", overflow="fold")
    for column in ("uncompiled", "compiled", "difference", "compiled is"):
        table.add_column(column)
    for row in result.rows:
        scores = row.scores
        cells = [interval_text(scores.before), interval_text(scores.after)]
        table.add_row(row.model, *cells, interval_text(scores.difference, signed=True), row.verdict)
    return table


def _lines(result: Transfer) -> list[str]:
    lines = [
        f"Scores are from 0 to 1, with {result.confidence:.0%} intervals over conversations; differences are paired."
    ]
    return lines + [
        f"{row.model}: without a usable answer {row.scores.failed_before} uncompiled and {row.scores.failed_after} "
        "compiled, which score 0."
        for row in result.rows
        if row.scores.failed_before or row.scores.failed_after
    ]

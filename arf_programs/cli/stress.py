"""`arf stress`: search for conversations that make the student fail."""

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

    from arf_programs.tools.rounds import StressFigures


Tries = Annotated[int, typer.Option("--tries", min=1, max=100_000, help="Try N harder conversations.")]
AtRandom = Annotated[bool, typer.Option("--random", help="Choose the operators at random instead: the baseline.")]


def stress(
    config: ConfigPath,
    tries: Tries = 100,
    at_random: AtRandom = False,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search for harder conversations on which the student fails: a regression suite, and training rows."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.tools.rounds import stress as search
        from arf_programs.tools.rounds import stress_folder

        figures = search(run, tries, at_random=at_random)
        folder = stress_folder(run, at_random=at_random)
        if as_json:
            print_json({"ok": True, "folder": str(folder), **figures.model_dump(mode="json")})
            return
        print_table(_operators(figures))
        print_lines(
            f"{figures.failures} failures in {figures.tries} tries, of {len(figures.kinds)} kinds.",
            f"A corpus of those that failed: {folder / 'hard.jsonl'}; rows to train on: {folder / 'train.jsonl'}",
        )


def _operators(figures: StressFigures) -> Table:
    from rich.table import Table

    table = Table("operator", title=f"operators chosen by: {figures.chosen}", title_justify="left")
    for name in ("tries", "failures"):
        table.add_column(name, justify="right")
    for name, outcome in figures.operators.items():
        table.add_row(name.replace("_", " "), str(outcome.tries), str(outcome.failures))
    return table

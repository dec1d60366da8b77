"""`arf plant` and `arf probe`: plant known errors, and measure how many of them are found and mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

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
    from arf_programs.planting import PlantedItem
    from arf_programs.report import Probe
    from arf_programs.runs import Run

ChecksOnly = Annotated[
    bool, typer.Option("--checks-only", help="Measure the deterministic checks alone: no model, no key.")
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown, to be pasted into a page.")]


def plant(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Plant known errors in summaries believed right: a labelled set where there is none."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.tools.probing import ensure_planted

        items = ensure_planted(run)
        if as_json:
            print_json(_planted_json(run, items))
        else:
            _show_planted(run, items)


def probe(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    checks_only: ChecksOnly = False,
    as_markdown: AsMarkdown = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure what analyst and editor see and mend of planted errors, before you spend on a corpus."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.report import as_markdown as markdown
        from arf_programs.tools.probing import probe as measure

        result = measure(run, checks_only=checks_only)
        if as_json:
            print_json(result.model_dump(mode="json"))
        elif as_markdown:
            print_lines(markdown(result))
        else:
            _show_probe(run, result)


def _planted_json(run: Run, items: Sequence[PlantedItem]) -> dict[str, Any]:
    """Count what was planted; `short` names the kinds of which the texts did not allow enough errors."""
    from arf_programs.planting import by_category, by_kind, short_of

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


def _show_planted(run: Run, items: Sequence[PlantedItem]) -> None:
    from rich.table import Table

    from arf_programs.planting import by_kind, short_of

    clean = sum(not item.errors for item in items)
    table = Table("kind", title=f"{len(items)} summaries, {clean} of them clean", title_justify="left")
    table.add_column("planted", justify="right")
    for kind, count in by_kind(items).items():
        table.add_row(kind, str(count))
    print_table(table)
    for kind, count in short_of(items, run.config.plant).items():
        print_lines(f"The texts allow only {count} of {run.config.plant.per_kind} errors of: {kind}")
    print_lines(f"Planted: {run.folder.planted}")


def _show_probe(run: Run, probe: Probe) -> None:
    from rich.table import Table

    from arf_programs.report import tables

    for figures in tables(probe):
        table = Table(title=figures.title, title_justify="left", caption=figures.note or None, caption_justify="left")
        for place, name in enumerate(figures.header):
            table.add_column(name, justify="right" if place else "left", overflow="fold")
        for row in figures.rows:
            table.add_row(*row)
        print_table(table)
    print_lines(f"Figures: {run.folder.probe}")

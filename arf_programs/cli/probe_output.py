"""What `arf plant` and `arf probe` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from arf_programs.planting.records import PlantedItem
from arf_programs.planting.tally import by_category, by_kind, short_of
from arf_programs.probing.figures import Probe
from arf_programs.probing.tables import Table as Figures
from arf_programs.probing.tables import as_markdown as markdown
from arf_programs.probing.tables import tables
from arf_programs.run import Run


def planted_json(run: Run, items: Sequence[PlantedItem]) -> dict[str, Any]:
    """What was planted, in numbers; `short` holds what the texts did not allow enough errors of."""
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


def show_planted(run: Run, items: Sequence[PlantedItem]) -> None:
    """A line for each kind of error, and where they are."""
    console = Console()
    clean = sum(not item.errors for item in items)
    table = Table("kind", title=f"{len(items)} summaries, {clean} of them clean", title_justify="left")
    table.add_column("planted", justify="right")
    for kind, count in by_kind(items).items():
        table.add_row(kind, str(count))
    console.print(table)
    for kind, count in short_of(items, run.config.plant).items():
        console.print(f"The texts allow only {count} of {run.config.plant.per_kind} errors of: {kind}", highlight=False)
    console.print(f"Planted: {run.folder.planted}", markup=False, highlight=False, soft_wrap=True)


def show_probe(run: Run, probe: Probe, *, as_markdown: bool = False) -> None:
    """The tables of a probe."""
    console = Console()
    if as_markdown:
        console.print(markdown(probe), markup=False, highlight=False, soft_wrap=True)
        return
    for table in tables(probe):
        console.print(_rich(table))
    console.print(f"Figures: {run.folder.probe}", markup=False, highlight=False, soft_wrap=True)


def _rich(figures: Figures) -> Table:
    table = Table(title=figures.title, title_justify="left", caption=figures.note or None, caption_justify="left")
    for place, name in enumerate(figures.header):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in figures.rows:
        table.add_row(*row)
    return table

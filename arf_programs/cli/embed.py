"""`arf embed train`: tune an embedding on the corpus, and compare it with BM25."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    from arf_programs.critic import EmbeddingCard

app = typer.Typer(no_args_is_help=True, help="Tune an embedding on the corpus.")


@app.callback()
def _group() -> None:
    """Make `train` a command of a group, though it is the only one."""


@app.command()
def train(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tune an embedding so that summaries find their conversations, and compare it with BM25 on unseen ones."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.critic import train_embedding

        folder, card = train_embedding(run)
        if as_json:
            print_json({"ok": True, "folder": str(folder), **card.model_dump(mode="json")})
            return
        ended = "the time ended first" if card.stopped else "as planned"
        use = (
            f"It beats BM25. Use it: labeled.embedding: {folder}"
            if card.beats_bm25
            else "It does not beat BM25 beyond chance: leave labeled.embedding at null, which is BM25."
        )
        print_table(_table(card))
        print_lines(
            f"Tuned on {card.summaries} summaries in {card.seconds / 60:.1f} minutes ({ended}).",
            f"Tuned less BM25, recall at 1: {card.gain.text()}. {use}",
        )


def _table(card: EmbeddingCard) -> Table:
    from rich.table import Table

    title = f"{card.queries} summaries looked up among {card.candidates} conversations"
    table = Table(title=title, title_justify="left")
    table.add_column("by")
    for name in ("recall at 1", "recall at 10"):
        table.add_column(name, justify="right")
    for row in card.found:
        table.add_row(row.ranking, row.at_1.text(), row.at_10.text())
    return table

"""`arf checker`: measure a checker, and train one. `arf embed train`: tune an embedding on the corpus."""

from __future__ import annotations

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
    print_figures,
    print_json,
    print_lines,
    reporting,
)

if TYPE_CHECKING:
    from arf_programs.metrics import CheckerProbe, Interval

checker = typer.Typer(no_args_is_help=True, help="Measure a checker of sentences, or train one.")
embed = typer.Typer(no_args_is_help=True, help="Tune an embedding on the corpus.")

Target = Annotated[Path, typer.Argument(metavar="TARGET", help="An arf.yaml, or the folder of a checker.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="Also measure on a JSONL file of labelled summaries."),
]


@checker.command()
def probe(
    target: Target,
    data: Data = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure how well a checker, or the checks, tell wrong sentences and summaries from right ones."""
    if target.is_dir():
        with reporting(as_json=as_json, verbose=verbose):
            from arf_programs.critic import probe_folder

            _show(probe_folder(target, data), as_json)
        return
    with opened_run(target, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.critic import probe_run

        _show(probe_run(run, data), as_json)


@checker.command("train")
def train_a_checker(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train a small checker on planted errors and labels, and measure it on conversations that it has not seen."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.critic import train_checker

        folder, card, made = train_checker(run)
        if as_json:
            print_json({"ok": True, "folder": str(folder), "card": card.model_dump(mode="json"), **made.model_dump()})
            return
        _show(made, as_json)
        ended = "the time ended first" if card.stopped else "as planned"
        print_lines(
            f"Trained on {sum(card.pairs.values())} sentences in {card.seconds / 60:.1f} minutes ({ended}).",
            f"Use it: analyze.checker.model: {folder}",
        )


def _show(made: CheckerProbe, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **made.model_dump(mode="json")})
        return
    _show_figures(made)
    _show_decisions(made)
    _show_kinds(made)
    print_lines("The balanced accuracy is at a threshold fitted on other conversations. Intervals draw conversations.")


def _show_figures(made: CheckerProbe) -> None:
    from arf_programs.critic import verdict

    rows = []
    for row in made.rows:
        found = row.figures
        accuracy = "-" if found.balanced_accuracy is None else f"{found.balanced_accuracy:.2f}"
        area = f"{_interval(found.auc)}\n{verdict(found.auc)}"
        rows.append((row.data, row.scorer, area, accuracy, _interval(found.recall)))
    columns = ("area under the curve", "bal. acc.", "recall at 5%")
    print_figures("How well wrong is told from right", ("texts", "scored by"), columns, rows)


def _show_decisions(made: CheckerProbe) -> None:
    rows = []
    for row in made.rows:
        found = row.figures
        wrong = f"{_interval(found.sensitivity)} of {found.wrong}"
        right = f"{_interval(found.specificity)} of {found.texts - found.wrong}"
        rows.append((row.data, row.scorer, wrong, right))
    columns = ("wrong ones", "right ones")
    print_figures("Decided rightly at the threshold in use", ("texts", "scored by"), columns, rows)


def _show_kinds(made: CheckerProbe) -> None:
    scorers = list(dict.fromkeys(row.scorer for row in made.rows))
    found = {(row.data, row.scorer): row.figures.recall_by_kind for row in made.rows}
    rows = [
        (data, kind, *(_interval(found.get((data, name), {}).get(kind)) for name in scorers))
        for data in dict.fromkeys(row.data for row in made.rows)
        for kind in sorted({kind for name in scorers for kind in found.get((data, name), {})})
    ]
    print_figures("Recall at 5% false alarms, by kind of error", ("texts", "kind"), scorers, rows)


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else interval.text(between="-")


@embed.callback()
def _group() -> None:
    """Make `train` a command of a group, though it is the only one."""


@embed.command("train")
def train_an_embedding(
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
        print_figures(
            f"{card.queries} summaries looked up among {card.candidates} conversations",
            ("by",),
            ("recall at 1", "recall at 10"),
            [(row.ranking, row.at_1.text(), row.at_10.text()) for row in card.found],
        )
        print_lines(
            f"Tuned on {card.summaries} summaries in {card.seconds / 60:.1f} minutes ({ended}).",
            f"Tuned less BM25, recall at 1: {card.gain.text()}. {use}",
        )

"""`arf federate`: what a student loses if the conversations stay at several sites."""

from __future__ import annotations

import json
from typing import Annotated

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

By = Annotated[
    str, typer.Option("--by", metavar="KEY", help="What names the site of a conversation: metadata.KEY, or channel.")
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, max=100, help="Average N times; rounds share train.epochs.")]
Pull = Annotated[
    float, typer.Option("--pull", min=0.0, help="Strength mu of the pull of fedprox and projected (default 0.1).")
]


def federate(
    config: ConfigPath,
    by: By,
    rounds: Rounds = 2,
    pull: Pull = 0.1,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train at each site on its own conversations, average the adapters, and compare with one training on all."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.cli.output import systems_table
        from arf_programs.tools.federate import federate as train_sites

        done = train_sites(run, by, rounds, pull)
        folder = done.scored.folder
        summary = json.loads(folder.summary.read_text(encoding="utf-8"))
        if as_json:
            figures = summary["evaluate"]
            print_json({"ok": True, "run_dir": str(folder.path), "sites": done.sites, **figures})
            return
        sites = ", ".join(f"{name} {rows}" for name, rows in done.sites.items())
        print_table(systems_table(summary, run.config.evaluate.confidence))
        print_lines(
            f"Training rows: {sites}. student_arf is trained on the rows of all sites together.",
            "Averaging alone is no privacy guarantee: weights can give away what they were trained on.",
            f"Students: {folder / 'students'}",
            f"Report: {folder.report}",
        )

"""The commands `arf plant` and `arf probe`."""

from __future__ import annotations

from typing import Annotated

import typer

from arf_programs.cli.session import ConfigPath, Json, Limit, RunDir, Set, Verbose, open_run, print_json, reporting

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
    with reporting(as_json=as_json, verbose=verbose):
        run = open_run(config, run_dir=run_dir, overrides=overrides or (), limit=limit, as_json=as_json)
        from arf_programs.cli.output import planted_json, show_planted
        from arf_programs.probing import ensure_planted
        from arf_programs.runs import lock_run

        with lock_run(run):
            items = ensure_planted(run)
        if as_json:
            print_json(planted_json(run, items))
        else:
            show_planted(run, items)


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
    with reporting(as_json=as_json, verbose=verbose):
        run = open_run(config, run_dir=run_dir, overrides=overrides or (), limit=limit, as_json=as_json)
        from arf_programs.cli.output import show_probe
        from arf_programs.probing import probe as measure
        from arf_programs.runs import lock_run

        with lock_run(run):
            result = measure(run, checks_only=checks_only)
        if as_json:
            print_json(result.model_dump(mode="json"))
        else:
            show_probe(run, result, as_markdown=as_markdown)

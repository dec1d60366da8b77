"""The command `arf train`, and what it would do with `--dry-run`."""

from __future__ import annotations

from typing import Annotated

import typer

from arf_programs.cli.session import (
    WRONG_INPUT,
    ConfigPath,
    Json,
    Limit,
    RetryFailed,
    RunDir,
    Set,
    Verbose,
    open_run,
    print_json,
    reporting,
)

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what training would do and take, and what would not fit; do nothing.")
]


def train(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Fine-tune one student per arm."""
    with reporting(as_json=as_json, verbose=verbose):
        run = open_run(config, run_dir=run_dir, overrides=overrides or (), limit=limit, as_json=as_json)
        if not dry_run:
            from arf_programs import pipeline
            from arf_programs.cli.output import result_json, show_result
            from arf_programs.runs import lock_run

            with lock_run(run):
                pipeline.run_until(run, "train", retry_failed=retry_failed)
            if as_json:
                print_json(result_json(run, "train"))
            else:
                show_result(run, "train")
            return

        from arf_programs.stages import outlook_of

        outlooks = {student: outlook_of(run, student) for student in run.config.train.students()}
        if as_json:
            figures = {student: outlook.figures for student, outlook in outlooks.items()}
            arms = {arm: figures.pop(arm) for arm in run.config.train.arms}
            print_json({"arms": arms, "preference": figures} if figures else {"arms": arms})
        else:
            for student, outlook in outlooks.items():
                typer.echo(f"student_{student}\n{outlook.text}")
        if any(outlook.figures["problems"] for outlook in outlooks.values()):
            raise typer.Exit(WRONG_INPUT)

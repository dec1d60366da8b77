"""The commands that run the pipeline up to a stage, and `arf train`, which also has a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import (
    WRONG_INPUT,
    ConfigPath,
    Json,
    Limit,
    RetryFailed,
    RunDir,
    RunPath,
    Set,
    Verbose,
    opened_run,
    print_json,
)
from signatures.exceptions import DataError

if TYPE_CHECKING:
    from arf_programs.runs import Run

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what training would do and take, and what would not fit; do nothing.")
]

AnswersOnly = Annotated[
    bool,
    typer.Option("--answers-only", help="Let base and students summarise the holdout, and ask no editor and no judge."),
]
Share = Annotated[
    bool, typer.Option("--share", help="Also write report_shared.html: figures, without any text of a conversation.")
]


def stage_command(last: str) -> Callable[..., None]:
    """Make the command that runs the pipeline up to and including stage `last`."""

    def stage(
        config: ConfigPath,
        run_dir: RunDir = None,
        overrides: Set = None,
        limit: Limit = None,
        retry_failed: RetryFailed = False,
        as_json: Json = False,
        verbose: Verbose = False,
    ) -> None:
        with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
            _run_until(run, last, retry_failed, as_json)

    return stage


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
    locked = not dry_run
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=locked) as run:
        if dry_run:
            _look_ahead(run, as_json)
        else:
            _run_until(run, "train", retry_failed, as_json)


def evaluate(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    answers_only: AnswersOnly = False,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Score base model, teacher and students on the holdout."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        if answers_only:
            _answer_only(run, retry_failed, as_json)
        else:
            _run_until(run, "evaluate", retry_failed, as_json)


def report(
    run: RunPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    share: Share = False,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write summary.json and report.html."""
    with opened_run(run, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as opened:
        if run.is_dir():
            _report_again(opened, as_json)
        else:
            _run_until(opened, "report", retry_failed, as_json)
        if share:
            from arf_programs.stages import share_report

            path = share_report(opened)
            if not as_json:
                typer.echo(f"To share: {path}")


def _answer_only(run: Run, retry_failed: bool, as_json: bool) -> None:
    from arf_programs import pipeline
    from arf_programs.stages import answer_holdout

    pipeline.run_until(run, "train", retry_failed=retry_failed)
    counts = answer_holdout(run)
    if as_json:
        print_json({"ok": True, "run_dir": str(run.folder.path), "counts": counts})
    else:
        typer.echo(f"{counts['predictions']} summaries of the holdout are kept: `arf evaluate` scores them.")


def _report_again(run: Run, as_json: bool) -> None:
    """Write the report from the files in the run's folder, without a look at what they were made from."""
    from arf_programs.runs import Manifest, read_record
    from arf_programs.stages import EVALUATE, REPORT, run_stage

    if read_record(run.folder.manifest(EVALUATE.name), Manifest) is None:
        raise DataError(f"{run.folder.path}: nothing is evaluated yet: `arf run CONFIG` goes on with it.")
    run_stage(REPORT, run)
    _show(run, REPORT.name, {}, as_json)


def _run_until(run: Run, last: str, retry_failed: bool, as_json: bool) -> None:
    from arf_programs import pipeline

    _show(run, last, pipeline.run_until(run, last, retry_failed=retry_failed), as_json)


def _show(run: Run, last: str, hosts: dict[str, list[str]], as_json: bool) -> None:
    from arf_programs.cli.output import result_json, show_result

    if as_json:
        print_json({**result_json(run, last), "hosts": hosts})
    else:
        show_result(run, last)


def _look_ahead(run: Run, as_json: bool) -> None:
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

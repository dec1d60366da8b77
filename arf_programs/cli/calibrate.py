"""`arf calibrate`: how far the judge can stand for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arf_programs.cli.session import ConfigPath, Json, Limit, RunDir, Set, Verbose, open_run, print_json, reporting

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.metrics import Interval, JudgeCalibration


def calibrate(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare the judge's ratings with those of people in the labelled set."""
    with reporting(as_json=as_json, verbose=verbose):
        run = open_run(config, run_dir=run_dir, overrides=overrides or (), limit=limit, as_json=as_json)
        from arf_programs.models import judge_notes
        from arf_programs.probing import check_judge
        from arf_programs.runs import lock_run

        with lock_run(run):
            found = check_judge(run)
        notes = judge_notes(run.config)
        if as_json:
            print_json({"ok": True, **found.model_dump(mode="json"), "notes": notes})
        else:
            _show(found, notes)


def _show(found: JudgeCalibration, notes: list[str]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    for line in [*_lines(found), *notes]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(found: JudgeCalibration) -> Table:
    from rich.table import Table

    table = Table(title=f"{found.model}, rubric {found.prompt}", title_justify="left")
    table.add_column("summaries")
    for name in ("conversations", "judge", "people", "judge less people"):
        table.add_column(name, justify="right")
    table.add_row("all", str(found.bias.n), "", "", _interval(found.bias))
    for item in (*found.by_length, *found.by_system):
        table.add_row(item.group, str(item.bias.n), f"{item.judge:.2f}", f"{item.human:.2f}", _interval(item.bias))
    return table


def _lines(found: JudgeCalibration) -> list[str]:
    agreement = found.agreement
    failed = f", {found.failed} failed" if found.failed else ""
    return [
        f"{agreement.n} summaries rated by both{failed}.",
        f"Weighted kappa {_figure(agreement.kappa)}, Spearman {_figure(agreement.spearman)}, "
        f"equal {_figure(agreement.exact)}.",
        f"Spearman of (judge less people) with words: {_figure(found.length_bias)}; above 0 the judge favours length.",
    ]


def _figure(value: float | None) -> str:
    return "undefined (one side does not vary)" if value is None else f"{value:.2f}"


def _interval(interval: Interval) -> str:
    return f"{interval.value:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"

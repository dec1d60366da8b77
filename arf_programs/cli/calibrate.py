"""`arf calibrate`: measure how well the judge agrees with people."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    from arf_programs.metrics import JudgeCalibration


def calibrate(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare the judge's ratings with those of people in the labelled set."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.models import judge_notes
        from arf_programs.tools.probing import check_judge

        calibration = check_judge(run)
        notes = judge_notes(run.config)
        if as_json:
            print_json({"ok": True, **calibration.model_dump(mode="json"), "notes": notes})
        else:
            print_table(_table(calibration))
            print_lines(*_lines(calibration), *notes)


def _table(calibration: JudgeCalibration) -> Table:
    from rich.table import Table

    table = Table(title=f"{calibration.model}, rubric {calibration.prompt}", title_justify="left")
    table.add_column("summaries")
    for name in ("conversations", "judge", "people", "judge less people"):
        table.add_column(name, justify="right")
    table.add_row("all", str(calibration.bias.n), "", "", calibration.bias.text("+.2f"))
    for item in (*calibration.by_length, *calibration.by_system):
        table.add_row(item.group, str(item.bias.n), f"{item.judge:.2f}", f"{item.human:.2f}", item.bias.text("+.2f"))
    return table


def _lines(calibration: JudgeCalibration) -> list[str]:
    agreement, length_bias = calibration.agreement, _figure(calibration.length_bias)
    failed = f", {calibration.failed} failed" if calibration.failed else ""
    return [
        f"{agreement.n} summaries rated by both{failed}.",
        f"Weighted kappa {_figure(agreement.kappa)}, Spearman {_figure(agreement.spearman)}, "
        f"equal {_figure(agreement.exact)}.",
        f"Spearman of (judge less people) with words: {length_bias}; above 0 the judge favours length.",
    ]


def _figure(value: float | None) -> str:
    return "undefined (one side does not vary)" if value is None else f"{value:.2f}"

"""`arf compare` shows several runs side by side. `arf gate` says whether a student got worse, for a CI job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import (
    CANNOT_TELL,
    DONE,
    FAILED,
    Arm,
    Json,
    RunPath,
    Verbose,
    print_json,
    print_lines,
    print_table,
    reporting,
)
from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.metrics import GateCheck, GateVerdict
    from arf_programs.report import ComparedRuns, GateResult, RunDifference


Runs = Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of finished runs, or their arf.yaml.")]


def compare(runs: Runs, as_json: Json = False, verbose: Verbose = False) -> None:
    """Show several runs side by side: the systems that share a name, on the same holdout."""
    with reporting(as_json=as_json, verbose=verbose):
        from arf_programs.report import compare_runs

        result = compare_runs(runs)
        if as_json:
            print_json({"ok": True, **result.model_dump(mode="json")})
        else:
            _show(result)


def _show(result: ComparedRuns) -> None:
    """Print a table of all systems for each run, then the differences from the first run, then the warnings."""
    from arf_programs.cli.output import systems_table

    for run in result.runs:
        figures = {name: {m: i.model_dump() for m, i in metrics.items()} for name, metrics in run.systems.items()}
        summary = {"name": run.label, "corpus": {"holdout": result.holdout}, "evaluate": {"systems": figures}}
        print_table(systems_table(summary, result.confidence))
    for label in dict.fromkeys(row.a for row in result.differences):
        rows = [row for row in result.differences if row.a == label]
        print_table(_differences_table(rows, result.confidence))
    print_lines(*(f"beware: {note}" for note in result.notes))


def _differences_table(rows: Sequence[RunDifference], confidence: float) -> Table:
    """Show the differences of one run from the first, a line for each system and metric."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from arf_programs.report import figure, metric_label, probability, signed_bounds

    title = Text(f"{rows[0].a} less {rows[0].b}, paired by conversation, {confidence:.0%} intervals")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("system", overflow="fold")
    table.add_column("metric")
    for name in ("difference", "interval", "p (Holm)", "n"):
        table.add_column(name, justify="right", overflow="fold")
    for system, group in groupby(rows, key=lambda row: row.system):
        for number, row in enumerate(group):
            table.add_row(
                Text("" if number else system),
                metric_label(row.metric),
                figure(row.difference, row.metric, signed=True),
                signed_bounds(row, row.metric),
                "" if row.p_holm is None else probability(row.p_holm),
                str(row.n),
            )
        table.add_section()
    return table


Baseline = Annotated[
    Path | None, typer.Option("--baseline", metavar="RUN", help="An earlier run to compare with; without it, this run.")
]
Against = Annotated[
    str | None,
    typer.Option("--against", metavar="SYSTEM", help="What to compare with: the teacher, or the baseline's student."),
]
Margins = Annotated[
    list[str] | None,
    typer.Option("--max-regression", metavar="METRIC=MARGIN", help="How much worse it may be, e.g. error_rate=0.02."),
]
_EXITS: dict[GateVerdict, int] = {"no_regression": DONE, "regression": FAILED, "cannot_tell": CANNOT_TELL}
_SAID: dict[GateVerdict, str] = {
    "no_regression": "No regression: the candidate is not worse than the margins allow.",
    "regression": "Regression: the candidate is worse than a margin allows.",
    "cannot_tell": "Cannot tell: the holdout is too small.",
}


def gate(
    run: RunPath,
    baseline: Baseline = None,
    max_regression: Margins = None,
    arm: Arm = "arf",
    against: Against = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say whether a student got worse. Exit codes: 0 no, 1 yes, 4 the holdout is too small to tell."""
    with reporting(as_json=as_json, verbose=verbose):
        margins = read_margins(max_regression or ())
        from arf_programs.report import gate_runs
        from arf_programs.stages import student_name

        result = gate_runs(run, student_name(arm), margins, baseline=baseline, against=against)
        if as_json:
            answer = {"ok": result.verdict == "no_regression", **result.model_dump(mode="json")}
            typer.echo(json.dumps(answer, ensure_ascii=False))
        else:
            print_lines(*_lines(result))
    raise typer.Exit(_EXITS[result.verdict])


def read_margins(texts: Sequence[str]) -> dict[str, float]:
    """Read METRIC=MARGIN. Raises ConfigError with every text that is not of this form, or names a metric again."""
    margins: dict[str, float] = {}
    problems = []
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            number = float(value)
        except ValueError:
            problems.append(f"--max-regression {text}: write METRIC=MARGIN, for example error_rate=0.02")
            continue
        if name in margins:
            problems.append(f"--max-regression {name}: named twice")
        margins[name] = number
    if problems:
        raise ConfigError(problems)
    return margins


def _lines(result: GateResult) -> list[str]:
    """What the holdout can tell about each metric and what it tells, then the verdict and what to beware of."""
    lines = [f"{result.candidate} against {result.baseline}, paired by conversation"]
    for check in result.checks:
        lines += ["", *_check_lines(check, result.confidence)]
    return [*lines, "", _SAID[result.verdict], *(f"beware: {note}" for note in result.notes)]


def _check_lines(check: GateCheck, confidence: float) -> list[str]:
    from arf_programs.metrics import FEWEST_UNITS
    from arf_programs.report import figure, metric_label, probability, signed_bounds

    amount = partial(figure, metric=check.metric, signed=True)
    allowed = amount(check.margin).removeprefix("+")
    units = f"{check.n} conversations" + (f" in {check.clusters} clusters" if check.clusters < check.n else "")
    if check.detects is None:
        power = f"{units}: too few for any claim, which needs {FEWEST_UNITS}"
    else:
        least = amount(check.detects).removeprefix("+")
        power = f"with {units}, a regression of {least} would be found 4 times in 5"
    if check.needs is None:
        needs = "no number of conversations lets equal systems pass: give a margin above 0"
    else:
        needs = f"with {check.needs:,} conversations, equal systems would pass 4 times in 5"
    bounds = signed_bounds(_Bounds(check.at_least, check.at_most), check.metric)
    values = f"{figure(check.candidate, check.metric)}, baseline {figure(check.baseline, check.metric)}"
    return [
        f"{metric_label(check.metric)} ({check.metric}): at most {allowed} worse is allowed",
        f"  {power}",
        f"  {needs}",
        f"  {values}: {amount(check.worse_by)} for the worse, one-sided {confidence:.0%} bounds {bounds}",
        f"  {check.verdict.replace('_', ' ')}: p {probability(check.p_holm)} for worse than allowed (Holm), "
        f"p {probability(check.p_within)} for within what is allowed",
    ]


@dataclass(frozen=True)
class _Bounds:
    low: float
    high: float

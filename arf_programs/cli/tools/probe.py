"""`arf plant`, `arf probe`, `arf calibrate` and `arf triage`: what analyst, editor and judge see of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

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
    print_table,
)

if TYPE_CHECKING:
    from arf_programs.metrics import JudgeCalibration
    from arf_programs.planting import PlantedItem
    from arf_programs.report import Probe
    from arf_programs.runs import Run
    from arf_programs.tools.probing import Triage


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
    """Plant known errors in summaries that are believed right, to get a labelled set."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.tools.probing import ensure_planted

        items = ensure_planted(run)
        if as_json:
            print_json(_planted_json(run, items))
        else:
            _show_planted(run, items)


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
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.report import as_markdown as markdown
        from arf_programs.tools.probing import probe as measure

        result = measure(run, checks_only=checks_only)
        if as_json:
            print_json(result.model_dump(mode="json"))
        elif as_markdown:
            print_lines(markdown(result))
        else:
            _show_probe(run, result)


def _planted_json(run: Run, items: Sequence[PlantedItem]) -> dict[str, Any]:
    """Count what was planted; `short` names the kinds of which the texts did not allow enough errors."""
    from arf_programs.planting import by_category, by_kind, short_of

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


def _show_planted(run: Run, items: Sequence[PlantedItem]) -> None:
    from arf_programs.planting import by_kind, short_of

    clean = sum(not item.errors for item in items)
    rows = [(kind, str(count)) for kind, count in by_kind(items).items()]
    print_figures(f"{len(items)} summaries, {clean} of them clean", ("kind",), ("planted",), rows)
    for kind, count in short_of(items, run.config.plant).items():
        print_lines(f"The texts allow only {count} of {run.config.plant.per_kind} errors of: {kind}")
    print_lines(f"Planted: {run.folder.planted}")


def _show_probe(run: Run, probe: Probe) -> None:
    from rich.table import Table

    from arf_programs.report import tables

    for figures in tables(probe):
        table = Table(title=figures.title, title_justify="left", caption=figures.note or None, caption_justify="left")
        for place, name in enumerate(figures.header):
            table.add_column(name, justify="right" if place else "left", overflow="fold")
        for row in figures.rows:
            table.add_row(*row)
        print_table(table)
    print_lines(f"Figures: {run.folder.probe}")


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
            _show_ratings(calibration)
            print_lines(*_ratings_lines(calibration), *notes)


def _show_ratings(calibration: JudgeCalibration) -> None:
    rows = [("all", str(calibration.bias.n), "", "", calibration.bias.text("+.2f"))]
    for item in (*calibration.by_length, *calibration.by_system):
        bias = item.bias
        rows.append((item.group, str(bias.n), f"{item.judge:.2f}", f"{item.human:.2f}", bias.text("+.2f")))
    columns = ("conversations", "judge", "people", "judge less people")
    print_figures(f"{calibration.model}, rubric {calibration.prompt}", ("summaries",), columns, rows)


def _ratings_lines(calibration: JudgeCalibration) -> list[str]:
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


Recall = Annotated[
    float, typer.Option("--recall", min=0.05, max=1.0, help="The share of flawed drafts that is to be caught.")
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="KEY", help="Learn from the older half of the drafts, by this key of the metadata."),
]


def triage(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    recall: Recall = 0.9,
    time: Time = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say which share of the drafts has to be analysed to catch 90% of the flawed ones, by several rankings."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
        from arf_programs.tools.probing import rank_drafts

        result = rank_drafts(run, time=time, recall=recall)
        if as_json:
            print_json({"ok": True, **result.model_dump(mode="json")})
        else:
            _show_triage(result)
            print_lines(*_triage_lines(result))


def _show_triage(result: Triage) -> None:
    shares = (0.2, 0.4, 0.6)
    rows = []
    for curve in result.curves:
        caught = {round(point.analysed, 2): point.caught.text(".0%", "-") for point in curve.points}
        rows.append((curve.name, *(caught[share] for share in shares), curve.needed.text(".0%", "-")))
    columns = (*(f"caught at {share:.0%}" for share in shares), f"to catch {result.recall:.0%}")
    print_figures(f"{result.drafts} drafts, {result.flawed} with an error", ("drafts are ranked by",), columns, rows)


def _triage_lines(result: Triage) -> list[str]:
    best = min(result.curves, key=lambda curve: curve.needed.value)
    share = f"{best.needed.value:.0%} of the drafts"
    return [
        f"Best: {best.name}. Analyse {share} to catch {result.recall:.0%} of the flawed ones.",
        f"What is learned is {result.split}. A draft is flawed if the analyst or a person reported an error.",
    ]

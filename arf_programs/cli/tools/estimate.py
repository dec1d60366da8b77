"""`arf estimate` says what a run would ask and cost. `arf curve` says what more conversations would buy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    print_table,
)
from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.tools.curve import Curve, FewerRevisions, MetricCurve
    from arf_programs.tools.estimating import Estimate, Line, Range

Sample = Annotated[
    int, typer.Option("--sample", min=2, help="Try N conversations of each side of the split (default 10).")
]
History = Annotated[
    list[Path] | None,
    typer.Option("--history", metavar="RUN_DIR", help="Count what another run booked, too; may be given again."),
]
Fractions = Annotated[
    str, typer.Option("--fractions", metavar="F,F,..,1", help="Train on these fractions of the training conversations.")
]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=20, help="Train each fraction with N seeds (default 1).")]


def estimate(
    config: ConfigPath,
    sample: Sample = 10,
    history: History = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say what a run would ask and cost, stage by stage, before anything is spent."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
        from arf_programs.runs import RunFolder
        from arf_programs.tools.estimating import estimate_run

        result = estimate_run(run, sample=sample, history=[RunFolder(path) for path in history or ()])
        if as_json:
            print_json(result.model_dump(mode="json"))
        else:
            print_table(_table(result))
            print_lines(*(f"- {note}" for note in result.notes))


def _table(result: Estimate) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = f"{result.run_dir}: {result.conversations} conversations, {result.sample} tried; in brackets low and high"
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    table.add_column("stage", "total", no_wrap=True)
    table.add_column("model", overflow="fold")
    footers = (
        _cell(result.total_calls),
        _cell(result.total_tokens_in),
        _cell(result.total_tokens_out),
        _usd(result.total_usd) + (" + unknown" if result.unpriced else ""),
        _time(result.total_seconds, at_least=result.at_least),
    )
    for name, footer in zip(("calls", "tokens in", "tokens out", "USD", "time"), footers, strict=True):
        table.add_column(name, footer, justify="right", no_wrap=name == "USD", overflow="fold")
    for line in result.lines:
        table.add_row(*_row(line))
    return table


def _row(line: Line) -> tuple[str, ...]:
    if line.source == "done":
        return (line.stage, "whole: nothing is asked", "0", "0", "0", "0", "")
    model = f"{line.model} ({line.stored:.0%} stored)" if line.stored else line.model
    usd = "unknown" if line.usd is None else _usd(line.usd)
    return (
        line.stage,
        model.replace("[", r"\["),
        _cell(line.calls),
        _cell(line.tokens_in),
        _cell(line.tokens_out),
        usd,
        _time(line.seconds, at_least=line.at_least),
    )


def _cell(item: Range) -> str:
    return _with_bounds(item, _count)


def _usd(item: Range) -> str:
    return _with_bounds(item, lambda usd: f"{usd:,.2f}" if usd >= 1 or not usd else f"{usd:.4f}")


def _time(item: Range | None, *, at_least: bool) -> str:
    from arf_programs.report import duration

    if item is None:
        return "unknown"
    return ("at least " if at_least else "") + _with_bounds(item, duration)


def _with_bounds(item: Range, write: Callable[[float], str]) -> str:
    middle, low, high = (write(value) for value in (item.mid, item.low, item.high))
    return middle if low == high else f"{middle}\n({low}-{high})"


def _count(value: float) -> str:
    """A count as people read it: 812, 5.2k, 3.4M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= 10 * size:
            return f"{value / size:,.0f}{unit}"
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:.0f}"


Revisions = Annotated[
    str | None, typer.Option("--revisions", help="Also train on at most K revisions of each draft: numbers as 1,2.")
]


def curve(
    config: ConfigPath,
    fractions: Fractions = "0.25,0.5,1",
    seeds: Seeds = 1,
    revisions: Revisions = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train on fractions of the conversations, and say what twice as many would bring and cost."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        wanted, most = _numbers(fractions), _whole_numbers(revisions) if revisions else []
        from arf_programs.tools.curve import measure_curve

        result = measure_curve(run, wanted, seeds, most)
        if as_json:
            print_json({"ok": True, "run_dir": str(run.folder.path), **result.model_dump(mode="json")})
        else:
            _show_curve(result)
            print_lines(*_lines(result), f"Figures: {run.folder.curve}")


def _numbers(fractions: str) -> list[float]:
    try:
        return [float(part) for part in fractions.split(",")]
    except ValueError:
        raise ConfigError(
            f"--fractions {fractions}: expected numbers with commas between them, as 0.25,0.5,1"
        ) from None


def _whole_numbers(revisions: str) -> list[int]:
    try:
        return [int(part) for part in revisions.split(",")]
    except ValueError:
        raise ConfigError(f"--revisions {revisions}: expected whole numbers with commas between them, as 1,2") from None


def _show_curve(result: Curve) -> None:
    seeds = f"{result.seeds} seed{'s' if result.seeds > 1 else ''}"
    title = f"Student of arm {result.arm} on {result.holdout} conversations held out, {seeds}"
    _show_metrics(result, result.metrics, title)
    for fewer in result.fewer:
        _show_metrics(result, fewer.metrics, f"The same, trained on at most {fewer.revisions} revisions of each draft")


def _show_metrics(result: Curve, metrics: Sequence[MetricCurve], title: str) -> None:
    from arf_programs.report import figure, metric_label

    print_figures(
        title,
        ("trained on",),
        (*map(str, result.sizes), "last step", f"{result.more:g}x buys"),
        [
            (
                metric_label(item.metric),
                *(figure(score.value, item.metric) for score in item.scores),
                _change(item, item.last_step.value),
                _gain(item),
            )
            for item in metrics
        ],
    )


def _gain(item: MetricCurve) -> str:
    return "-" if item.gain is None else _change(item, item.gain.value)


def _change(item: MetricCurve, value: float) -> str:
    """Write an improvement. A positive one is better, whatever the direction of the metric."""
    from arf_programs.report import figure

    return figure(value, item.metric, signed=True)


_SAYS = {
    "pays": "more conversations pay",
    "worse": "more conversations make it worse",
    "no gain": "the interval holds 0: by these figures, labelling or drafting more has stopped paying",
}


def _lines(result: Curve) -> list[str]:
    return [
        "Last step and gain are improvements: above 0 is better, in either direction of a metric.",
        *(_line(result, item) for item in result.metrics),
        *(_line_of_fewer(result, fewer) for fewer in result.fewer),
        *_cost_lines(result),
    ]


def _line(result: Curve, item: MetricCurve) -> str:
    from arf_programs.report import metric_label

    name, low = metric_label(item.metric), f"{result.confidence:.0%} interval"
    if item.gain is None:
        return f"{name}: no curve fits these points, so it cannot be said what more would buy."
    gain = f"{_change(item, item.gain.value)} ({low} {_change(item, item.gain.low)} to {_change(item, item.gain.high)})"
    said = _SAYS.get(item.verdict) or _why_not(result, item)
    return f"{name}: {result.more:g}x the conversations would buy {gain}; {said}."


def _line_of_fewer(result: Curve, fewer: FewerRevisions) -> str:
    """Say what all revisions improve on all conversations, beside at most so many."""
    from arf_programs.report import figure, metric_label

    def shown(metric: str, value: float) -> str:
        return figure(value, metric, signed=True)

    gains = "; ".join(
        f"{metric_label(name)} {shown(name, gain.value)} ({shown(name, gain.low)} to {shown(name, gain.high)})"
        for name, gain in fewer.gain_of_all.items()
    )
    return f"All revisions instead of at most {fewer.revisions} of each draft improve, on all conversations: {gains}."


def _why_not(result: Curve, item: MetricCurve) -> str:
    if item.gain and not item.gain.low <= 0 <= item.gain.high:
        return "but the last step brought nothing, so it cannot be said whether more pays: add --fractions or --seeds"
    few = f"{len(result.sizes)} points are too few" if len(result.sizes) <= 3 else "the points are too noisy"
    return f"it holds 0, and {few} to say whether more pays: add --fractions, --seeds, or conversations held out"


def _cost_lines(result: Curve) -> list[str]:
    from arf_programs.report import duration

    cost = result.cost
    calls = f"{cost.calls.mid:,.0f} calls ({cost.calls.low:,.0f} to {cost.calls.high:,.0f})"
    usd = f"{cost.usd.mid:,.2f} USD ({cost.usd.low:,.2f} to {cost.usd.high:,.2f})"
    unpriced = f", without {', '.join(cost.unpriced)}, whose price is not known" if cost.unpriced else ""
    return [
        f"The cost of {cost.conversations} more: {calls} to draft, analyse and revise them, {usd}{unpriced}, and "
        f"{duration(cost.train_seconds)} more of training."
    ]

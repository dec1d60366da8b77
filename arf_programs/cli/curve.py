"""`arf curve`: what more conversations would buy, and at what cost."""

from __future__ import annotations

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
    print_json,
    print_lines,
    print_table,
)
from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.tools.curve import Curve, MetricCurve

Fractions = Annotated[
    str, typer.Option("--fractions", metavar="F,F,..,1", help="Train on these fractions of the training conversations.")
]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=20, help="Train each fraction with N seeds (default 1).")]


def curve(
    config: ConfigPath,
    fractions: Fractions = "0.25,0.5,1",
    seeds: Seeds = 1,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train on fractions of the conversations, and say what twice as many would buy, at what cost."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        wanted = _numbers(fractions)
        from arf_programs.tools.curve import measure_curve

        result = measure_curve(run, wanted, seeds)
        if as_json:
            print_json({"ok": True, "run_dir": str(run.folder.path), **result.model_dump(mode="json")})
        else:
            print_table(_table(result))
            print_lines(*_lines(result), f"Figures: {run.folder.curve}")


def _numbers(fractions: str) -> list[float]:
    try:
        return [float(part) for part in fractions.split(",")]
    except ValueError:
        raise ConfigError(
            f"--fractions {fractions}: expected numbers with commas between them, as 0.25,0.5,1"
        ) from None


def _table(result: Curve) -> Table:
    from rich.table import Table

    from arf_programs.report import figure, metric_label

    seeds = f"{result.seeds} seed{'s' if result.seeds > 1 else ''}"
    title = f"Student of arm {result.arm} on {result.holdout} conversations held out, {seeds}"
    table = Table(title=title, title_justify="left")
    table.add_column("trained on", overflow="fold")
    for size in result.sizes:
        table.add_column(f"{size}", justify="right")
    table.add_column("last step", justify="right")
    table.add_column(f"{result.more:g}x buys", justify="right")
    for item in result.metrics:
        scores = [figure(score.value, item.metric) for score in item.scores]
        table.add_row(metric_label(item.metric), *scores, _change(item, item.last_step.value), _gain(item))
    return table


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


def _why_not(result: Curve, item: MetricCurve) -> str:
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

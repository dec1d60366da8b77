"""Several runs side by side: systems of the same name, compared on the same holdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arf_programs.config import load_config
from arf_programs.metrics import (
    Comparison,
    Interval,
    Resampling,
    by_system,
    compare,
    configured_resampling,
    in_order,
    system_metrics,
    with_holm,
)
from arf_programs.report.finished import FinishedRun, holdout_problem, measure_notes, read_runs
from signatures.exceptions import ConfigError
from signatures.records import Record


class RunDifference(Comparison):
    """A comparison of one system's scores in two runs; `a` and `b` are the labels of the runs."""

    system: str


class ComparedRun(Record):
    """A run with its figures: {system: {metric: interval}}."""

    label: str
    run_dir: str
    systems: dict[str, dict[str, Interval]]


class ComparedRuns(Record):
    """The result of `arf compare`: every other run is compared with the first.

    `notes` say why the runs may not be measured in the same manner.
    """

    holdout: int
    confidence: float
    runs: tuple[ComparedRun, ...]
    differences: tuple[RunDifference, ...]
    notes: tuple[str, ...] = ()


def compare_runs(paths: Sequence[Path]) -> ComparedRuns:
    """Compare runs, given as their folders or configurations.

    Samples, confidence, seed and cluster are those of the first run's configuration. Raises ConfigError if there are
    fewer than two runs or their holdouts differ, and DataError if a run was not evaluated.
    """
    if len(paths) < 2:
        raise ConfigError("name two different runs or more, by their folders or configurations")
    runs = read_runs(paths)
    problems = [text for other in runs[1:] if (text := holdout_problem(runs[0], other))]
    if problems:
        raise ConfigError(problems)
    tool = configured_resampling(load_config(runs[0].folder.config), runs[0].holdout)
    return ComparedRuns(
        holdout=len(runs[0].holdout),
        confidence=tool.confidence,
        runs=tuple(
            ComparedRun(label=run.label, run_dir=str(run.folder.path), systems=system_metrics(run.scores, tool))
            for run in runs
        ),
        differences=tuple(with_holm(_differences(runs, tool))),
        notes=tuple(note for other in runs[1:] for note in measure_notes(runs[0], other)),
    )


def _differences(runs: Sequence[FinishedRun], tool: Resampling) -> list[RunDifference]:
    systems = [by_system(run.scores) for run in runs]
    return [
        RunDifference.model_validate({**dict(comparison), "system": system})
        for other in range(1, len(runs))
        for system in in_order(systems[0].keys() & systems[other].keys())
        for comparison in compare(runs[other].label, systems[other][system], runs[0].label, systems[0][system], tool)
    ]

"""`arf gate`: one system of a run against another, of the same run or of an earlier one, within allowed margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arf_programs.config import load_config
from arf_programs.metrics import (
    TEACHER,
    GateCheck,
    GateVerdict,
    by_system,
    check_margins,
    configured_resampling,
    in_order,
    verdict_of,
)
from arf_programs.report.finished import FinishedRun, holdout_problem, measure_notes, read_runs
from signatures.exceptions import ConfigError
from signatures.records import Record, Score


class GateResult(Record):
    """The result of `arf gate`; `notes` are what a reader should know before trusting the verdict."""

    verdict: GateVerdict
    candidate: str
    baseline: str
    confidence: float
    checks: tuple[GateCheck, ...]
    notes: tuple[str, ...] = ()


def gate_runs(
    path: Path,
    system: str,
    margins: Mapping[str, float],
    *,
    baseline: Path | None = None,
    against: str | None = None,
) -> GateResult:
    """Test whether a system of a run is worse than `against` by more than the margins, by metric.

    With `baseline` (a run), `against` is a system of that run, by default the one of the same name. Otherwise it is a
    system of the same run, by default the teacher. Pairs are the holdout conversations that both runs have with the
    same text. Confidence, seed and clusters are those of the run's configuration. Raises ConfigError for margins,
    systems and holdouts that cannot be compared, DataError for a run that was not evaluated.
    """
    runs = read_runs([path] if baseline is None else [path, baseline])
    first, other = runs[0], runs[-1]
    rival = against or (TEACHER if baseline is None else system)
    if first is other and rival == system:
        raise ConfigError(f"{system} cannot be compared with itself: name another system by --against")
    shared = [name for name, item in first.holdout.items() if _same(other, name, item.as_text())]
    if not shared:
        raise ConfigError(holdout_problem(first, other) or f"{first.label} has no holdout: set corpus.holdout")
    ours, theirs = _scores(first, system, shared), _scores(other, rival, shared)
    tool = configured_resampling(load_config(first.folder.config), first.holdout)
    checks = check_margins(ours, theirs, margins, tool)
    return GateResult(
        verdict=verdict_of(checks),
        candidate=_title(first, system, len(runs)),
        baseline=_title(other, rival, len(runs)),
        confidence=tool.confidence,
        checks=tuple(checks),
        notes=tuple(_notes(first, other, shared, ours, theirs)),
    )


def _same(run: FinishedRun, name: str, text: str) -> bool:
    return name in run.holdout and run.holdout[name].as_text() == text


def _scores(run: FinishedRun, system: str, shared: Sequence[str]) -> dict[str, Score]:
    systems = by_system(run.scores)
    if system not in systems:
        raise ConfigError(f"{run.label} has no scores of {system}: it has those of {', '.join(in_order(systems))}")
    return {name: systems[system][name] for name in shared if name in systems[system]}


def _title(run: FinishedRun, system: str, runs: int) -> str:
    return system if runs == 1 else f"{system} of {run.label}"


def _notes(
    first: FinishedRun,
    other: FinishedRun,
    shared: Sequence[str],
    ours: Mapping[str, Score],
    theirs: Mapping[str, Score],
) -> list[str]:
    notes = []
    alone = len(first.holdout.keys() | other.holdout.keys()) - len(shared)
    if alone:
        notes.append(f"{alone} holdout conversations are not in both runs with the same text, and do not count")
    lacking = len(theirs.keys() - ours.keys())
    if lacking:
        notes.append(f"the candidate has no score for {lacking} conversations that the baseline has: they do not count")
    return notes if first is other else [*notes, *measure_notes(first, other)]

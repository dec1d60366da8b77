"""Finished runs compared: `arf compare` shows systems of the same name, `arf gate` tests one system against another.

Runs are compared on the holdout conversations that they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from arf_programs.config import load_config, load_yaml
from arf_programs.metrics import (
    TEACHER,
    Comparison,
    GateCheck,
    GateVerdict,
    Interval,
    Resampling,
    by_system,
    check_margins,
    compare,
    configured_resampling,
    in_order,
    system_metrics,
    verdict_of,
    with_holm,
)
from arf_programs.runs import RunFolder, SplitConversation, digest_file, read_jsonl
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Record, Score


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


_NAMED = 3  # ids that a message shows
# Settings of what measures: if two runs differ in one of them, their scores may differ whatever the systems do.
_MEASURES = (
    ("models", "analyst", "model"),
    ("models", "judge", "model"),
    *(("analyze", key) for key in ("strategy", "checks", "samples", "calibration", "false_alarms")),
    *(("evaluate", key) for key in ("analyst", "judge")),
)


@dataclass(frozen=True)
class FinishedRun:
    """What the comparison needs of an evaluated run."""

    label: str
    folder: RunFolder
    holdout: Mapping[str, Conversation]
    scores: Sequence[Score]


def read_runs(paths: Sequence[Path]) -> list[FinishedRun]:
    """Read runs, given as their folders or configurations.

    Their labels are the names of their folders, or the paths if two names are the same. Raises ConfigError for a path
    that is not there and for a run that is named twice, DataError for a run that was not evaluated.
    """
    unknown = [f"{path}: no such run: give the folder of a run, or its arf.yaml" for path in paths if not path.exists()]
    if unknown:
        raise ConfigError(unknown)
    folders = [RunFolder(path if path.is_dir() else load_config(path).run_dir) for path in paths]
    if len({folder.path.resolve() for folder in folders}) < len(folders):
        raise ConfigError("name two different runs or more, by their folders or configurations")
    names = [folder.path.resolve().name for folder in folders]
    labels = names if len(set(names)) == len(names) else [str(folder.path) for folder in folders]
    return [_read(label, folder) for label, folder in zip(labels, folders, strict=True)]


def holdout_problem(first: FinishedRun, other: FinishedRun) -> str:
    """How the holdout of another run differs from that of the first, in words; empty if it does not."""
    ours, theirs = first.holdout, other.holdout
    changed = [name for name in ours if name in theirs and ours[name].as_text() != theirs[name].as_text()]
    kinds = (
        (f"only in {first.label}", [name for name in ours if name not in theirs]),
        (f"only in {other.label}", [name for name in theirs if name not in ours]),
        ("in both, with different texts", changed),
    )
    differences = [f"{len(names)} {where} ({_first_names(names)})" for where, names in kinds if names]
    if not differences:
        return ""
    return (
        f"{first.label} and {other.label} were not scored on the same holdout: {'; '.join(differences)}. Give both "
        "the same corpus.path, corpus.holdout, corpus.limit, labeled.path and seed"
    )


def _first_names(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _read(label: str, folder: RunFolder) -> FinishedRun:
    if not folder.scores.exists():
        raise DataError(f"{folder.path}: not a run that was evaluated (no scores.jsonl): finish it with `arf run`")
    rows = read_jsonl(folder.conversations, SplitConversation)
    holdout = {row.conversation.id: row.conversation for row in rows if row.split == "holdout"}
    return FinishedRun(label, folder, holdout, list(read_jsonl(folder.scores, Score)))


def measure_notes(first: FinishedRun, other: FinishedRun) -> Iterable[str]:
    """Say what differs in how two runs were measured."""
    ours, theirs = (_config(run.folder.config) for run in (first, other))
    for keys in _MEASURES:
        left, right = _value(ours, keys), _value(theirs, keys)
        if left != right:
            yield f"{'.'.join(keys)} is {left} in {first.label} and {right} in {other.label}: scores may differ by it"
    if digest_file(first.folder.taxonomy) != digest_file(other.folder.taxonomy):
        yield f"taxonomy.yaml differs between {first.label} and {other.label}: the analyst looked for other errors"
    shared = first.holdout.keys() & other.holdout.keys()
    if any(first.holdout[name].references != other.holdout[name].references for name in shared):
        yield f"references differ between {first.label} and {other.label}: so do the yardsticks of ROUGE"


def _config(path: Path) -> Any:
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read ({error}): run `arf run` there again") from error


def _value(document: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


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

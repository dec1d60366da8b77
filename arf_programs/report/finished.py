"""Finished runs as a comparison reads them: scores and holdout, and what differs in how two runs were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from arf_programs.config import load_config, load_yaml
from arf_programs.runs import RunFolder, SplitConversation, digest_file, read_jsonl
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Score

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

"""The folder of a run: its files, the manifests that say which stages are complete, and the removal of texts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from arf_programs.runs.jsonl import read_jsonl, read_lines, write_jsonl_atomic, write_lines_atomic
from signatures.records import Failure


class RunFile:
    """An attribute of `RunFolder`: the path of a file or folder of that name in the run's folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: RunFolder, owner: type[RunFolder]) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, and where each of its files is."""

    path: Path

    config = RunFile("config.yaml")
    base_dir = RunFile("base_dir.txt")
    conversations = RunFile("conversations.jsonl")
    drafts = RunFile("drafts.jsonl")
    taxonomy = RunFile("taxonomy.yaml")
    calibration = RunFile("calibration.json")
    errors = RunFile("errors.jsonl")
    revisions = RunFile("revisions.jsonl")
    revision_samples = RunFile("revisions_samples.jsonl")
    reviews = RunFile("reviews")
    labeled = RunFile("labeled.jsonl")
    train = RunFile("train")
    student = RunFile("student")
    merged = RunFile("merged")
    rounds = RunFile("rounds")
    vllm_log = RunFile("vllm.log")
    predictions = RunFile("predictions.jsonl")
    scores = RunFile("scores.jsonl")
    comparisons = RunFile("comparisons.jsonl")
    summary = RunFile("summary.json")
    report = RunFile("report.html")
    shared_report = RunFile("report_shared.html")
    planted = RunFile("planted.jsonl")
    probe = RunFile("probe.json")
    checker_probe = RunFile("checker_probe.json")
    curve = RunFile("curve.json")
    curve_points = RunFile("curve")
    federated = RunFile("federated")
    failures = RunFile("failures.jsonl")
    pseudonyms = RunFile("pseudonyms.jsonl")
    labeled_pseudonyms = RunFile("labeled_pseudonyms.jsonl")
    sent = RunFile("sent.jsonl")
    calls = RunFile("calls")
    ledger = RunFile("calls.jsonl")
    batches = RunFile("batches.jsonl")
    parts = RunFile("parts")
    status = RunFile("status.json")

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def name_of(self, path: Path) -> str:
        """Return a path of the run as it is within the folder."""
        return str(path.relative_to(self.path))

    def revisions_by(self, strategy: str) -> Path:
        """Return the file of revisions by a further strategy, for an arm of its own."""
        return self / f"revisions_{strategy}.jsonl"

    def manifest(self, stage: str) -> Path:
        return self / "manifests" / f"{stage}.json"

    def read_failures(self) -> list[Failure]:
        return list(read_jsonl(self.failures, Failure)) if self.failures.exists() else []

    def replace_failures(self, stage: str, failures: list[Failure]) -> None:
        """Write the failures of a stage in place of those of its last run."""
        kept = [failure for failure in self.read_failures() if failure.stage != stage]
        write_jsonl_atomic(self.failures, [*kept, *failures])


class Manifest(BaseModel):
    """Says that a stage is complete. It is written last and atomically.

    `fingerprint` holds a hash of each part on which the stage depends, and `outputs` a hash of each file it wrote.
    `seconds` is the time of all its runs, interrupted ones included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    arf_version: str
    fingerprint: dict[str, str]
    outputs: dict[str, str]
    counts: dict[str, int] = Field(default_factory=dict)
    seconds: float = 0.0


_WITH_TEXTS: Final = (
    *("conversations.jsonl", "drafts.jsonl", "errors.jsonl", "predictions.jsonl", "scores.jsonl", "comparisons.jsonl"),
    *("planted.jsonl", "failures.jsonl", "pseudonyms.jsonl", "labeled.jsonl", "labeled_pseudonyms.jsonl"),
    *("report.html", "taxonomy.yaml", "reviews", "parts", "curve", "federated"),
)
_ANSWERS: Final = ("calls", "batches", "batches.jsonl", "sent.jsonl", "vllm.log")
_FIGURES: Final = frozenset(("calls.jsonl", "batches.jsonl"))


def remove_answers(folder: RunFolder, calls: Path) -> list[Path]:
    """Remove the stored answers of models (`calls` is their folder), what was sent, and jobs of batches."""
    return _remove([calls, *(folder / name for name in _ANSWERS)])


def remove_conversations(folder: RunFolder) -> list[Path]:
    """Remove every file with texts of conversations or summaries. Students, figures and the ledger stay."""
    further = [*folder.path.glob("revisions*.jsonl"), *folder.path.glob("probe/*")]
    further += [*folder.rounds.rglob("*.jsonl"), *folder.rounds.rglob("patterns.yaml")]
    return _remove([*(folder / name for name in _WITH_TEXTS), *further, *folder.train.glob("*.jsonl")])


def _remove(paths: Iterable[Path]) -> list[Path]:
    removed = []
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        removed.append(path)
    return removed


def has_rows(folder: RunFolder, name: str) -> bool:
    """Say whether a JSONL file of the run has a row about a conversation."""
    paths = (path for path in folder.path.rglob("*.jsonl") if path.name not in _FIGURES)
    return any(_is_about(orjson.loads(line), name) for path in paths for _, _, line in read_lines(path))


def remove_rows(folder: RunFolder, name: str) -> dict[Path, int]:
    """Remove the rows about a conversation from every JSONL file of the run, and return how many by file.

    `report.html` shows texts, so it is removed if a row was.
    """
    counts = {}
    for path in sorted(folder.path.rglob("*.jsonl")):
        if path.name not in _FIGURES and (count := _remove_rows(path, lambda row: _is_about(row, name))):
            counts[path] = count
    if counts:
        _remove([folder.report])
    return counts


def _remove_rows(path: Path, is_gone: Callable[[Any], bool]) -> int:
    lines = [line for _, _, line in read_lines(path)]
    kept = [line for line in lines if not is_gone(orjson.loads(line))]
    if len(kept) < len(lines):
        write_lines_atomic(path, [line.decode("utf-8").rstrip("\n") for line in kept])
    return len(lines) - len(kept)


def _is_about(row: Any, name: str) -> bool:
    """Say whether a row, or the record inside of a row, names the conversation."""
    if not isinstance(row, dict):
        return False
    if name in (row.get("conversation_id"), row.get("id")):
        return True
    return any(_is_about(value, name) for value in row.values() if isinstance(value, dict))

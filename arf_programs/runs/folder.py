"""The folder of a run: its files, and the manifests that say which stages are complete."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from arf_programs.runs.jsonl import read_jsonl, write_jsonl_atomic
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

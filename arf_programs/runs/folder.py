"""The folder of a run: where each file is, and the manifest that says a stage is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arf_programs.runs.jsonl import read_jsonl, write_jsonl_atomic, write_text_atomic
from signatures.records import Failure


@dataclass(frozen=True)
class RunFolder:
    """Paths below a run's folder; every file in it is plain and readable."""

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def conversations(self) -> Path:
        return self.path / "conversations.jsonl"

    @property
    def drafts(self) -> Path:
        return self.path / "drafts.jsonl"

    @property
    def taxonomy(self) -> Path:
        return self.path / "taxonomy.yaml"

    @property
    def errors(self) -> Path:
        return self.path / "errors.jsonl"

    @property
    def revisions(self) -> Path:
        return self.path / "revisions.jsonl"

    def revisions_by(self, strategy: str) -> Path:
        """Revisions by a strategy other than the configured one, for an arm of their own."""
        return self.path / f"revisions_{strategy}.jsonl"

    @property
    def revision_samples(self) -> Path:
        return self.path / "revisions_samples.jsonl"

    @property
    def train(self) -> Path:
        return self.path / "train"

    @property
    def student(self) -> Path:
        return self.path / "student"

    @property
    def merged(self) -> Path:
        return self.path / "merged"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def comparisons(self) -> Path:
        return self.path / "comparisons.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def planted(self) -> Path:
        return self.path / "planted.jsonl"

    @property
    def probe(self) -> Path:
        return self.path / "probe.json"

    @property
    def failures(self) -> Path:
        return self.path / "failures.jsonl"

    @property
    def calls(self) -> Path:
        return self.path / "calls"

    @property
    def batches(self) -> Path:
        return self.path / "batches.jsonl"

    @property
    def parts(self) -> Path:
        return self.path / "parts"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def ledger(self) -> Path:
        return self.path / "calls.jsonl"

    def manifest(self, stage: str) -> Path:
        return self.path / "manifests" / f"{stage}.json"

    def read_failures(self) -> list[Failure]:
        """All failures, of all stages."""
        return list(read_jsonl(self.failures, Failure)) if self.failures.exists() else []

    def replace_failures(self, stage: str, failures: list[Failure]) -> None:
        """Put this stage's failures in the place of those of its last run."""
        kept = [failure for failure in self.read_failures() if failure.stage != stage]
        write_jsonl_atomic(self.failures, [*kept, *failures])


class Manifest(BaseModel):
    """Written last and atomically: it exists only when the stage is whole.

    `fingerprint` names, part by part, what the stage depends on; `outputs` holds the SHA-256 of each file it wrote;
    `seconds` is the time of all its runs, interrupted ones included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    arf_version: str
    fingerprint: dict[str, str]
    outputs: dict[str, str]
    counts: dict[str, int] = Field(default_factory=dict)
    seconds: float = 0.0


def read_manifest(path: Path) -> Manifest | None:
    """The manifest, or None where there is none or it is of another format."""
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest atomically."""
    write_text_atomic(path, manifest.model_dump_json(indent=2) + "\n")

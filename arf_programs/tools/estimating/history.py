"""The history of earlier runs: calls per row, tokens per call, and seconds per call, by stage and model."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel

from arf_programs.config import Role, load_yaml
from arf_programs.runs import Call, Manifest, RunFolder, read_jsonl, read_record
from arf_programs.tools.estimating.figures import Range, around
from signatures.exceptions import DataError
from signatures.records import DraftErrors, Revision, Score, Summary

Row = TypeVar("Row", bound=BaseModel)

_LEAST_MARGIN = 0.1  # another run may differ from the history by more than its statistical error
ROLE_OF: Final[dict[str, Role]] = {
    "draft": "teacher",
    "taxonomy": "analyst",
    "analyze": "analyst",
    "revise": "editor",
    "evaluate": "judge",
}
"""The role whose `concurrency` a stage has."""


@dataclass
class Tokens:
    """Tokens per call, kept as sums, since a ledger may have millions of calls."""

    number: int = 0
    total: int = 0
    squares: int = 0

    def add(self, tokens: int) -> None:
        self.number += 1
        self.total += tokens
        self.squares += tokens**2

    def mean(self) -> Range:
        """The mean, plus and minus two standard errors or a tenth. For a single call it is from 0 to twice the mean."""
        mean = self.total / self.number
        if self.number < 2 or not mean:
            return around(mean, 1.0)
        variance = max(0.0, self.squares - self.number * mean**2) / (self.number - 1)
        return around(mean, max(_LEAST_MARGIN, 2 * math.sqrt(variance / self.number) / mean))


@dataclass
class PastCalls:
    """Paid calls of one stage to one model, and the number of rows that they were about (0 if it is not known)."""

    calls: int = 0
    rows: int = 0
    tokens_in: Tokens = field(default_factory=Tokens)
    tokens_out: Tokens = field(default_factory=Tokens)

    @property
    def margin(self) -> float:
        """Two standard errors of a Poisson count of one call per row, 2 / sqrt(rows), but at least a tenth."""
        return max(_LEAST_MARGIN, 2 / math.sqrt(self.rows))


@dataclass(frozen=True)
class History:
    """Past calls by stage and model, seconds of work a call by stage, and the share of drafts with an error."""

    calls: dict[tuple[str, str], PastCalls]
    seconds: dict[str, float]
    with_errors: float | None = None


def read_history(folders: Sequence[RunFolder]) -> History:
    """Read what these runs have booked. The first folder is the run itself, which may not have begun.

    Raises DataError for another folder without a ledger.
    """
    for folder in folders[1:]:
        if not folder.ledger.exists():
            raise DataError(f"{folder.path}: no run with a calls.jsonl: give --history the folder of a run")
    booked: dict[tuple[str, str], PastCalls] = defaultdict(PastCalls)
    rows: Counter[str] = Counter()
    work: dict[str, float] = defaultdict(float)
    timed: Counter[str] = Counter()
    for folder in folders:
        calls = _add_calls(folder, booked)
        for stage in calls:
            rows[stage] += _rows(folder, stage)
            seconds = _seconds(folder, stage)
            if seconds is not None:
                work[stage] += seconds
                timed[stage] += calls[stage]
    for (stage, _), past in booked.items():
        past.rows = rows[stage]
    errors = [bool(row.errors) for folder in folders for row in _read(folder.errors, DraftErrors)]
    return History(
        calls=dict(booked),
        seconds={stage: work[stage] / timed[stage] for stage in timed},
        with_errors=statistics.fmean(errors) if errors else None,
    )


def _add_calls(folder: RunFolder, booked: dict[tuple[str, str], PastCalls]) -> Counter[str]:
    """Add the paid calls of a run to `booked`, and count them by stage."""
    calls: Counter[str] = Counter()
    if folder.ledger.exists():
        for call in read_jsonl(folder.ledger, Call, ignore_half_line=True):
            if call.paid:
                past = booked[call.stage, call.model]
                past.calls += 1
                past.tokens_in.add(call.prompt_tokens)
                past.tokens_out.add(call.completion_tokens)
                calls[call.stage] += 1
    return calls


def _rows(folder: RunFolder, stage: str) -> int:
    """The number of rows of a stage, failed rows included; 0 if its file is missing.

    The rows of the evaluation are conversations. The taxonomy has rows of two kinds, so its number is 0.
    """
    done: dict[str, Iterable[str]] = {
        "draft": (row.conversation_id for row in _read(folder.drafts, Summary)),
        "analyze": (row.conversation_id for row in _read(folder.errors, DraftErrors)),
        "revise": (row.conversation_id for row in _read(folder.revisions, Revision)),
        "evaluate": (row.conversation_id for row in _read(folder.scores, Score)),
    }
    ids = set(done.get(stage, ()))
    failed = {failure.conversation_id for failure in folder.read_failures() if failure.stage == stage}
    return len(ids | failed) if ids else 0


def _read(path: Path, model: type[Row]) -> Iterable[Row]:
    return read_jsonl(path, model) if path.exists() else ()


def _seconds(folder: RunFolder, stage: str) -> float | None:
    """Seconds of work of a whole stage: its time by the clock, times its calls in flight."""
    manifest = read_record(folder.manifest(stage), Manifest)
    if manifest is None:
        return None
    return manifest.seconds * min(_concurrency(folder, stage), _rows(folder, stage) or 1)


def _concurrency(folder: RunFolder, stage: str) -> int:
    """The calls in flight that the run was configured for; 1 where that cannot be read."""
    try:
        config = load_yaml(folder.config.read_text(encoding="utf-8"))
        return int(config["models"][ROLE_OF[stage]]["concurrency"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return 1

"""What earlier runs booked: calls a row, tokens a call, and seconds a call, by stage and model."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel

from arf_programs.config import Role
from arf_programs.runs import Call, RunFolder, read_jsonl, read_manifest
from signatures.exceptions import DataError
from signatures.records import DraftErrors, Revision, Score, Summary

Row = TypeVar("Row", bound=BaseModel)

_LEAST_MARGIN = 0.1  # no history is a promise: another corpus, another day
ROLE_OF: Final[dict[str, Role]] = {
    "draft": "teacher",
    "taxonomy": "analyst",
    "analyze": "analyst",
    "revise": "editor",
    "evaluate": "judge",
}
"""By whose `concurrency` a stage goes."""


@dataclass(frozen=True)
class Known:
    """Of one stage and model: paid calls, means a call with their relative margins, and the rows they were about.

    `rows` is 0 where it is not known. A margin is two standard errors of the mean, at least a tenth.
    """

    calls: int
    rows: int
    tokens_in: float
    tokens_out: float
    margin_in: float
    margin_out: float

    @property
    def margin_calls(self) -> float:
        """Two standard errors of a count of `rows`, relative: 2 / sqrt(rows), as of a Poisson count of one a row."""
        return max(_LEAST_MARGIN, 2 / self.rows**0.5) if self.rows else 1.0


@dataclass(frozen=True)
class History:
    """`known` by stage and model, `seconds` of work a call by stage, the share of drafts with an error where known."""

    known: dict[tuple[str, str], Known]
    seconds: dict[str, float]
    with_errors: float | None = None


def read_history(folders: Sequence[RunFolder]) -> History:
    """What these runs have booked together. Raises DataError for a folder without a ledger, except the first.

    The first is the run itself, which may not have begun.
    """
    for folder in folders[1:]:
        if not folder.ledger.exists():
            raise DataError(f"{folder.path}: no run with a calls.jsonl: give --history the folder of a run")
    booked: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
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
    errors = [bool(row.errors) for folder in folders for row in _read(folder.errors, DraftErrors)]
    return History(
        known={key: tally.known(rows[key[0]]) for key, tally in booked.items()},
        seconds={stage: work[stage] / timed[stage] for stage in timed},
        with_errors=statistics.fmean(errors) if errors else None,
    )


@dataclass
class _Tally:
    """Sums over calls, since a ledger may have millions: number, tokens and their squares, of prompts and answers."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    squares_in: int = 0
    squares_out: int = 0

    def add(self, call: Call) -> None:
        self.calls += 1
        self.tokens_in += call.prompt_tokens
        self.tokens_out += call.completion_tokens
        self.squares_in += call.prompt_tokens**2
        self.squares_out += call.completion_tokens**2

    def known(self, rows: int) -> Known:
        return Known(
            calls=self.calls,
            rows=rows,
            tokens_in=self.tokens_in / self.calls,
            tokens_out=self.tokens_out / self.calls,
            margin_in=_margin(self.calls, self.tokens_in, self.squares_in),
            margin_out=_margin(self.calls, self.tokens_out, self.squares_out),
        )


def _add_calls(folder: RunFolder, booked: dict[tuple[str, str], _Tally]) -> Counter[str]:
    """Add what a run paid for to the tallies; returns its calls by stage."""
    calls: Counter[str] = Counter()
    if folder.ledger.exists():
        for call in read_jsonl(folder.ledger, Call, ignore_half_line=True):
            if call.paid:
                booked[call.stage, call.model].add(call)
                calls[call.stage] += 1
    return calls


def _margin(number: int, total: int, squares: int) -> float:
    """Two standard errors of the mean as a share of it, at least a tenth; 1 of a single value."""
    if number < 2 or not total:
        return 1.0
    mean = total / number
    variance = max(0.0, squares - number * mean**2) / (number - 1)
    return max(_LEAST_MARGIN, 2 * math.sqrt(variance / number) / mean)


def _rows(folder: RunFolder, stage: str) -> int:
    """How many rows the stage was about, those that failed included; 0 where its file is not there.

    Of the evaluation these are conversations. The taxonomy's rows are of two kinds, so it has none.
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
    """Seconds of all workers of a whole stage together: its time by the clock, times its calls in flight."""
    manifest = read_manifest(folder.manifest(stage))
    if manifest is None:
        return None
    return manifest.seconds * min(_concurrency(folder, stage), _rows(folder, stage) or 1)


def _concurrency(folder: RunFolder, stage: str) -> int:
    """The calls in flight that the run was configured for; 1 where that cannot be read."""
    try:
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        return int(config["models"][ROLE_OF[stage]]["concurrency"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return 1

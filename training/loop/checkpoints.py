"""Checkpoints that can be trusted after a crash, and the counts of a run, which outlive an interruption in them.

A checkpoint takes many files, and a process may die between any two of them. So a mark is written last and atomically.
A checkpoint without it, or with the fingerprint of other settings or data, does not count.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel, ValidationError

from arf_programs.runs import write_text_atomic

_MARK = "whole.json"


class Tally(BaseModel):
    """Tokens that went through the model, positions that were padding, and seconds of work."""

    tokens: int = 0
    padding: int = 0
    seconds: float = 0.0

    def add(self, earlier: Tally) -> None:
        """Add the counts of an earlier part of the same run."""
        self.tokens += earlier.tokens
        self.padding += earlier.padding
        self.seconds += earlier.seconds

    @property
    def padding_share(self) -> float:
        """Padding as a share of all positions computed, 0 to 1."""
        return self.padding / max(1, self.tokens + self.padding)


class Mark(BaseModel):
    """Says that the checkpoint beside it is whole, what it belongs to, and the counts up to it."""

    fingerprint: str
    step: int
    tally: Tally


class Checkpoints:
    """The checkpoints of one training run, in a folder of their own."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def mark_whole(self, step: int, tally: Tally) -> None:
        """Declare the checkpoint of `step` whole."""
        mark = Mark(fingerprint=self.fingerprint, step=step, tally=tally)
        write_text_atomic(self.path(step) / _MARK, mark.model_dump_json())

    def last_whole(self) -> Mark | None:
        """Return the mark of the newest whole checkpoint of this run, and remove all other checkpoints."""
        marks = [mark for path in self.folder.glob("checkpoint-*") if (mark := self._mark(path))]
        best = max(marks, key=lambda mark: mark.step, default=None)
        for path in self.folder.glob("checkpoint-*"):
            if best is None or path != self.path(best.step):
                shutil.rmtree(path)
        return best

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, step: int) -> Path:
        """The place where transformers puts the checkpoint of a step."""
        return self.folder / f"checkpoint-{step}"

    def _mark(self, path: Path) -> Mark | None:
        try:
            mark = Mark.model_validate_json((path / _MARK).read_bytes())
        except (OSError, ValidationError):
            return None
        return mark if mark.fingerprint == self.fingerprint and path == self.path(mark.step) else None

"""Checkpoints that can be trusted after a crash, and nothing of them left when the work is done.

A checkpoint takes many files, and a process may die between any two of them. The mark is written last and atomically:
without it, or with the fingerprint of other settings or data, a checkpoint counts as not there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel, ValidationError

from arf_programs.jsonl import write_text_atomic
from training.tally import Tally

_MARK = "whole.json"


class Mark(BaseModel):
    """Says that the checkpoint beside it is whole, what it belongs to, and how far the counts had come."""

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
        """The mark of the newest whole checkpoint of this run; all others are removed."""
        marks = [mark for path in self.folder.glob("checkpoint-*") if (mark := self._mark(path))]
        best = max(marks, key=lambda mark: mark.step, default=None)
        for path in self.folder.glob("checkpoint-*"):
            if best is None or path != self.path(best.step):
                shutil.rmtree(path)
        return best

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, step: int) -> Path:
        """Where transformers puts the checkpoint of a step."""
        return self.folder / f"checkpoint-{step}"

    def _mark(self, path: Path) -> Mark | None:
        try:
            mark = Mark.model_validate_json((path / _MARK).read_bytes())
        except (OSError, ValidationError):
            return None
        return mark if mark.fingerprint == self.fingerprint and path == self.path(mark.step) else None

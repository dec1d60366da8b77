"""What the actors of a run are started with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from arf_programs.config.schema import Config
from arf_programs.progress import Progress
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.running.step import Step


@dataclass(frozen=True)
class Job:
    """A run as it goes to another machine: paths are absolute, keys stay in the environment."""

    config: Config
    base_dir: Path
    folder: Path
    again: bool
    steps: Sequence[Step[Any, Any]]

    @classmethod
    def of(cls, run: Run, steps: Sequence[Step[Any, Any]]) -> Job:
        """The job of a run's steps."""
        return cls(run.config, run.base_dir.resolve(), run.folder.path.resolve(), run.again, steps)

    def open(self, say: Callable[[str], None]) -> Run:
        """The run, on the machine of whoever calls; what it has to say goes to `say`."""
        return Run(self.config, self.base_dir, RunFolder(self.folder), _Telling(say), self.again)

    @property
    def actors(self) -> int:
        """Of all steps together: so many share the endpoints."""
        return self.config.ray.workers * len(self.steps)

    def slots(self, place: int) -> int:
        """Rows in flight in one actor of a step: its share of the calls that there can be."""
        return max(1, self.steps[place].slots(self.config) // self.config.ray.workers)


class _Telling(Progress):
    """Passes on what there is to say."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(Console(stderr=True), quiet=True)
        self._tell = say

    def say(self, text: str) -> None:
        self._tell(text)

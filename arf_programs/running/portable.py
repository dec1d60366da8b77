"""A run as it goes to another process or machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from arf_programs.config.schema import Config
from arf_programs.progress import Progress
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder


@dataclass(frozen=True)
class PortableRun:
    """What makes a Run anywhere: paths are absolute, keys stay in the environment."""

    config: Config
    base_dir: Path
    folder: Path
    again: bool = False

    @classmethod
    def of(cls, run: Run) -> PortableRun:
        """The run without its progress display, which stays where it is."""
        return cls(run.config, run.base_dir.resolve(), run.folder.path.resolve(), run.again)

    def open(self, say: Callable[[str], None]) -> Run:
        """The run, where the caller is; what it has to say goes to `say`."""
        return Run(self.config, self.base_dir, RunFolder(self.folder), _Telling(say), self.again)


class _Telling(Progress):
    """Passes on what there is to say."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(Console(stderr=True), quiet=True)
        self._pass_on = say

    def say(self, text: str) -> None:
        self._pass_on(text)

"""What the actors of a run are started with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arf_programs.run import Run
from arf_programs.running.portable import PortableRun
from arf_programs.running.step import Step


@dataclass(frozen=True)
class Job:
    """Steps of a run, each of which has a pool of actors."""

    run: PortableRun
    steps: Sequence[Step[Any, Any]]
    rows_in_flight: Sequence[int]
    "of each step, in all its actors"

    @classmethod
    def of(cls, run: Run, steps: Sequence[Step[Any, Any]]) -> Job:
        """The job of a run."""
        return cls(PortableRun.of(run), steps, [step.slots(run) for step in steps])

    @property
    def actors(self) -> int:
        """Of all steps together: so many share the endpoints."""
        return self.run.config.ray.workers * len(self.steps)

    def slots(self, place: int) -> int:
        """Rows in flight in one actor of a step: its share of the calls that there can be."""
        return max(1, self.rows_in_flight[place] // self.run.config.ray.workers)

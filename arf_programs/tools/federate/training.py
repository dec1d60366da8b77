"""Trainings at a site. Each is kept in a folder named after all it depends on, so methods share what they can."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from arf_programs.config import Arm
from arf_programs.runs import Run, digest, write_jsonl_atomic
from arf_programs.stages import train_on
from arf_programs.tools.federate.averaging import Weights
from signatures.records import TrainingExample

ARM: Final[Arm] = "arf"
WEIGHTS: Final = "adapter_model.safetensors"
LOG: Final = "training_log.json"


@dataclass(frozen=True)
class SiteTrainer:
    """Trains at the sites of a run, whose rows are given by site, in the `folder`."""

    run: Run
    folder: Path
    sites: Mapping[str, Sequence[TrainingExample]]

    def answer(
        self, site: str, label: str, epochs: float, start: Weights, towards: Weights, pull: float
    ) -> tuple[Weights, int]:
        """Train at a site as a server asks for it: return the weights of its adapter, and the number of its rows.

        It starts from the weights `start` (empty: a new adapter), and is pulled towards `towards` (empty: the start).
        """
        import safetensors.numpy

        more = [*self._given("--start", start), *self._given("--towards", towards)]
        more += ["--pull", f"{pull:g}"] if pull else []
        student = self.train(site, label, epochs, more)
        return safetensors.numpy.load_file(student / WEIGHTS), len(self.sites[site])

    def train(self, site: str, label: str, epochs: float, more: Sequence[str] = ()) -> Path:
        """Train the student of a site, unless it is whole, and return its folder. Raises what the training raises."""
        config = self.run.config
        own = config.train.model_copy(update={"epochs": epochs})
        rows = [row.model_dump(mode="json") for row in self.sites[site]]
        names = [word.rpartition("/")[2] for word in more]  # of files, wherever the run lies
        place = self.folder / site / digest([own.model_dump(mode="json"), config.seed, rows, names])
        data, student = place / "rows.jsonl", place / "student"
        if not (student / LOG).exists():
            write_jsonl_atomic(data, self.sites[site])
            run = replace(self.run, config=config.model_copy(update={"train": own}))
            train_on(run, data, student, arm=ARM, label=label, more=more)
        return student

    def _given(self, option: str, weights: Weights) -> list[str]:
        """Write weights to a file named after them, and return the option of the training that takes it."""
        if not weights:
            return []
        import safetensors.numpy

        content = safetensors.numpy.save(weights)
        path = self.folder / "averages" / f"{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return [option, str(path)]

"""The sites of a federation: which training rows lie where, by a property of their conversations, and their trainings.

Each training is kept in a folder named after all it depends on, so methods share what they can.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from arf_programs.config import Arm
from arf_programs.runs import Run, digest, write_jsonl_atomic
from arf_programs.stages import train_on
from arf_programs.tools.federate.averaging import Weights
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, TrainingExample

CHANNEL: Final = "channel"
_METADATA: Final = "metadata."


def rows_by_site(
    rows: Iterable[TrainingExample], conversations: Mapping[str, Conversation], by: str, fewest: int
) -> dict[str, list[TrainingExample]]:
    """Split training rows by a property of their conversations: `channel`, or `metadata.KEY`. Sites come by name.

    A name is the value in lower case, with `_` for what is neither a letter from a to z nor a digit.

    Raises:
        ConfigError: `by` is neither of the two.
        DataError: rows without the property (all are counted), two values of one name, fewer than two sites, or a site
            with fewer than `fewest` rows.
    """
    if by != CHANNEL and not (by.startswith(_METADATA) and by.removeprefix(_METADATA)):
        raise ConfigError(f"--by {by}: write metadata.KEY, a column of the metadata, or {CHANNEL}")
    sites: defaultdict[str, list[TrainingExample]] = defaultdict(list)
    values: dict[str, str] = {}
    without: list[str] = []
    for row in rows:
        value = value_of(conversations[row.conversation_id], by)
        if value is None:
            without.append(row.conversation_id)
            continue
        name = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_") or "site"
        if values.setdefault(name, value) != value:
            raise DataError(f"--by {by}: {values[name]!r} and {value!r} would both be called {name}: rename one")
        sites[name].append(row)
    number = len(without) + sum(map(len, sites.values()))
    if without:
        raise DataError(
            f"--by {by}: {len(without)} of {number} training rows have none (the first: {without[0]}), so it is not "
            f"known where they lie: add it to their conversations, or leave these out of the corpus"
        )
    if len(sites) < 2:
        raise DataError(f"--by {by}: all {number} training rows have the same value, and one site needs no federation")
    small = [f"{name} has {len(sites[name])}" for name in sorted(sites) if len(sites[name]) < fewest]
    if small:
        raise DataError(
            f"--by {by}: a site needs {fewest} training rows, one update of train.batch_size ({'; '.join(small)}): "
            "take another property, lower train.batch_size, or read more conversations"
        )
    return {name: sites[name] for name in sorted(sites)}


def value_of(conversation: Conversation, by: str) -> str | None:
    """Return the value of the property as text; None if there is none, or an empty one."""
    value = conversation.channel if by == CHANNEL else conversation.metadata.get(by.removeprefix(_METADATA))
    return str(value).strip() or None if isinstance(value, str | int | float) else None


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

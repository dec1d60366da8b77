"""How intervals and tests are computed, said once for all figures of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from arf_programs.metrics.bootstrap import Interval, mean_interval


@dataclass(frozen=True)
class Resampling:
    """How intervals and tests are computed. `clusters` names the cluster of each conversation; one that it does not
    name, and all where it is empty, is a cluster of its own."""

    samples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    clusters: Mapping[str, str] = field(default_factory=dict)

    def names(self, conversations: Sequence[str]) -> list[str] | None:
        """The cluster of each conversation; None where none is shared, so that conversations are drawn."""
        if not self.clusters:
            return None
        return [self.clusters.get(name, f"\0{name}") for name in conversations]

    def mean(self, values: Mapping[str, float]) -> Interval | None:
        """The mean of a value a conversation, with its interval; None where there are none."""
        names = self.names(list(values))
        return mean_interval(
            list(values.values()), names, samples=self.samples, confidence=self.confidence, seed=self.seed
        )

"""What all systems told of the holdout, conversation by conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from arf_programs.jsonl_index import JsonlIndex
from arf_programs.run import Run
from arf_programs.stages.draft import TEACHER
from signatures.records import Record, Summary


class Pair(Record):
    """Two systems' summaries of one conversation."""

    a: Summary
    b: Summary

    @property
    def name(self) -> str:
        """How the pair is called."""
        return f"{self.a.system} against {self.b.system}"


class Told:
    """The teacher's drafts and the predictions of the others, read when asked for."""

    def __init__(self, run: Run) -> None:
        self._names = run.conversations("holdout")
        self._systems: dict[str, None] = {TEACHER: None}
        self._drafts = JsonlIndex(run.folder.drafts, Summary, key=lambda row: row["conversation_id"], value=_itself)
        self._made = JsonlIndex(run.folder.predictions, Summary, key=self._key, value=_itself)

    def summaries(self) -> Iterator[Summary]:
        """Systems side by side for each conversation: what models are asked about it shares its prefix."""
        for name in self._names:
            for system in self._systems:
                if (summary := self.by(system, name)) is not None:
                    yield summary

    def pairs(self, systems: Sequence[tuple[str, str]]) -> Iterator[Pair]:
        """Each pair of systems for each conversation; one of which a system has no summary is left out, and counted by
        `win_rates`.
        """
        for name in self._names:
            for a, b in systems:
                first, second = self.by(a, name), self.by(b, name)
                if first is not None and second is not None:
                    yield Pair(a=first, b=second)

    def by(self, system: str, name: str) -> Summary | None:
        """A system's summary of a conversation; None where it has none."""
        return self._drafts.get(name) if system == TEACHER else self._made.get(f"{system}/{name}")

    def _key(self, row: dict[str, str]) -> str:
        self._systems.setdefault(row["system"])
        return f"{row['system']}/{row['conversation_id']}"


def _itself(summary: Summary) -> Summary:
    return summary

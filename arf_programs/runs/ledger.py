"""The ledger `calls.jsonl`: one line for each call of a model, and their sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from arf_programs.runs.jsonl import read_jsonl


class Call(BaseModel):
    """One line of `calls.jsonl`: the tokens and the US dollars of one call.

    A `cached` call was answered from the store and costs nothing. A `failed` call was sent and got no answer. A call
    for a revision has its `strategy`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    strategy: str = ""
    model: str
    cached: bool
    failed: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    @property
    def paid(self) -> bool:
        """Whether a model answered the call, and not the store."""
        return not (self.cached or self.failed)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def iter_ledger(path: Path) -> Iterator[Call]:
    """Yield the calls of a ledger. None if there is no ledger."""
    if path.exists():
        yield from read_jsonl(path, Call, ignore_half_line=True)


def read_ledger(path: Path) -> list[Call]:
    """Read all calls of a ledger. None if there is no ledger."""
    return list(iter_ledger(path))


@dataclass
class Spent:
    """Sums over calls. `calls` counts those that models answered, `cached` those that the store answered."""

    calls: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    @classmethod
    def on(cls, calls: Iterable[Call]) -> Spent:
        """Add up calls, which are read once."""
        spent = cls()
        for call in calls:
            spent.add(call)
        return spent

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def add(self, call: Call) -> None:
        """Add one call. An answer from the store has no tokens and no cost."""
        self.calls += call.paid
        self.cached += call.cached
        self.failed += call.failed
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        self.usd += call.usd

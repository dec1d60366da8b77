"""What calls came to, added up one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from arf_programs.runs.jsonl import read_jsonl


class Call(BaseModel):
    """One line of `calls.jsonl`: tokens and US dollars of one call. A replayed (`cached`) one costs nothing; one that
    `failed` was sent and brought no answer. A call for a revision has its `strategy`.
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
        """Whether a model answered it, now and not from the store."""
        return not (self.cached or self.failed)

    @property
    def tokens(self) -> int:
        """Of prompt and answer."""
        return self.prompt_tokens + self.completion_tokens


def iter_ledger(path: Path) -> Iterator[Call]:
    """The calls booked so far, one after another; none if there is no ledger."""
    if path.exists():
        yield from read_jsonl(path, Call, ignore_half_line=True)


def read_ledger(path: Path) -> list[Call]:
    """The calls booked so far; none if there is no ledger."""
    return list(iter_ledger(path))


@dataclass
class Spent:
    """Calls that models answered, with their tokens and US dollars; answers from the store, and tries that failed."""

    calls: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    @classmethod
    def on(cls, calls: Iterable[Call]) -> Spent:
        """What these calls came to, read once."""
        spent = cls()
        for call in calls:
            spent.add(call)
        return spent

    @property
    def tokens(self) -> int:
        """Of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, call: Call) -> None:
        """One call more. What the store answered has no tokens and no cost."""
        self.calls += call.paid
        self.cached += call.cached
        self.failed += call.failed
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        self.usd += call.usd

"""What calls came to, added up one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from arf_programs.models.answer_files import Call


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

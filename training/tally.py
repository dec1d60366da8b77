"""Counts of a training run that outlive an interruption: they are kept in the mark of each checkpoint."""

from __future__ import annotations

from pydantic import BaseModel


class Tally(BaseModel):
    """Tokens that went through the model, those that were padding, and seconds of work."""

    tokens: int = 0
    padding: int = 0
    seconds: float = 0.0

    def add(self, earlier: Tally) -> None:
        """Add the counts of an earlier part of the same run."""
        self.tokens += earlier.tokens
        self.padding += earlier.padding
        self.seconds += earlier.seconds

    @property
    def padding_share(self) -> float:
        """Padding as a share of all positions computed, 0 to 1."""
        return self.padding / max(1, self.tokens + self.padding)

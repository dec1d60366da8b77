"""Chooses among operators by what they have brought so far, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Generic, TypeVar

Name = TypeVar("Name")


class Bandit(Generic[Name]):
    """Thompson sampling for rewards of 0 and 1, with a uniform prior for the rate of each arm.

    A rate is drawn from each posterior, Beta(1 + rewards, 1 + tries without one), and the arm of the highest is chosen
    (Thompson 1933; Chapelle and Li 2011, "An Empirical Evaluation of Thompson Sampling"). Unlike UCB1 it needs no
    answer before the next choice, so tries go in batches. With `learns` false every choice is uniform: the baseline.
    """

    def __init__(self, arms: Sequence[Name], seed: str, *, learns: bool = True) -> None:
        self._rng = Random(seed)  # noqa: S311 - repeatable, not secret
        self._counts = {arm: [1, 1] for arm in arms}
        self._learns = learns

    def choose(self) -> Name:
        """Return the arm to try next."""
        arms = list(self._counts)
        if not self._learns:
            return self._rng.choice(arms)
        return max(arms, key=lambda arm: self._rng.betavariate(*self._counts[arm]))

    def learn(self, arm: Name, *, reward: bool) -> None:
        """Take in the outcome of a try."""
        self._counts[arm][0 if reward else 1] += 1

"""Simulate `arf gate`: how often it raises a false alarm, finds a regression, and lets a student pass.

    python bench/gate_power.py

Each row is 20,000 seeded simulations of `error_rate` with a margin of 0.05. Both systems err on
one conversation in five, and 20% of the conversations differ between them, but for the true difference.
"""

from __future__ import annotations

import numpy as np

from arf_programs.metrics.systems.gate import margin_test

MARGIN, DISCORDANT, RUNS, ALPHA = 0.05, 0.2, 20_000, 0.05


def rates(conversations: int, true: float, seed: int = 0) -> tuple[float, float]:
    """The shares of simulations that end in "regression" and in "no regression"."""
    drawn = np.random.default_rng(seed).random((RUNS, conversations))
    worse, better = (DISCORDANT + true) / 2, (DISCORDANT - true) / 2
    test = margin_test((drawn < worse).astype(float) - (drawn > 1 - better), MARGIN)
    return float((test.p_worse < ALPHA).mean()), float((test.p_within < ALPHA).mean())


def main() -> None:
    """Print the table of docs/gate.md."""
    print("| conversations | true difference | regression (exit 1) | no regression (exit 0) | cannot tell (exit 4) |")
    print("| --- | --- | --- | --- | --- |")
    for conversations in (50, 200, 500, 1000):
        for true in (0.0, 0.05, 0.15):
            worse, within = rates(conversations, true)
            rest = 1 - worse - within
            print(f"| {conversations} | {true * 100:.0f} points | {worse:.1%} | {within:.1%} | {rest:.1%} |")
    skewed = np.random.default_rng(0).exponential(MARGIN, (RUNS, 50))  # a score with the margin as its mean
    passed = margin_test(skewed, MARGIN, whole=False).p_within < ALPHA
    print(f"50 exponential differences, worse by the margin: {passed.mean():.1%} pass")


if __name__ == "__main__":
    main()

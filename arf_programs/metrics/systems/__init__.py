"""The figures of systems: metrics of their summaries, means, comparisons, win rates, and the gate."""

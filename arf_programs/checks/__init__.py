"""Deterministic checks: errors in a summary that can be seen without a model, at no cost."""

from arf_programs.checks.run import ALL, run_checks

__all__ = ["ALL", "run_checks"]

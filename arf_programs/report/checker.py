"""What the checker's share of flagged summaries means, given how often it is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from arf_programs.metrics import CheckerProbe, Interval, correct_prevalence
from arf_programs.report.data import CheckedFigures

METRIC = "checker_error_rate"


def checked_figures(
    probe: CheckerProbe | None, systems: Mapping[str, Mapping[str, Interval]], *, confidence: float
) -> CheckedFigures | None:
    """Correct each system's share of flagged summaries for the checker's error rates; None if there is no such share.

    Without a probe, or where the checker is no better than chance, nothing is corrected, and `why` says so.
    """
    flagged = {name: figures[METRIC] for name, figures in systems.items() if METRIC in figures}
    if not flagged:
        return None
    found = probe.rates() if probe is not None else None
    if found is None:
        return CheckedFigures(why="its error rates are not known: `arf checker probe` measures them")
    source, rates = found
    known = CheckedFigures(source=source, sensitivity=rates.sensitivity, specificity=rates.specificity)
    if not rates.informative:
        why = "sensitivity and specificity add up to 1 or less, so the checker flags right summaries as often as wrong"
        return known.model_copy(update={"why": why})
    corrected = {
        name: share
        for name, interval in flagged.items()
        if (share := correct_prevalence(interval, rates, confidence=confidence)) is not None
    }
    return known.model_copy(update={"corrected": corrected})


def checked_lines(made: CheckedFigures | None) -> list[str]:
    """Say for the page what the share is worth."""
    if made is None:
        return []
    if made.sensitivity is None or made.specificity is None:
        return [f"{METRIC} is not corrected for the errors of the checker: {made.why}."]
    rates = (
        f"On {made.source} the checker flags {made.sensitivity.text('.0%')} of the wrong ones and passes "
        f"{made.specificity.text('.0%')} of the right ones."
    )
    if made.why:
        return [f"{METRIC} cannot be corrected: {made.why}. {rates}"]
    shares = "; ".join(f"{name} {interval.text('.0%')}" for name, interval in made.corrected.items())
    return [f"{METRIC}, corrected for the errors of the checker (Rogan and Gladen): {shares}. {rates}"]

"""Sentences about an analyst or a checker: its calibration, and what the share that it flags means."""

from __future__ import annotations

from collections.abc import Mapping

from arf_programs.metrics import CheckerProbe, Interval, SelfCalibration, StackedCalibration, correct_prevalence
from arf_programs.report.data import CheckedFigures

_METRIC = "checker_error_rate"


def calibration_lines(made: SelfCalibration) -> list[str]:
    """Say how the calibration went, and what to do if it went badly."""
    about = f"{made.asked} sentences of {made.conversations} conversations"
    match made.outcome:
        case "no_scores":
            return [
                f"{made.model} gives no probabilities, so no threshold was fitted: its word counts. Set "
                "models.analyst.logprobs to true if its endpoint gives them, or analyze.samples to more than 1."
            ]
        case "too_few":
            return [
                f"only {about} have a score, which is too few to fit a threshold: a sentence is flagged from a score "
                "of 0.5 on. Give the corpus more references, or a labelled set."
            ]
        case "cannot_tell" if made.parts:
            return [
                f"neither {made.model} nor the signs of a sentence tell wrong ones from right ones ({_area(made)}, "
                f"over {about}): only the checks look for errors. Name a larger model as models.analyst, or give more "
                "labels."
            ]
        case "cannot_tell":
            return [
                f"{made.model} cannot tell wrong sentences from right ones ({_area(made)}, over {about}): it is not "
                "asked for errors, and only the checks look for them. Name a larger model as models.analyst, or set "
                "analyze.calibration to null to ask this one all the same."
            ]
    kinds = ", ".join(f"{kind} {found.value:.0%}" for kind, found in made.recall_by_kind.items())
    return [
        f"{made.model}: {_area(made)}, over {about} ({made.source})",
        f"the threshold flags {_share(made.false_alarm_rate)} of the right sentences and is expected to find "
        f"{_share(made.recall)} of the planted errors: {kinds}",
        *_stack_lines(made),
    ]


def _stack_lines(made: SelfCalibration) -> list[str]:
    """Say what is stacked, and whether the model is still asked."""
    if not isinstance(made.calibration, StackedCalibration):
        return []
    parts = ", ".join(
        f"{name} {area.value:.2f} ({area.low:.2f} to {area.high:.2f})" for name, area in made.parts.items()
    )
    unused = "" if made.calibration.uses_score else f"; {made.model} cannot tell by its score, so it is not asked"
    return [f"stacked, each with its own area under the curve: {parts}{unused}"]


def _area(made: SelfCalibration) -> str:
    area = made.auc
    return (
        "no area under the curve"
        if area is None
        else (f"area under the curve {area.value:.2f}, {area.low:.2f} to {area.high:.2f}")
    )


def _share(interval: Interval | None) -> str:
    return "-" if interval is None else interval.text(".0%")


def checked_figures(
    probe: CheckerProbe | None, systems: Mapping[str, Mapping[str, Interval]], *, confidence: float
) -> CheckedFigures | None:
    """Correct each system's share of flagged summaries for the checker's error rates; None if there is no such share.

    Without a probe, or where the checker is no better than chance, nothing is corrected, and `why` says so.
    """
    flagged = {name: figures[_METRIC] for name, figures in systems.items() if _METRIC in figures}
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
    """Say on the page how far the checker's share can be trusted."""
    if made is None:
        return []
    if made.sensitivity is None or made.specificity is None:
        return [f"{_METRIC} is not corrected for the errors of the checker: {made.why}."]
    rates = (
        f"On {made.source} the checker flags {made.sensitivity.text('.0%')} of the wrong ones and passes "
        f"{made.specificity.text('.0%')} of the right ones."
    )
    if made.why:
        return [f"{_METRIC} cannot be corrected: {made.why}. {rates}"]
    shares = "; ".join(f"{name} {interval.text('.0%')}" for name, interval in made.corrected.items())
    return [f"{_METRIC}, corrected for the errors of the checker (Rogan and Gladen): {shares}. {rates}"]

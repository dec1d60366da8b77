"""What an analyst's own calibration has shown, in words."""

from __future__ import annotations

from arf_programs.metrics import Interval, SelfCalibration, StackedCalibration


def calibration_lines(made: SelfCalibration) -> list[str]:
    """Say what came out, and what to do where it is not good."""
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

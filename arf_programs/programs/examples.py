"""Labelled cases as DSPy examples, and metrics for DSPy's optimizers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import dspy

from arf_programs.checks import run_checks
from arf_programs.corpus import LabeledExample
from arf_programs.metrics import score_detection, score_repair
from arf_programs.programs.analysis.reported_errors import same_error
from signatures.records import Conversation, ErrorNote

RATING_STEPS = 4
"""Steps between the lowest rating, 1, and the highest, 5."""


def labeled_examples(
    labeled: Iterable[LabeledExample], program: Literal["analyze", "revise", "judge"]
) -> list[dspy.Example]:
    """Return a `dspy.Example` for each labelled case that can score `program`, in order.

    The inputs are those of the program: `conversation` and `summary` for `Analyze` and `Judge`; `conversation`, `draft`
    and `errors` for `Revise`. The labels are `errors`, `revised` and `rating`. `Revise` needs errors and a correction,
    `Judge` needs a rating; cases without them are left out.
    """
    if program == "revise":
        return [
            dspy.Example(
                conversation=case.conversation, draft=case.summary, errors=case.errors, revised=case.revised
            ).with_inputs("conversation", "draft", "errors")
            for case in labeled
            if case.errors and case.revised
        ]
    return [
        dspy.Example(
            conversation=case.conversation, summary=case.summary, errors=case.errors, rating=case.rating
        ).with_inputs("conversation", "summary")
        for case in labeled
        if program == "analyze" or case.rating is not None
    ]


def analysis_metric(
    example: dspy.Example, prediction: dspy.Prediction, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
) -> float | dspy.Prediction:
    """Score an analysis: the F1 (0 to 1) of its errors against the labelled ones.

    Like all metrics here, it returns a number. For GEPA, which names a predictor, it returns a Prediction(score,
    feedback).
    """
    detection = score_detection(prediction.errors, example.errors)
    return _scored(detection.score, detection.feedback, pred_name)


def revision_metric(
    example: dspy.Example, prediction: dspy.Prediction, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
) -> float | dspy.Prediction:
    """Score a revision against the labelled correction, from 0 to 1.

    Errors mended raise the score. Right words that are lost and new errors lower it (`metrics.repair`).
    """
    after = prediction.revision.after
    new = new_check_errors(example.conversation, example.draft, after)
    repair = score_repair(example.draft, example.revised, after, new_errors=len(new))
    return _scored(repair.score, repair.feedback, pred_name)


def rating_metric(
    example: dspy.Example, prediction: dspy.Prediction, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
) -> float | dspy.Prediction:
    """Score a rating against a person's: 1 - |judge - person| / 4."""
    score, feedback = score_rating(prediction.rating.rating, example.rating, example.errors)
    return _scored(score, feedback, pred_name)


def score_rating(judge: int, person: int, errors: tuple[ErrorNote, ...]) -> tuple[float, str]:
    """Return the score of a rating, 1 - |judge - person| / 4, and what to say about it.

    Near misses count, which a share of equal ratings would not show. `errors` are the labelled ones.
    """
    reasons = f"People rate this summary {person}: {reasons_of(errors)}"
    if judge == person:
        return 1.0, f"Right. {reasons}"
    return 1 - abs(judge - person) / RATING_STEPS, f"{judge} is too {'high' if judge > person else 'low'}. {reasons}"


def reasons_of(errors: tuple[ErrorNote, ...]) -> str:
    """Return the explanations of the errors, as the reasons of a rating."""
    return " ".join(note.explanation for note in errors if note.explanation) or "Nothing is wrong or missing."


def new_check_errors(conversation: Conversation, before: str, after: str) -> list[ErrorNote]:
    """Return the errors that the deterministic checks find in a revision and not in the draft."""
    old = run_checks(conversation, before)
    return [note for note in run_checks(conversation, after) if not any(same_error(note, item) for item in old)]


def _scored(score: float, feedback: str, pred_name: Any) -> float | dspy.Prediction:
    return score if pred_name is None else dspy.Prediction(score=score, feedback=feedback)

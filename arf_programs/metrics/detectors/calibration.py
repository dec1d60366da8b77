"""The calibration of an analyst: from its raw score of a sentence to a probability and a decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal

from pydantic import Field

from arf_programs.metrics.detection import balanced_accuracy
from signatures.exceptions import DataError
from signatures.records import Record

_EDGE: Final = 1e-6  # keeps the logit of 0 and of 1 finite


class Calibration(Record):
    """Platt scaling (Platt 1999): probability = 1 / (1 + exp(-(a * logit(score) + b))).

    `model` and `prompt` (the hash that `SentenceSupport.prompt_digest` gives) say what it was fitted for, `n` and
    `positives` on how many sentences, and how many of them unsupported. `auc` is the area under the ROC curve of the
    raw score. `threshold` is on the scale of the probability. `false_alarms` is the share of supported sentences that
    the threshold was to flag, or None if it is the one with the best balanced accuracy. `balanced_accuracy` was
    measured on the same sentences that it was fitted on, so it is too high.
    """

    model: str
    prompt: str
    n: int = Field(ge=2)
    positives: int = Field(ge=1)
    auc: float = Field(ge=0, le=1)
    method: Literal["platt", "stacked"] = "platt"
    a: float = Field(allow_inf_nan=False)
    b: float = Field(allow_inf_nan=False)
    threshold: float = Field(ge=0, le=1)
    false_alarms: float | None = None
    balanced_accuracy: float = Field(ge=0, le=1)

    def apply(self, score: float) -> float:
        """Return the probability, 0 to 1, that a sentence with this raw score is unsupported."""
        return sigmoid(self.a * logit(score) + self.b)


def fit_calibration(
    scores: Sequence[float],
    labels: Sequence[bool],
    *,
    model: str,
    prompt: str,
    false_alarms: float | None = None,
) -> Calibration:
    """Fit a calibration on raw scores (0 to 1) and labels (True: unsupported) of the same sentences.

    `a` and `b` are from scikit-learn's LogisticRegression with its default penalty (C = 1) on the logit of the score.
    With `false_alarms` the threshold flags at most this share of the supported sentences. Otherwise it has the best
    balanced accuracy on these same sentences (it is not cross-validated); of several equally good ones it is the middle
    one. Raises DataError unless both classes are there.
    """
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores and {len(labels)} labels: one label a score is needed")
    if len(set(labels)) < 2:
        kind = "an unsupported" if not any(labels) else "a supported"
        raise DataError(f"A calibration needs both kinds of sentence, but {kind} one is not among the {len(labels)}.")
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    fitted = LogisticRegression().fit([[logit(score)] for score in scores], list(labels))
    a, b = float(fitted.coef_[0][0]), float(fitted.intercept_[0])
    probabilities = [sigmoid(a * logit(score) + b) for score in scores]
    if false_alarms is None:
        threshold, accuracy = best_threshold(probabilities, labels)
    else:
        right = [value for value, wrong in zip(probabilities, labels, strict=True) if not wrong]
        threshold = threshold_of_alarms(right, false_alarms)
        accuracy = balanced_accuracy([value >= threshold for value in probabilities], labels) or 0.0
    return Calibration(
        model=model,
        prompt=prompt,
        n=len(scores),
        positives=sum(labels),
        auc=float(roc_auc_score(list(labels), list(scores))),
        a=a,
        b=b,
        threshold=threshold,
        false_alarms=false_alarms,
        balanced_accuracy=accuracy,
    )


def best_threshold(scores: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """Return (threshold, balanced accuracy) of the best threshold; both classes have to be there.

    A sentence with this score or a higher one counts as unsupported. The candidates are the middles between
    neighbouring scores. Of several equally good ones it is the middle one.
    """
    import numpy as np

    values = sorted(set(scores))
    cuts = [values[0], *((a + b) / 2 for a, b in pairwise(values))]
    wrong = np.sort([score for score, label in zip(scores, labels, strict=True) if label])
    right = np.sort([score for score, label in zip(scores, labels, strict=True) if not label])
    found = 1 - np.searchsorted(wrong, cuts) / len(wrong)
    accuracies = [float(value) for value in (found + np.searchsorted(right, cuts) / len(right)) / 2]
    best = max(accuracies)
    good = [cut for cut, accuracy in zip(cuts, accuracies, strict=True) if math.isclose(accuracy, best)]
    return good[len(good) // 2], best


def threshold_of_alarms(right: Sequence[float], share: float) -> float:
    """Return the lowest threshold that flags at most this share of the scores (0 to 1) of right sentences.

    A score that is the threshold or higher is flagged.
    """
    ranked = sorted(right, reverse=True)
    allowed = int(share * len(ranked) + _EDGE)
    return min(math.nextafter(ranked[allowed], 2.0), 1.0)


def mismatches(calibration: Calibration, *, model: str, prompt: str) -> list[str]:
    """Say how the present question differs from the calibrated one; empty if it does not."""
    differences = []
    if calibration.model != model:
        differences.append(f"it was fitted for {calibration.model}, and {model} is asked")
    if calibration.prompt != prompt:
        differences.append("it was fitted for another wording or other demonstrations of the support question")
    return differences


def logit(score: float) -> float:
    """Return the log-odds of a score, which is kept away from 0 and 1."""
    inside = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))


def sigmoid(value: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))

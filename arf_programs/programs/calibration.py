"""The calibration of an analyst: from its raw score of a sentence to a probability and a decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from arf_programs.runs import write_text_atomic
from signatures.exceptions import DataError
from signatures.records import Record

_EDGE: Final = 1e-6  # keeps the logit of 0 and of 1 finite


class Calibration(Record):
    """Platt scaling (Platt 1999): probability = 1 / (1 + exp(-(a * logit(score) + b))).

    `model` and `prompt` (the hash that `SentenceSupport.prompt_digest` gives) say what it was fitted for, `n` and
    `positives` on how many sentences, and how many of them unsupported. `auc` is the area under the ROC curve of the
    raw score. `threshold` is on the scale of the probability. `balanced_accuracy` was measured on the same sentences
    that it was fitted on, so it is too high.
    """

    model: str
    prompt: str
    n: int = Field(ge=2)
    positives: int = Field(ge=1)
    auc: float = Field(ge=0, le=1)
    method: Literal["platt"] = "platt"
    a: float = Field(allow_inf_nan=False)
    b: float = Field(allow_inf_nan=False)
    threshold: float = Field(ge=0, le=1)
    balanced_accuracy: float = Field(ge=0, le=1)

    def apply(self, score: float) -> float:
        """Return the probability, 0 to 1, that a sentence with this raw score is unsupported."""
        return _sigmoid(self.a * _logit(score) + self.b)


def fit_calibration(scores: Sequence[float], labels: Sequence[bool], *, model: str, prompt: str) -> Calibration:
    """Fit a calibration on raw scores (0 to 1) and labels (True: unsupported) of the same sentences.

    `a` and `b` are from scikit-learn's LogisticRegression with its default penalty (C = 1) on the logit of the score.
    The threshold has the best balanced accuracy on these same sentences (it is not cross-validated). Of several equally
    good ones it is the middle one. Raises DataError unless both classes are there.
    """
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores and {len(labels)} labels: one label a score is needed")
    if len(set(labels)) < 2:
        kind = "an unsupported" if not any(labels) else "a supported"
        raise DataError(f"A calibration needs both kinds of sentence, but {kind} one is not among the {len(labels)}.")
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    fitted = LogisticRegression().fit([[_logit(score)] for score in scores], list(labels))
    a, b = float(fitted.coef_[0][0]), float(fitted.intercept_[0])
    probabilities = [_sigmoid(a * _logit(score) + b) for score in scores]
    threshold, accuracy = best_threshold(probabilities, labels)
    return Calibration(
        model=model,
        prompt=prompt,
        n=len(scores),
        positives=sum(labels),
        auc=float(roc_auc_score(list(labels), list(scores))),
        a=a,
        b=b,
        threshold=threshold,
        balanced_accuracy=accuracy,
    )


def best_threshold(scores: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """Return (threshold, balanced accuracy) of the best threshold; both classes have to be there.

    A sentence with this score or a higher one counts as unsupported. The candidates are the middles between
    neighbouring scores. Of several equally good ones it is the middle one.
    """
    from sklearn.metrics import balanced_accuracy_score

    values = sorted(set(scores))
    cuts = [values[0], *((a + b) / 2 for a, b in pairwise(values))]
    accuracies = [float(balanced_accuracy_score(list(labels), [s >= cut for s in scores])) for cut in cuts]
    best = max(accuracies)
    good = [cut for cut, accuracy in zip(cuts, accuracies, strict=True) if math.isclose(accuracy, best)]
    return good[len(good) // 2], best


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file. Raises DataError when it is missing or is not a calibration."""
    try:
        return Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: set analyze.calibration to one that exists, or to null") from None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        detail = " ".join(str(error).split())[:300]
        raise DataError(
            f"{path}: no calibration ({detail}): fit it again, or set analyze.calibration to null"
        ) from None


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration file atomically."""
    write_text_atomic(path, calibration.model_dump_json(indent=2) + "\n")


def mismatches(calibration: Calibration, *, model: str, prompt: str) -> list[str]:
    """Say how the present question differs from the calibrated one; empty if it does not."""
    differences = []
    if calibration.model != model:
        differences.append(f"it was fitted for {calibration.model}, and {model} is asked")
    if calibration.prompt != prompt:
        differences.append("it was fitted for another wording or other demonstrations of the support question")
    return differences


def _logit(score: float) -> float:
    inside = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))

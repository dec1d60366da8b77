"""Several scores of a sentence put together by a logistic regression (stacking: Wolpert 1992)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from arf_programs.metrics.bootstrap import Interval, Resampling
from arf_programs.metrics.detection import balanced_accuracy
from arf_programs.metrics.detectors.calibration import Calibration, logit, sigmoid, threshold_of_alarms
from arf_programs.metrics.detectors.ranking import area_under_curve

SCORE: Final = "score"
_FOLDS: Final = 5


class ScoredSentence(NamedTuple):
    """A sentence that was asked about: its conversation, raw score, kind of error (empty: right), and signs.

    The score is None where no model was asked, or where it gave none.
    """

    conversation: str
    score: float | None
    kind: str
    signs: Mapping[str, float] = {}

    @property
    def wrong(self) -> bool:
        """Whether it has an error."""
        return bool(self.kind)


class StackedCalibration(Calibration):
    """A calibration that weighs signs beside the score: a * logit(score) + b + the sum of weight * sign.

    `a` is 0 if the score is not used. `auc`, `balanced_accuracy` and `threshold` are from regressions that were fitted
    on other conversations.
    """

    method: Literal["platt", "stacked"] = "stacked"
    weights: dict[str, float]

    @property
    def uses_score(self) -> bool:
        """Whether the model's score counts. Otherwise the model need not be asked for it."""
        return self.a != 0

    def weigh(self, score: float | None, signs: Mapping[str, float]) -> float:
        """Return the probability, 0 to 1, that a sentence is unsupported. A score that is missing counts as 0.5."""
        model = self.a * logit(score) if score is not None and self.uses_score else 0.0
        return sigmoid(model + self.b + sum(weight * signs[name] for name, weight in self.weights.items()))


def area_of(
    scores: Sequence[float], sentences: Sequence[ScoredSentence], seed: int, confidence: float = 0.95
) -> Interval | None:
    """Compute the area under the curve of one score of the sentences, with an interval that draws conversations."""
    labels, names = [item.wrong for item in sentences], [item.conversation for item in sentences]
    return area_under_curve(scores, labels, names, Resampling(confidence=confidence, seed=seed))


def areas_of_parts(sentences: Sequence[ScoredSentence], seed: int) -> dict[str, Interval]:
    """Compute the area under the curve of each sign by itself, and of the score, over the sentences that have one."""
    scored = [item for item in sentences if item.score is not None]
    found = {SCORE: area_of([item.score or 0.0 for item in scored], scored, seed)}
    for name in sentences[0].signs if sentences else ():
        found[name] = area_of([item.signs[name] for item in sentences], sentences, seed)
    return {name: area for name, area in found.items() if area is not None}


def fit_stack(
    sentences: Sequence[ScoredSentence], *, model: str, prompt: str, false_alarms: float, score: bool
) -> tuple[StackedCalibration, list[float]] | None:
    """Fit the regression. Return (it, the probability of each sentence by one that was fitted on other conversations).

    With `score` the model's score counts, too, and every sentence needs one. The inputs are standardised, and the
    penalty is scikit-learn's default (C = 1). The threshold flags at most `false_alarms` of the right sentences. None
    if some fold leaves only right or only wrong sentences.
    """
    import numpy as np

    names = list(sentences[0].signs)
    rows = np.array([_inputs(item, names, score=score) for item in sentences])
    wrong = np.array([item.wrong for item in sentences])
    talks = sorted({item.conversation for item in sentences})
    fold = np.array([talks.index(item.conversation) % _FOLDS for item in sentences])
    elsewhere = np.zeros(len(sentences))
    for number in sorted(set(fold.tolist())):
        rest = fold != number
        if len(set(wrong[rest].tolist())) < 2:
            return None
        elsewhere[~rest] = _regression().fit(rows[rest], wrong[rest]).predict_proba(rows[~rest])[:, 1]
    whole = _regression().fit(rows, wrong)
    scaler, line = whole.steps[0][1], whole.steps[1][1]
    weights = (line.coef_[0] / scaler.scale_).tolist()
    b = float(line.intercept_[0] - (line.coef_[0] * scaler.mean_ / scaler.scale_).sum())
    probabilities: list[float] = elsewhere.tolist()
    threshold = threshold_of_alarms([p for p, bad in zip(probabilities, wrong, strict=True) if not bad], false_alarms)
    area = area_of(probabilities, sentences, 0)
    made = StackedCalibration(
        model=model,
        prompt=prompt,
        n=len(sentences),
        positives=int(wrong.sum()),
        auc=area.value if area else 0.5,
        a=weights[len(names)] if score else 0.0,
        b=b,
        threshold=threshold,
        false_alarms=false_alarms,
        balanced_accuracy=balanced_accuracy([p >= threshold for p in probabilities], wrong.tolist()) or 0.0,
        weights=dict(zip(names, weights[: len(names)], strict=True)),
    )
    return made, probabilities


def _inputs(item: ScoredSentence, names: Sequence[str], *, score: bool) -> list[float]:
    return [*(item.signs[name] for name in names), *([logit(item.score or 0.0)] if score else [])]


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())

"""The calibration that a run makes for itself on planted errors, as `calibration.json` holds it.

Several scores of a sentence are put together by a logistic regression (stacking: Wolpert 1992).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field, ValidationError

from arf_programs.metrics.bootstrap import Interval, Resampling
from arf_programs.metrics.detection import balanced_accuracy
from arf_programs.metrics.detectors.calibration import Calibration, fit_calibration, logit, sigmoid, threshold_of_alarms
from arf_programs.metrics.detectors.separation import area_under_curve
from signatures.exceptions import DataError
from signatures.records import Record

SCORE: Final = "score"
_FOLDS: Final = 5
LEAST_QUESTIONS: Final = 40
"""Scored sentences from which a calibration is fitted."""
_LIKELY: Final = 0.6  # confidence of the interval by which a hopeless model is given up early
Outcome = Literal["fitted", "cannot_tell", "too_few", "no_scores"]


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


class SelfCalibration(Record):
    """What the analyst's own questions about planted errors have shown.

    `fingerprint` is of all that it depends on. `source` says where the right summaries come from. `asked` sentences of
    `conversations` conversations were asked about, of `wanted`; `failed` ones had no usable answer. `auc` is the area
    under the ROC curve of the raw score, or of the stack; `parts` has that of each sign and of the score by itself,
    where they are stacked. `calibration` is there if `outcome` is "fitted". At its threshold, the share
    `false_alarm_rate` of the right sentences is flagged, and `recall` of the planted errors, also by kind. All
    intervals draw whole conversations.
    """

    fingerprint: str
    model: str
    source: str
    outcome: Outcome
    parts: dict[str, Interval] = Field(default_factory=dict)
    asked: int = 0
    wanted: int = 0
    failed: int = 0
    conversations: int = 0
    auc: Interval | None = None
    calibration: StackedCalibration | Calibration | None = None
    false_alarms: float
    false_alarm_rate: Interval | None = None
    recall: Interval | None = None
    recall_by_kind: dict[str, Interval] = Field(default_factory=dict)


def fit_self_calibration(
    sentences: Sequence[ScoredSentence],
    *,
    false_alarms: float,
    model: str,
    prompt: str,
    seed: int,
    fingerprint: str = "",
    source: str = "",
    wanted: int = 0,
    failed: int = 0,
) -> SelfCalibration:
    """Fit the threshold for the wished share of false alarms, and measure what it finds.

    The model "cannot tell" if the 95% interval of the area under the curve holds 0.5 or is below it. Where the
    sentences have signs, they are stacked with the model's score, or without it if the model cannot tell; then the
    interval is that of the stack.
    """
    made = SelfCalibration(
        fingerprint=fingerprint,
        model=model,
        source=source,
        outcome="too_few",
        wanted=wanted,
        failed=failed,
        false_alarms=false_alarms,
    )
    if any(item.signs for item in sentences):
        return _stacked(made, sentences, prompt, seed)
    scores, wrong = [item.score or 0.0 for item in sentences], [item.wrong for item in sentences]
    made = _about(made, sentences, scores, seed)
    if made.auc is None or len(sentences) < LEAST_QUESTIONS:
        return made
    fitted = fit_calibration(scores, wrong, model=model, prompt=prompt, false_alarms=false_alarms)
    if made.auc.low <= 0.5 or fitted.a <= 0:
        return made.model_copy(update={"outcome": "cannot_tell"})
    return _with_recall(made, fitted, sentences, list(map(fitted.apply, scores)), seed)


def _stacked(made: SelfCalibration, sentences: Sequence[ScoredSentence], prompt: str, seed: int) -> SelfCalibration:
    parts = areas_of_parts(sentences, seed)
    sees = SCORE in parts and parts[SCORE].low > 0.5 and parts[SCORE].n >= LEAST_QUESTIONS
    used = [item for item in sentences if item.score is not None or not sees]
    stack = None
    if len(used) >= LEAST_QUESTIONS and len({item.wrong for item in used}) == 2:
        stack = fit_stack(used, model=made.model, prompt=prompt, false_alarms=made.false_alarms, score=sees)
    if stack is None:
        return _about(made, used, [], seed).model_copy(update={"parts": parts})
    fitted, probabilities = stack
    made = _about(made, used, probabilities, seed).model_copy(update={"parts": parts})
    if made.auc is None or made.auc.low <= 0.5 or fitted.a < 0:
        return made.model_copy(update={"outcome": "cannot_tell"})
    return _with_recall(made, fitted, used, probabilities, seed)


def _about(
    made: SelfCalibration, sentences: Sequence[ScoredSentence], scores: Sequence[float], seed: int
) -> SelfCalibration:
    return made.model_copy(
        update={
            "asked": len(sentences),
            "conversations": len({item.conversation for item in sentences}),
            "auc": area_of(scores, sentences, seed) if scores else None,
        }
    )


def _with_recall(
    made: SelfCalibration,
    fitted: Calibration,
    sentences: Sequence[ScoredSentence],
    probabilities: Sequence[float],
    seed: int,
) -> SelfCalibration:
    flagged = [(item, value >= fitted.threshold) for item, value in zip(sentences, probabilities, strict=True)]
    kinds = sorted({item.kind for item in sentences if item.kind})
    return made.model_copy(
        update={
            "outcome": "fitted",
            "calibration": fitted,
            "false_alarm_rate": _share([pair for pair in flagged if not pair[0].kind], seed),
            "recall": _share([pair for pair in flagged if pair[0].kind], seed),
            "recall_by_kind": {
                kind: _share([pair for pair in flagged if pair[0].kind == kind], seed) for kind in kinds
            },
        }
    )


def is_hopeless(sentences: Sequence[ScoredSentence], wanted: int, seed: int) -> bool:
    """Say whether the model will hardly be able to tell, even after all `wanted` questions.

    That is so if the upper bound of the present 60% interval of the area under the curve is below what its 95% interval
    will need to leave 0.5 behind. The width of an interval shrinks with the square root of the number of questions.
    """
    scores = [item.score or 0.0 for item in sentences]
    area, likely = area_of(scores, sentences, seed), area_of(scores, sentences, seed, _LIKELY)
    if area is None or likely is None or len(sentences) < LEAST_QUESTIONS:
        return False
    needed = 0.5 + (area.high - area.low) / 2 * (len(sentences) / max(wanted, len(sentences))) ** 0.5
    return bool(likely.high < needed)


def _share(flagged: Sequence[tuple[ScoredSentence, bool]], seed: int) -> Interval | None:
    return Resampling(seed=seed).share([hit for _, hit in flagged], [item.conversation for item, _ in flagged])


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file: one that `arf compile` wrote, or the `calibration.json` of a run.

    Raises DataError when it is missing, or is not a calibration, or when the model could not tell.
    """
    text = _read(path)
    try:
        if '"fingerprint"' in text:
            made = SelfCalibration.model_validate_json(text)
            if made.calibration is None:
                raise DataError(f"{path}: no threshold was fitted ({made.outcome}): set analyze.calibration to auto")
            return made.calibration
        return Calibration.model_validate_json(text)
    except ValidationError as error:
        detail = " ".join(str(error).split())[:300]
        raise DataError(
            f"{path}: no calibration ({detail}): fit it again, or set analyze.calibration to null"
        ) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: set analyze.calibration to one that exists, or to null") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no calibration ({error}): fit it again, or set analyze.calibration to null") from None

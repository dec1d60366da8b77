"""The calibration that a run makes for itself on planted errors, as `calibration.json` holds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import Field, ValidationError

from arf_programs.metrics.bootstrap import Interval, Resampling, cluster_ratio
from arf_programs.metrics.calibration import Calibration, fit_calibration
from arf_programs.metrics.ranking import area_under_curve
from signatures.exceptions import DataError
from signatures.records import Record

LEAST_QUESTIONS: Final = 40
"""Scored sentences from which a calibration is fitted."""

_LIKELY: Final = 0.6  # confidence of the interval by which a hopeless model is given up early
_CONFIDENCE: Final = 0.95

Outcome = Literal["fitted", "cannot_tell", "too_few", "no_scores"]


class ScoredSentence(NamedTuple):
    """A sentence that was asked about: its conversation, raw score, and kind of planted error (empty: right)."""

    conversation: str
    score: float
    kind: str


class SelfCalibration(Record):
    """What the analyst's own questions about planted errors have shown.

    `fingerprint` is of all that it depends on. `source` says where the right summaries come from. `asked` sentences of
    `conversations` conversations were asked about, of `wanted`; `failed` ones had no usable answer. `auc` is the area
    under the ROC curve of the raw score. `calibration` is there if `outcome` is "fitted". At its threshold, the share
    `false_alarm_rate` of the right sentences is flagged, and `recall` of the planted errors, also by kind. All
    intervals draw whole conversations.
    """

    fingerprint: str
    model: str
    source: str
    outcome: Outcome
    asked: int = 0
    wanted: int = 0
    failed: int = 0
    conversations: int = 0
    auc: Interval | None = None
    calibration: Calibration | None = None
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

    The model "cannot tell" if the 95% interval of the area under the curve holds 0.5 or is below it.
    """
    made = SelfCalibration(
        fingerprint=fingerprint,
        model=model,
        source=source,
        outcome="too_few",
        asked=len(sentences),
        wanted=wanted,
        failed=failed,
        conversations=len({item.conversation for item in sentences}),
        auc=_area(sentences, seed),
        false_alarms=false_alarms,
    )
    if made.auc is None or len(sentences) < LEAST_QUESTIONS:
        return made
    scores, wrong = [item.score for item in sentences], [bool(item.kind) for item in sentences]
    fitted = fit_calibration(scores, wrong, model=model, prompt=prompt, false_alarms=false_alarms)
    if made.auc.low <= 0.5 or fitted.a <= 0:
        return made.model_copy(update={"outcome": "cannot_tell"})
    flagged = [(item, fitted.apply(item.score) >= fitted.threshold) for item in sentences]
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
    area, likely = _area(sentences, seed), _area(sentences, seed, _LIKELY)
    if area is None or likely is None or len(sentences) < LEAST_QUESTIONS:
        return False
    needed = 0.5 + (area.high - area.low) / 2 * (len(sentences) / max(wanted, len(sentences))) ** 0.5
    return bool(likely.high < needed)


def _area(sentences: Sequence[ScoredSentence], seed: int, confidence: float = _CONFIDENCE) -> Interval | None:
    return area_under_curve(
        [item.score for item in sentences],
        [bool(item.kind) for item in sentences],
        [item.conversation for item in sentences],
        Resampling(confidence=confidence, seed=seed),
    )


def _share(flagged: Sequence[tuple[ScoredSentence, bool]], seed: int) -> Interval | None:
    hits = [float(hit) for _, hit in flagged]
    return cluster_ratio(hits, [1.0] * len(hits), [item.conversation for item, _ in flagged], Resampling(seed=seed))


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

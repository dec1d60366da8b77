"""The calibration that a run makes for itself on planted errors, as `calibration.json` holds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from arf_programs.metrics.bootstrap import Interval, Resampling, cluster_ratio
from arf_programs.metrics.detectors.calibration import Calibration, fit_calibration
from arf_programs.metrics.detectors.stacking import (
    SCORE,
    ScoredSentence,
    StackedCalibration,
    area_of,
    areas_of_parts,
    fit_stack,
)
from signatures.exceptions import DataError
from signatures.records import Record

LEAST_QUESTIONS: Final = 40
"""Scored sentences from which a calibration is fitted."""

_LIKELY: Final = 0.6  # confidence of the interval by which a hopeless model is given up early

Outcome = Literal["fitted", "cannot_tell", "too_few", "no_scores"]


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

"""Errors against calls to the teacher, where the teacher answers in the place of a doubtful answer of the student.

Sources: El-Yaniv and Wiener (2010), "On the Foundations of Noise-free Selective Classification" (risk against
coverage); Angelopoulos, Bates, Fisch, Lei and Schuster (2024), "Conformal Risk Control" (the bound by which a threshold
is chosen).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from signatures.records import Record

DOUBTFUL: Final = 1.0
"""An answer of this doubt or more is doubtful, unless another threshold is chosen. It says that a check found an error.
"""

_POINTS: Final = 21  # of a curve, so that it can be drawn and read


@dataclass(frozen=True)
class FallbackRow:
    """One holdout conversation: the doubt about the student's answer, and whether each answer has an error."""

    doubt: float
    student_errs: bool
    teacher_errs: bool


class FallbackPoint(Record):
    """The share of calls to the teacher, and the share of answers with an error, at one threshold.

    Answers of this doubt or more are sent to the teacher. Without a threshold the teacher is never asked.
    """

    threshold: float | None
    share: Interval
    errors: Interval


class FallbackCurve(Record):
    """The curve of one student, from no calls to the teacher to all.

    `usd` is what a call to the teacher has cost in this run, None if it had no price. With `circular` errors and doubts
    come from the checks alone.
    """

    student: str
    points: tuple[FallbackPoint, ...]
    usd: float | None = None
    circular: bool = False


def doubt_of(check_errors: int, checker_score: float | None = None) -> float:
    """The doubt about an answer: the errors that the checks find, plus the checker's highest score of a sentence.

    The score is the probability, 0 to 1, that the conversation does not support the sentence. So one error of the
    checks counts more than any score.
    """
    return check_errors + (checker_score or 0.0)


def fallback_curve(
    student: str,
    rows: Mapping[str, FallbackRow],
    resampling: Resampling = DEFAULT,
    *,
    usd: float | None = None,
    circular: bool = False,
) -> FallbackCurve | None:
    """Compute the curve over holdout conversations, with bootstrap intervals; None without rows.

    It has a point for each doubt that occurs, at most 21 of them, evenly spread.
    """
    if not rows:
        return None
    points = [point_at(rows, threshold, resampling) for threshold in _thinned(_thresholds(rows))]
    return FallbackCurve(student=student, points=tuple(points), usd=usd, circular=circular)


def point_at(rows: Mapping[str, FallbackRow], threshold: float | None, resampling: Resampling) -> FallbackPoint:
    """The point of one threshold. Raises ValueError without rows."""
    sent = {name: float(_is_sent(row, threshold)) for name, row in rows.items()}
    wrong = {name: float(row.teacher_errs if sent[name] else row.student_errs) for name, row in rows.items()}
    share, errors = resampling.mean(sent), resampling.mean(wrong)
    if share is None or errors is None:
        raise ValueError("a point needs at least one conversation")
    return FallbackPoint(threshold=threshold, share=share, errors=errors)


def threshold_for_errors(rows: Mapping[str, FallbackRow], rate: float) -> tuple[bool, float | None]:
    """Return (found, threshold): the threshold with the fewest calls that keeps the share with an error at `rate`.

    The bound of conformal risk control is `(errors + 1) / (n + 1) <= rate`. On new conversations the expected share is
    then at most `rate`, as long as a call to the teacher seldom makes an answer worse. `found` is False if no threshold
    is enough.
    """
    for threshold in _thresholds(rows):
        errors = sum(row.teacher_errs if _is_sent(row, threshold) else row.student_errs for row in rows.values())
        if (errors + 1) / (len(rows) + 1) <= rate:
            return True, threshold
    return False, None


def threshold_for_share(rows: Mapping[str, FallbackRow], share: float) -> float | None:
    """The lowest threshold that sends at most this share of the answers to the teacher; None if it can send none."""
    within = [
        threshold
        for threshold in _thresholds(rows)
        if sum(_is_sent(row, threshold) for row in rows.values()) <= share * len(rows) + 1e-9
    ]
    return within[-1]


def _thresholds(rows: Mapping[str, FallbackRow]) -> list[float | None]:
    """None, then each doubt that occurs, the highest first: each one sends more than the one before."""
    return [None, *sorted({row.doubt for row in rows.values()}, reverse=True)]


def _thinned(thresholds: list[float | None]) -> list[float | None]:
    if len(thresholds) <= _POINTS:
        return thresholds
    step = (len(thresholds) - 1) / (_POINTS - 1)
    return [thresholds[round(number * step)] for number in range(_POINTS)]


def _is_sent(row: FallbackRow, threshold: float | None) -> bool:
    return threshold is not None and row.doubt >= threshold

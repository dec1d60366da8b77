"""The metrics of a summary: the name and direction of each, and how it is read from a Score."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from arf_programs.corpus import NOT_OF_FACT
from signatures.records import Score

Better = Literal["lower", "higher", "neither"]
Unit = Literal["share", "count", "rating", "score", "words"]

SYSTEMS: tuple[str, ...] = (
    "base",
    "teacher",
    "reviser",
    "student_teacher",
    "student_rewrite",
    "student_taxonomy",
    "student_arf",
    "student_arf_dpo",
    "student_arf_apo",
)


@dataclass(frozen=True)
class Metric:
    """One metric: `read` gives its value for one summary, None if it was not measured.

    A metric with `compared=False` is a variant of a compared metric, and only the tables of systems show it. A metric
    that is `part_of` another is not compared if both are equal on every summary.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    read: Callable[[Score], float | None]
    compared: bool = True
    part_of: str | None = None


def _check_errors(score: Score) -> int:
    return sum(note.source == "check" for note in score.errors)


def _flagged(score: Score) -> float | None:
    return None if score.checker_flagged is None else float(score.checker_flagged)


def _rated(aspect: Literal["rating", "faithful", "complete", "concise"]) -> Callable[[Score], float | None]:
    def read(score: Score) -> float | None:
        value: int | None = getattr(score.rating, aspect, None)
        return value

    return read


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("error_rate", "Summaries with an error", "share", "lower", lambda s: float(bool(s.errors))),
        Metric("errors_per_summary", "Errors per summary", "count", "lower", lambda s: len(s.errors)),
        Metric(
            "check_error_rate",
            "With an error, checks alone",
            "share",
            "lower",
            lambda s: float(_check_errors(s) > 0),
            part_of="error_rate",
        ),
        Metric(
            "check_errors_per_summary",
            "Errors per summary, checks alone",
            "count",
            "lower",
            _check_errors,
            part_of="errors_per_summary",
        ),
        Metric(
            "fact_error_rate",
            "With an error of fact",
            "share",
            "lower",
            lambda s: float(any(note.category not in NOT_OF_FACT for note in s.errors)),
            part_of="error_rate",
        ),
        Metric("checker_error_rate", "With a sentence that the checker flags", "share", "lower", _flagged),
        Metric("rating", "Judge's rating, 1 to 5", "rating", "higher", _rated("rating")),
        Metric("faithful", "Rated faithful, 1 to 5", "rating", "higher", _rated("faithful")),
        Metric("complete", "Rated complete, 1 to 5", "rating", "higher", _rated("complete")),
        Metric("concise", "Rated concise, 1 to 5", "rating", "higher", _rated("concise")),
        Metric("rouge1", "ROUGE-1", "score", "higher", lambda s: s.rouge1),
        Metric("rouge2", "ROUGE-2", "score", "higher", lambda s: s.rouge2),
        Metric("rougeL", "ROUGE-L", "score", "higher", lambda s: s.rougeL),
        Metric("rouge1_mean", "ROUGE-1, mean of references", "score", "higher", lambda s: s.rouge1_mean, False),
        Metric("rouge2_mean", "ROUGE-2, mean of references", "score", "higher", lambda s: s.rouge2_mean, False),
        Metric("rougeL_mean", "ROUGE-L, mean of references", "score", "higher", lambda s: s.rougeL_mean, False),
        Metric("similarity", "Embedding similarity", "score", "higher", lambda s: s.similarity),
        Metric("words", "Words", "words", "neither", lambda s: s.words),
    )
}


def in_order(systems: Iterable[str]) -> list[str]:
    """Each system once: those of SYSTEMS in its order, then the others by name."""
    names = set(systems)
    return [name for name in SYSTEMS if name in names] + sorted(names.difference(SYSTEMS))

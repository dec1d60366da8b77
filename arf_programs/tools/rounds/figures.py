"""Compares the students before and after a round on the dev side, conversation by conversation. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arf_programs.metrics import Interval, Resampling, sign_flip_test
from arf_programs.tools.rounds.records import Watched
from signatures.exceptions import DataError


class Compared(NamedTuple):
    """The figures of both students, and the differences: after less before."""

    conversations: int
    errors_before: Interval
    errors_after: Interval
    more_errors: Interval
    flawed_before: Interval
    flawed_after: Interval
    points: Interval
    p: float
    kept: bool


def compare_students(before: Sequence[Watched], after: Sequence[Watched], resampling: Resampling) -> Compared:
    """Compare errors per summary, and shares of summaries with an error, over the conversations that both have.

    The new student is kept if it makes no more errors than the old one. A significance test cannot decide that: with a
    few dozen conversations it would let nearly every worse student pass. Raises DataError if there is no conversation.
    """
    old, new = ({row.conversation_id: len(row.errors) for row in rows} for rows in (before, after))
    names = [name for name in old if name in new]
    more = {name: float(new[name] - old[name]) for name in names}
    if not names:
        raise DataError("no conversation of the dev side has a summary by both students: see failures.jsonl")
    clusters: dict[str, float] = {}
    for name, cluster in zip(names, resampling.names(names) or names, strict=True):
        clusters[cluster] = clusters.get(cluster, 0.0) + more[name]
    return Compared(
        conversations=len(names),
        errors_before=_mean(resampling, {name: float(old[name]) for name in names}),
        errors_after=_mean(resampling, {name: float(new[name]) for name in names}),
        more_errors=_mean(resampling, more),
        flawed_before=_mean(resampling, {name: float(bool(old[name])) for name in names}),
        flawed_after=_mean(resampling, {name: float(bool(new[name])) for name in names}),
        points=_mean(resampling, {name: 100.0 * (bool(new[name]) - bool(old[name])) for name in names}),
        p=sign_flip_test(list(clusters.values()), seed=resampling.seed),
        kept=sum(more.values()) <= 0,
    )


def _mean(resampling: Resampling, values: Mapping[str, float]) -> Interval:
    found = resampling.mean(values)
    return found or Interval(value=0.0, low=0.0, high=0.0)

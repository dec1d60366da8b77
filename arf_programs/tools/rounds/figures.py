"""The figures of a round: the students before and after it on the dev side, conversation by conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from arf_programs.metrics import Interval, Resampling, configured_resampling, sign_flip_test
from arf_programs.runs import Run, read_jsonl
from arf_programs.tools.rounds.patterns import count_by_pattern, errors_by_name, find_embedding, text_of
from arf_programs.tools.rounds.records import (
    PatternFigures,
    Round,
    RoundFigures,
    StudentChange,
    Watched,
    read_patterns,
)
from arf_programs.tools.rounds.watch import read_watched
from signatures.exceptions import DataError
from signatures.records import TrainingExample


def round_figures(run: Run, this: Round) -> RoundFigures:
    """Read what a round has written, and return its figures."""
    rows = read_watched(this.before), read_watched(this.after)
    old, new = (errors_by_name(side) for side in rows)
    patterns = read_patterns(this.patterns)
    embed = find_embedding(run, [text_of(note) for note in old.values()])
    before, after = (count_by_pattern(patterns, old, errors, embed) for errors in (old, new))
    made = Counter(str(row.provenance["pattern"]) for row in read_jsonl(this.augmented, TrainingExample))
    resampling = configured_resampling(run.config, run.conversations("dev"))
    return RoundFigures(
        round=this.number,
        untargeted=this.untargeted,
        student_before=place_in(this.start, run),
        student_after=place_in(this.student, run),
        pairs=sum(made.values()),
        patterns=tuple(
            PatternFigures(
                id=item.id, name=item.name, before=before[item.id], after=after[item.id], pairs=made[item.id]
            )
            for item in patterns
        ),
        **dict(compare_students(*rows, resampling)),
    )


def place_in(path: Path, run: Run) -> str:
    """Return a path as it is within the folder of the run."""
    return str(path.relative_to(run.folder.path))


def compare_students(before: Sequence[Watched], after: Sequence[Watched], resampling: Resampling) -> StudentChange:
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
    return StudentChange(
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

"""Errors of a student on the dev side of the split, and the figures of a round: its students before and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from arf_programs.metrics import Interval, Resampling, configured_resampling, sign_flip_test
from arf_programs.models import weights_digest
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, digest, digest_file, digest_model, read_jsonl, write_jsonl_atomic
from arf_programs.stages import analyst_fingerprint, build_analyzer, load_checkers, own_model, prepare_answers
from arf_programs.tools.rounds.patterns import count_by_pattern, errors_by_name, find_embedding, text_of
from arf_programs.tools.rounds.records import (
    PatternFigures,
    Round,
    RoundFigures,
    StudentChange,
    Watched,
    read_patterns,
)
from signatures.exceptions import DataError
from signatures.records import Conversation, Failure, TrainingExample


def watch(run: Run, student: Path, stage: str, path: Path) -> list[Failure]:
    """Write the student's summary of each dev conversation, with its errors, to `path`; return those that failed.

    The analyst looks for errors if `evaluate.analyst` says so, as on the holdout, and the checks always do.
    """
    model = own_model(run, str(student))
    answer = prepare_answers(run, system=stage, model=model)
    analyzer = build_analyzer(run, model=run.config.evaluate.analyst)
    load_checkers(analyzer)

    async def look(conversation: Conversation) -> Watched:
        text = (await answer(conversation)).text
        found = await analyzer.acall(conversation=conversation, summary=text)
        return Watched(conversation_id=conversation.id, summary=text, errors=found.errors)

    rows = list(run.conversations("dev").values())
    outcome = ask_rows(run, stage, rows, look, key=lambda row: RowKey(row.id), concurrency=model.concurrency)
    write_jsonl_atomic(path, outcome.results.values())
    return outcome.failures


def read_watched(path: Path) -> list[Watched]:
    """Read what `watch` wrote."""
    return list(read_jsonl(path, Watched))


def watching_depends(run: Run, student: Path) -> dict[str, str]:
    """Return the hashes of all that the summaries and their errors depend on."""
    model = own_model(run, str(student))
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "student": weights_digest(model.model) if student.exists() else "missing",
        "answers": digest_model(own_model(run, "student")),  # not by its path: a run may be copied
        "summarize.instruction": digest(run.config.summarize.instruction),
        "evaluate.analyst": digest(run.config.evaluate.analyst),
        **analyst_fingerprint(run),
    }


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
        student_before=run.folder.name_of(this.start),
        student_after=run.folder.name_of(this.student),
        pairs=sum(made.values()),
        patterns=tuple(
            PatternFigures(
                id=item.id, name=item.name, before=before[item.id], after=after[item.id], pairs=made[item.id]
            )
            for item in patterns
        ),
        **dict(compare_students(*rows, resampling)),
    )


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

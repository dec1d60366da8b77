"""Gathers what a report shows from the files of a run: the figures of all stages, and a sample of the revisions.

One of the figures is that of a student that asks its teacher when in doubt: the rows of the holdout, and its curve.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from arf_programs import __version__
from arf_programs.checks import run_checks
from arf_programs.config import Config
from arf_programs.corpus import read_taxonomy
from arf_programs.metrics import (
    STUDENT,
    TEACHER,
    CheckerProbe,
    FallbackCurve,
    FallbackRow,
    WinRate,
    by_channel,
    by_stratum,
    by_system,
    causal_table,
    compare_systems,
    configured_resampling,
    doubt_of,
    errors_by_category,
    fallback_curve,
    length_bands,
    system_metrics,
    win_rates,
)
from arf_programs.report.calibration import checked_figures, checked_lines
from arf_programs.report.data import (
    AnalyzeFigures,
    ArmFigures,
    CorpusFigures,
    CostFigures,
    EvaluateFigures,
    HoldoutCase,
    ReportData,
    ReviseFigures,
    RevisionCase,
    RunSummary,
    SpendFigures,
)
from arf_programs.report.probe import Probe, Table, tables
from arf_programs.review import gather_review, read_reviews
from arf_programs.runs import Call, Manifest, Run, RunFolder, Spent, iter_ledger, read_jsonl, read_lines, read_record
from signatures.exceptions import DataError
from signatures.records import Conversation, DraftErrors, ErrorNote, PairVerdict, Revision, Score, Summary, Verdict

_STAGES = ("corpus", "draft", "taxonomy", "analyze", "revise", "train", "evaluate")
_SAMPLE = 60  # cases of each browser
_SHARES = {Verdict.VERIFIED: 0.6, Verdict.REJECTED: 0.25, Verdict.UNCHANGED: 0.15}


@dataclass(frozen=True)
class Sources:
    """Facts about a run that come from the stages and not from its files.

    Attributes:
        training: what each arm's training wrote when it finished.
        pairs: the systems that the judge was to compare.
        further: the files of revisions by other strategies and of samples.
        notes: what a reader should know.
        checker: how often the checker is wrong.
    """

    training: Mapping[str, Mapping[str, Any]]
    pairs: Sequence[tuple[str, str]]
    further: Sequence[Path]
    notes: Sequence[str]
    checker: CheckerProbe | None = None


def gather_summary(run: Run, sources: Sources) -> RunSummary:
    """Gather all figures of the run from its files. Raises DataError if one of them cannot be read."""
    revisions = (row for path in (run.folder.revisions, *sources.further) for row in read_jsonl(path, Revision))
    evaluate = _evaluate_figures(run, sources)
    return RunSummary(
        name=run.config.name,
        arf_version=__version__,
        finished=True,
        notes=(*sources.notes, *checked_lines(evaluate.checked)),
        corpus=_corpus_figures(run),
        analyze=_analyze_figures(run.folder),
        revise=_revise_figures(run.folder, run.config),
        train={arm: ArmFigures(**log) for arm, log in sources.training.items()},
        evaluate=evaluate,
        review=gather_review(
            run.folder, read_reviews(run.folder), seed=run.config.seed, confidence=run.config.evaluate.confidence
        ),
        spend=_spend_figures(run.folder),
        costs=revision_costs(iter_ledger(run.folder.ledger), revisions, main=run.config.revise.strategy),
    )


def gather_report(run: Run, summary: RunSummary, sources: Sources) -> ReportData:
    """Gather what the page shows: the figures of `summary`, and records of the run."""
    folder = run.folder
    return ReportData(
        name=run.config.name,
        summary=summary,
        confidence=run.config.evaluate.confidence,
        errors_by_category=errors_by_category(list(read_jsonl(folder.scores, Score))),
        losses={
            arm: tuple((item["step"], item["loss"]) for item in log["losses"]) for arm, log in sources.training.items()
        },
        revisions=sample_revisions(read_jsonl(folder.revisions, Revision), run.conversations("train")),
        revisions_total=sum(1 for _ in read_lines(folder.revisions)),
        holdout=holdout_cases(run),
        holdout_total=len(run.conversations("holdout")),
        failures=tuple(folder.read_failures()),
        taxonomy=read_taxonomy(folder.taxonomy),
        config_yaml=folder.config.read_text(encoding="utf-8"),
        prompts={"Summarize": run.config.summarize.instruction},
        probe=_probe_tables(folder),
        review_command=shlex.join(["arf", "review", str(run.config.run_dir)]),
    )


def _corpus_figures(run: Run) -> CorpusFigures:
    failures = run.folder.read_failures()
    skipped = {failure.conversation_id for failure in failures if failure.stage == "corpus"}
    undrafted = {failure.conversation_id for failure in failures if failure.stage == "draft"}
    return CorpusFigures(
        conversations=len(run.conversations()) + len(skipped),
        train=len(run.conversations("train")),
        holdout=len(run.conversations("holdout")),
        dev=len(run.conversations("dev")),
        failed=len(skipped | undrafted),
    )


def _analyze_figures(folder: RunFolder) -> AnalyzeFigures:
    categories, drafts, with_errors = Counter[str](), 0, 0
    for row in read_jsonl(folder.errors, DraftErrors):
        categories.update(note.category for note in row.errors)
        drafts, with_errors = drafts + 1, with_errors + bool(row.errors)
    return AnalyzeFigures(
        drafts=drafts,
        with_errors=with_errors,
        errors=categories.total(),
        by_category=dict(categories.most_common()),
    )


def _revise_figures(folder: RunFolder, config: Config) -> ReviseFigures:
    verdicts = Counter(row.verdict.value for row in read_jsonl(folder.revisions, Revision))
    # A failure with a system belongs to a further strategy or sample: it takes nothing from the main revisions.
    failures = (failure for failure in folder.read_failures() if not failure.system)
    failed = sum(failure.stage in ("analyze", "revise") for failure in failures)
    return ReviseFigures(**verdicts, failed=failed, checks_alone=not config.models_verify)


def _evaluate_figures(run: Run, sources: Sources) -> EvaluateFigures:
    scores = list(read_jsonl(run.folder.scores, Score))
    resampling = configured_resampling(run.config, run.conversations())
    bands = length_bands(run.conversations("holdout"))
    systems = system_metrics(scores, resampling)
    return EvaluateFigures(
        checks_alone=not (run.config.evaluate.analyst or run.config.evaluate.judge),
        systems=systems,
        checked=checked_figures(sources.checker, systems, confidence=run.config.evaluate.confidence),
        comparisons=tuple(compare_systems(scores, resampling=resampling)),
        causal=tuple(causal_table(read_jsonl(run.folder.revisions, Revision), scores, resampling)),
        win_rates=tuple(_win_rates(run, sources.pairs)),
        by_channel=by_channel(scores),
        by_length=by_stratum([score for score in scores if score.conversation_id in bands], bands),
        fallback=tuple(fallback_curves(run)),
    )


def _win_rates(run: Run, pairs: Sequence[tuple[str, str]]) -> list[WinRate]:
    """The win rates by the judge; empty if it was not asked to choose."""
    config = run.config.evaluate
    if not (config.judge and config.pairwise and run.folder.comparisons.exists()):
        return []
    return win_rates(
        list(read_jsonl(run.folder.comparisons, PairVerdict)),
        pairs,
        conversations=len(run.conversations("holdout")),
        resampling=configured_resampling(run.config),
    )


def _spend_figures(folder: RunFolder) -> SpendFigures:
    spent = Spent.on(iter_ledger(folder.ledger))
    manifests = {stage: read_record(folder.manifest(stage), Manifest) for stage in _STAGES}
    seconds = {stage: round(manifest.seconds, 1) for stage, manifest in manifests.items() if manifest is not None}
    return SpendFigures(**{**asdict(spent), "usd": round(spent.usd, 6)}, seconds=seconds)


def revision_costs(calls: Iterable[Call], revisions: Iterable[Revision], main: str) -> dict[str, CostFigures]:
    """{strategy: its cost}, from all calls that were paid for; empty if nothing was revised.

    A revision's call counts for its strategy, or for `main` if it names none. Each strategy also has the cost of the
    whole analysis, since it needs the errors that the analysis finds. Both iterables are read once.
    """
    made, verified = Counter[str](), Counter[str]()
    for revision in revisions:
        made[revision.strategy] += 1
        verified[revision.strategy] += revision.verdict is Verdict.VERIFIED
    analysis, spent = Spent(), defaultdict[str, Spent](Spent)
    for call in calls:
        if call.paid and call.stage == "analyze":
            analysis.add(call)
        elif call.paid and call.stage == "revise":
            spent[call.strategy or main].add(call)
    return {name: _cost_figures(made[name], verified[name], analysis, spent[name]) for name in sorted(made)}


def _cost_figures(made: int, verified: int, analysis: Spent, revision: Spent) -> CostFigures:
    """The cost of analysis and revision together and, if there is a verified revision, the cost of each."""
    calls, tokens = analysis.calls + revision.calls, analysis.tokens + revision.tokens
    usd = round(analysis.usd + revision.usd, 6)
    return CostFigures(
        revisions=made,
        verified=verified,
        calls=calls,
        prompt_tokens=analysis.prompt_tokens + revision.prompt_tokens,
        completion_tokens=analysis.completion_tokens + revision.completion_tokens,
        usd=usd,
        calls_per_verified=round(calls / verified, 3) if verified else None,
        tokens_per_verified=round(tokens / verified, 1) if verified else None,
        usd_per_verified=round(usd / verified, 6) if verified else None,
    )


def sample_revisions(
    revisions: Iterable[Revision], conversations: Mapping[str, Conversation], *, limit: int = _SAMPLE
) -> tuple[RevisionCase, ...]:
    """Choose at most `limit` revisions for the browser: first the verified, then the rejected, then the unchanged.

    Each verdict has a share of the places (60, 25 and 15 %), so that many verified ones do not hide the rejected. The
    places that one verdict leaves free go to the others in that order. A revision without its conversation is skipped.
    """
    groups: dict[Verdict, list[RevisionCase]] = {verdict: [] for verdict in _SHARES}
    for revision in revisions:
        group = groups[revision.verdict]
        if len(group) < limit and (conversation := conversations.get(revision.conversation_id)) is not None:
            group.append(RevisionCase(conversation=conversation, revision=revision))
    places = {verdict: min(len(groups[verdict]), int(limit * share)) for verdict, share in _SHARES.items()}
    for verdict, group in groups.items():
        places[verdict] += min(len(group) - places[verdict], limit - sum(places.values()))
    return tuple(case for verdict, group in groups.items() for case in group[: places[verdict]])


def _probe_tables(folder: RunFolder) -> tuple[Table, ...]:
    """The tables of the last probe; none before the first. Raises DataError if its file is not valid."""
    if not folder.probe.exists():
        return ()
    try:
        return tables(Probe.model_validate_json(folder.probe.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise DataError(f"{folder.probe}: not what `arf probe` writes: run it again, or remove the file") from error


def holdout_cases(run: Run) -> tuple[HoldoutCase, ...]:
    """Read the holdout conversations with their summaries; at most 60, those first on which the systems differ most."""
    conversations = run.conversations("holdout")
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for path in (run.folder.drafts, run.folder.predictions):
        for row in read_jsonl(path, Summary) if path.exists() else ():
            if row.conversation_id in conversations:
                texts[row.conversation_id][row.system] = row.text
    errors: dict[str, dict[str, tuple[ErrorNote, ...]]] = defaultdict(dict)
    ratings: dict[str, dict[str, int]] = defaultdict(dict)
    for score in read_jsonl(run.folder.scores, Score) if run.folder.scores.exists() else ():
        errors[score.conversation_id][score.system] = score.errors
        if score.rating is not None:
            ratings[score.conversation_id][score.system] = score.rating.rating
    chosen = sorted(texts, key=lambda name: -_spread(errors[name]))[:_SAMPLE]
    return tuple(
        HoldoutCase(conversation=conversations[name], summaries=texts[name], errors=errors[name], ratings=ratings[name])
        for name in conversations
        if name in set(chosen)
    )


def _spread(errors: Mapping[str, tuple[ErrorNote, ...]]) -> int:
    """The difference between the errors of the student and of its teacher, either way."""
    return abs(len(errors.get(STUDENT, ())) - len(errors.get(TEACHER, ())))


def fallback_rows(run: Run, student: str) -> dict[str, FallbackRow]:
    """The holdout conversations that both student and teacher have a score for, with the doubt about the student.

    The doubt is computed as `arf serve --fallback` does it: the checks are run again, since an error of the analyst may
    have taken the place of theirs.
    """
    systems = by_system(list(read_jsonl(run.folder.scores, Score)))
    ours, theirs = systems.get(student, {}), systems.get(TEACHER, {})
    conversations = run.conversations("holdout")
    texts = {
        row.conversation_id: row.text for row in read_jsonl(run.folder.predictions, Summary) if row.system == student
    }
    return {
        name: FallbackRow(
            doubt=doubt_of(len(run_checks(conversations[name], texts[name])), score.checker_score),
            student_errs=bool(score.errors),
            teacher_errs=bool(theirs[name].errors),
        )
        for name, score in ours.items()
        if name in theirs and name in texts
    }


def fallback_curves(run: Run) -> list[FallbackCurve]:
    """The curve of each student; none for a run without a teacher's scores."""
    students = [name for name in by_system(list(read_jsonl(run.folder.scores, Score))) if name.startswith("student_")]
    resampling = configured_resampling(run.config, run.conversations("holdout"))
    usd = teacher_price(run)
    analyst = run.config.evaluate.analyst and run.config.analyze.analyst
    circular = not analyst and run.config.analyze.checker.model is None
    curves = (
        fallback_curve(name, fallback_rows(run, name), resampling, usd=usd, circular=circular) for name in students
    )
    return [curve for curve in curves if curve is not None]


def teacher_price(run: Run) -> float | None:
    """The mean US dollars of a call to the teacher in this run; None without a paid call with a price."""
    spent = [call.usd for call in iter_ledger(run.folder.ledger) if call.stage == "draft" and call.paid]
    return sum(spent) / len(spent) if any(spent) else None

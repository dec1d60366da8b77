"""Stage `report`: all figures for machines (summary.json), and for people (report.html)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from arf_programs import __version__
from arf_programs.corpus import read_taxonomy
from arf_programs.metrics import WinRate, configured_resampling, errors_by_category, win_rates
from arf_programs.models import judge_notes
from arf_programs.programs import program_notes
from arf_programs.report import (
    AnalyzeFigures,
    ArmFigures,
    CorpusFigures,
    EvaluateFigures,
    Probe,
    ReportData,
    ReviseFigures,
    RunSummary,
    SpendFigures,
    Table,
    evaluation_figures,
    render_report,
    revision_costs,
    sample_revisions,
    tables,
)
from arf_programs.runs import (
    Run,
    RunFolder,
    Spent,
    digest,
    digest_file,
    iter_ledger,
    read_jsonl,
    read_lines,
    read_manifest,
    write_text_atomic,
)
from arf_programs.stages import systems
from arf_programs.stages.revise import further_outputs
from arf_programs.stages.stage import Stage
from arf_programs.stages.train import training_log
from signatures.exceptions import DataError
from signatures.records import DraftErrors, PairVerdict, Revision, Score

_EARLIER = ("corpus", "draft", "taxonomy", "analyze", "revise", "train", "evaluate")


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.summary, run.folder.report)


def fingerprint(run: Run) -> dict[str, str]:
    folder, config = run.folder, run.config
    files = (
        folder.conversations,
        folder.taxonomy,
        folder.errors,
        folder.revisions,
        folder.student,
        folder.scores,
        folder.comparisons,
        folder.probe,
    )
    return {
        **{path.name: digest_file(path) for path in files},
        "name": digest(config.name),
        "evaluate": digest([config.evaluate.samples, config.evaluate.confidence, config.evaluate.cluster]),
        "seed": digest(config.seed),
        "arf_version": __version__,
        "notes": digest([*program_notes(run), *judge_notes(run.config)]),
    }


def work(run: Run) -> dict[str, int]:
    summary = summarize_run(run)
    write_text_atomic(run.folder.summary, summary.model_dump_json(indent=2) + "\n")
    write_text_atomic(run.folder.report, render_report(_report_data(run, summary)))
    return {"systems": len(summary.evaluate.systems), "comparisons": len(summary.evaluate.comparisons)}


def summarize_run(run: Run) -> RunSummary:
    """All figures of the run, from its files. Raises StageError or DataError when one of them is missing."""
    return RunSummary(
        name=run.config.name,
        arf_version=__version__,
        finished=True,
        notes=(*program_notes(run), *judge_notes(run.config)),
        corpus=_corpus(run),
        analyze=_analyze(run),
        revise=_revise(run),
        train={arm: ArmFigures(**training_log(run.folder, arm)) for arm in run.config.train.students()},
        evaluate=_evaluate(run),
        spend=_spend(run.folder),
        costs=revision_costs(iter_ledger(run.folder.ledger), _all_revisions(run), main=run.config.revise.strategy),
    )


def _all_revisions(run: Run) -> Iterator[Revision]:
    """Those of every strategy and sample."""
    for path in (run.folder.revisions, *further_outputs(run)):
        yield from read_jsonl(path, Revision)


def _corpus(run: Run) -> CorpusFigures:
    failures = run.folder.read_failures()
    skipped = {failure.conversation_id for failure in failures if failure.stage == "corpus"}
    undrafted = {failure.conversation_id for failure in failures if failure.stage == "draft"}
    train, holdout = run.conversations("train"), run.conversations("holdout")
    return CorpusFigures(
        conversations=len(train) + len(holdout) + len(skipped),
        train=len(train),
        holdout=len(holdout),
        failed=len(skipped | undrafted),
    )


def _analyze(run: Run) -> AnalyzeFigures:
    categories, drafts, with_errors = Counter[str](), 0, 0
    for row in read_jsonl(run.folder.errors, DraftErrors):
        categories.update(note.category for note in row.errors)
        drafts, with_errors = drafts + 1, with_errors + bool(row.errors)
    return AnalyzeFigures(
        drafts=drafts,
        with_errors=with_errors,
        errors=categories.total(),
        by_category=dict(categories.most_common()),
    )


def _revise(run: Run) -> ReviseFigures:
    verdicts = Counter(row.verdict.value for row in read_jsonl(run.folder.revisions, Revision))
    # A failure with a system is one of a further strategy or sample: it takes nothing from the main revisions.
    failures = (failure for failure in run.folder.read_failures() if not failure.system)
    failed = sum(failure.stage in ("analyze", "revise") for failure in failures)
    return ReviseFigures(**verdicts, failed=failed)


def _win_rates(run: Run) -> list[WinRate]:
    """What the judge prefers; nothing where it was not asked to choose."""
    config = run.config.evaluate
    if not (config.judge and config.pairwise and run.folder.comparisons.exists()):
        return []
    return win_rates(
        list(read_jsonl(run.folder.comparisons, PairVerdict)),
        systems.pairs_to_compare(run),
        conversations=len(run.conversations("holdout")),
        samples=config.samples,
        confidence=config.confidence,
        seed=run.config.seed,
    )


def _evaluate(run: Run) -> EvaluateFigures:
    return evaluation_figures(
        choices=_win_rates(run),
        scores=list(read_jsonl(run.folder.scores, Score)),
        revisions=read_jsonl(run.folder.revisions, Revision),
        holdout=run.conversations("holdout"),
        resampling=configured_resampling(run.config, run.conversations()),
    )


def _spend(folder: RunFolder) -> SpendFigures:
    spent = Spent.on(iter_ledger(folder.ledger))
    seconds: dict[str, float] = defaultdict(float)
    for stage in _EARLIER:
        manifest = read_manifest(folder.manifest(stage))
        if manifest is not None:
            seconds[stage] = round(manifest.seconds, 1)
    return SpendFigures(**{**asdict(spent), "usd": round(spent.usd, 6)}, seconds=dict(seconds))


def _report_data(run: Run, summary: RunSummary) -> ReportData:
    folder = run.folder
    scores = list(read_jsonl(folder.scores, Score))
    return ReportData(
        name=run.config.name,
        summary=summary,
        confidence=run.config.evaluate.confidence,
        errors_by_category=errors_by_category(scores),
        losses={
            arm: tuple((item["step"], item["loss"]) for item in training_log(folder, arm)["losses"])
            for arm in run.config.train.students()
        },
        revisions=sample_revisions(read_jsonl(folder.revisions, Revision), run.conversations("train")),
        revisions_total=sum(1 for _ in read_lines(folder.revisions)),
        failures=tuple(folder.read_failures()),
        taxonomy=read_taxonomy(folder.taxonomy),
        config_yaml=folder.config.read_text(encoding="utf-8"),
        prompts={"Summarize": run.config.summarize.instruction},
        probe=_probe(folder),
    )


def _probe(folder: RunFolder) -> tuple[Table, ...]:
    """The tables of the last probe; none before there is one. Raises DataError when its file was spoilt."""
    if not folder.probe.exists():
        return ()
    try:
        return tables(Probe.model_validate_json(folder.probe.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise DataError(f"{folder.probe}: not what `arf probe` writes: run it again, or remove the file") from error


STAGE = Stage("report", "write summary.json and report.html", outputs, fingerprint, work)

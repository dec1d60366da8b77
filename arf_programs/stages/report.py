"""Stage `report`: writes all figures for machines (summary.json) and the page for people (report.html)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arf_programs import __version__
from arf_programs.config import AUTO, DraftColumn, find_path
from arf_programs.metrics import CHECKER_PROBE, CheckerProbe
from arf_programs.models import judge_notes
from arf_programs.programs import program_notes
from arf_programs.report import Sources, gather_report, gather_summary, render_report, without_texts
from arf_programs.runs import Run, digest, digest_file, read_record, write_record, write_text_atomic
from arf_programs.stages.analyze import calibration_notes, checker_digest
from arf_programs.stages.evaluation import systems
from arf_programs.stages.stage import Stage, run_stage, state_of
from arf_programs.stages.train import training_log
from arf_programs.stages.variants import further_outputs


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
        "notes": digest(_notes(run)),
        **({"checker": digest(probe.model_dump(mode="json"))} if (probe := checker_probe(run)) else {}),
        **({"reviews": digest_file(folder.reviews)} if folder.reviews.exists() else {}),
    }


def work(run: Run) -> dict[str, int]:
    sources = _sources(run)
    summary = gather_summary(run, sources)
    write_record(run.folder.summary, summary)
    write_text_atomic(run.folder.report, render_report(gather_report(run, summary, sources)))
    return {"systems": len(summary.evaluate.systems), "comparisons": len(summary.evaluate.comparisons)}


@contextmanager
def keeping_report(run: Run) -> Iterator[None]:
    """Write the report again after the block if it was whole before. The report shows what the block measures."""
    was_whole = state_of(STAGE, run).state == "whole"
    yield
    if was_whole:
        run_stage(STAGE, run)


def share_report(run: Run) -> Path:
    """Write a page of the finished run without any text of a conversation or a summary, and return its path."""
    sources = _sources(run)
    data = gather_report(run, gather_summary(run, sources), sources)
    write_text_atomic(run.folder.shared_report, render_report(without_texts(data)))
    return run.folder.shared_report


def _sources(run: Run) -> Sources:
    """What the page says beside the files of the run. Raises StageError if a student is not trained."""
    return Sources(
        training={arm: training_log(run.folder, arm) for arm in run.config.train.students()},
        pairs=systems.pairs_to_compare(run),
        further=further_outputs(run),
        notes=_notes(run),
        checker=checker_probe(run),
    )


def checker_probe(run: Run) -> CheckerProbe | None:
    """Return what is known about the errors of the run's checker: its own probe, else that of its folder.

    A probe of other weights or of another threshold does not count.
    """
    name = run.config.analyze.checker.model
    if name is None:
        return None
    own = read_record(run.folder.checker_probe, CheckerProbe)
    if own is not None and own.digest == checker_digest(run):
        return own
    folder = find_path(name, run.base_dir)
    given = run.config.analyze.calibration not in (None, AUTO)
    return None if folder is None or given else read_record(folder / CHECKER_PROBE, CheckerProbe)


def _notes(run: Run) -> list[str]:
    return [*_drafts_note(run), *program_notes(run), *judge_notes(run.config), *calibration_notes(run)]


def _drafts_note(run: Run) -> list[str]:
    """Say who wrote the drafts, if they were not asked for in this run."""
    teacher = run.config.models.teacher
    if not isinstance(teacher, DraftColumn):
        return []
    whose = f", written by {teacher.name}" if teacher.name else ""
    rest = f"; {teacher.otherwise.model} drafted the rows without one" if teacher.otherwise else ""
    return [f"models.teacher: the drafts are those of the corpus, column {teacher.column!r}{whose}{rest}"]


STAGE = Stage("report", "write summary.json and report.html", outputs, fingerprint, work)

"""Measures analyst and editor on planted items, and the judge on labelled summaries that people have rated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from arf_programs.checks import run_checks
from arf_programs.corpus import LabeledExample, load_configured_taxonomy, load_labeled_of_corpus, write_taxonomy
from arf_programs.metrics import JudgeCalibration, RatedPair, calibrate_judge, configured_resampling
from arf_programs.models import check_providers
from arf_programs.planting import PlantedItem
from arf_programs.programs import find_value_errors, prompt_name
from arf_programs.report import Cost, Probe
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Call, Run, RunFile, RunFolder, iter_ledger, write_record
from arf_programs.stages import build_analyzer, build_judge, build_reviser, calibrate, keeping_report
from arf_programs.tools.probing.analysis import analysis_figures, clean_untouched, revision_figures
from arf_programs.tools.probing.plant import ensure_planted
from signatures.exceptions import DataError, StageError
from signatures.rate_summary import RUBRIC_VERSION
from signatures.records import ErrorNote, Rating, Summary

ANALYZE, REVISE, END_TO_END = "probe-analyze", "probe-revise", "probe-end-to-end"
CALIBRATE = "calibrate"
_PLANTED = "planted"
Notes = tuple[ErrorNote, ...]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _OwnTaxonomy(RunFolder):
    """The run's folder, but with a taxonomy that only the probe uses."""

    taxonomy = RunFile("probe/taxonomy.yaml")


def probe(run: Run, *, checks_only: bool = False) -> Probe:
    """Measure on `planted.jsonl`, write `probe.json` and return it.

    If `planted.jsonl` is missing or stale, it is made first. With `checks_only` no model is asked, and none has to be
    reachable. Answers are stored, so a second probe asks nothing again. Raises UserError for what the user can mend,
    and WorkError for what failed at work.
    """
    if not checks_only:
        check_providers((run.config.models.analyst, *((run.config.models.editor,) if run.config.asks_editor else ())))
    items = ensure_planted(run)
    result = _probe_checks(run, items) if checks_only else _probe_models(_with_taxonomy(run), items)
    with keeping_report(run):
        write_record(run.folder.probe, result)
    return result


def _probe_checks(run: Run, items: Sequence[PlantedItem]) -> Probe:
    errors = {item.id: _checked(run, item) for item in items}
    figures = analysis_figures(items, errors, configured_resampling(run.config), Cost(summaries=len(items)))
    return _frame(run, items, checks_only=True).model_copy(update={"analyze": figures})


def _checked(run: Run, item: PlantedItem) -> list[ErrorNote]:
    found = run_checks(item.talk(), item.summary)
    return found + (find_value_errors(item.talk(), item.summary, found) if run.config.analyze.values else [])


def _probe_models(run: Run, items: Sequence[PlantedItem]) -> Probe:
    resampling, models = configured_resampling(run.config), run.config.models
    calibrate(run)
    errors, cost = _analyse(run, items)
    planted = [item for item in items if item.errors]
    given, given_cost = _revise(run, REVISE, planted, {item.id: _unexplained(item.errors) for item in planted})
    whole, whole_cost = _revise(run, END_TO_END, [item for item in items if item.id in errors], errors)
    return _frame(run, items, checks_only=False).model_copy(
        update={
            "analyst": models.analyst.model,
            "editor": models.editor.model,
            "analyze": analysis_figures(items, errors, resampling, cost),
            "revise": revision_figures(items, given, resampling, given_cost),
            "end_to_end": revision_figures(items, whole, resampling, whole_cost),
            "clean_untouched_rate": clean_untouched(items, whole),
        }
    )


def _frame(run: Run, items: Sequence[PlantedItem], *, checks_only: bool) -> Probe:
    return Probe(
        name=run.config.name,
        checks_only=checks_only,
        items=len(items),
        clean=sum(not item.errors for item in items),
        confidence=run.config.evaluate.confidence,
        analyze=analysis_figures((), {}, configured_resampling(run.config), Cost()),
    )


def _analyse(run: Run, items: Sequence[PlantedItem]) -> tuple[dict[str, Notes], Cost]:
    """The errors that the analyst finds, by item id."""
    program = build_analyzer(run)

    async def analyse(item: PlantedItem) -> tuple[str, Notes]:
        answer = await program.acall(conversation=item.talk(), summary=item.summary)
        return item.id, answer.errors

    return _ask(run, ANALYZE, items, analyse, run.config.models.analyst.concurrency)


def _unexplained(errors: Notes) -> Notes:
    """Return the planted errors without their explanations, which give away what is right."""
    return tuple(note.model_copy(update={"explanation": ""}) for note in errors)


def _revise(
    run: Run, stage: str, items: Sequence[PlantedItem], errors: dict[str, Notes]
) -> tuple[dict[str, str], Cost]:
    """The revised texts, by item id, given the errors of each."""
    program = build_reviser(run)

    async def revise(item: PlantedItem) -> tuple[str, str]:
        draft = Summary(conversation_id=item.conversation_id, text=item.summary, system=_PLANTED, model=_PLANTED)
        answer = await program.acall(conversation=item.talk(), draft=draft, errors=errors[item.id])
        return item.id, answer.revision.after

    return _ask(run, stage, items, revise, run.config.models.editor.concurrency)


def _ask(
    run: Run,
    stage: str,
    items: Sequence[PlantedItem],
    work: Callable[[PlantedItem], Awaitable[tuple[str, Answer]]],
    concurrency: int,
) -> tuple[dict[str, Answer], Cost]:
    """The answers by item id, and what a summary costs. Failures become records."""
    earlier = len(_answered(run, stage))
    outcome = ask_rows(
        run, stage, items, work, key=lambda item: RowKey(item.conversation_id, item.id), concurrency=concurrency
    )
    run.folder.replace_failures(stage, outcome.failures)
    cost = Cost(
        summaries=len(items),
        failed=len(outcome.failures),
        **_spent(_answered(run, stage), earlier, len(items)),
    )
    return dict(outcome.results.values()), cost


def _answered(run: Run, stage: str) -> list[Call]:
    """The calls of a stage that were answered, by a model or from the store."""
    return [call for call in iter_ledger(run.folder.ledger) if call.stage == stage and not call.failed]


def _spent(calls: Sequence[Call], earlier: int, summaries: int) -> dict[str, float]:
    """Calls and tokens per summary, over the calls after the first `earlier` ones.

    A replayed call has no tokens in the ledger. It counts with the mean of the paid calls: of this probe if there are
    any, otherwise of all.
    """
    now = calls[earlier:]
    paid = [call for call in now if call.paid] or [call for call in calls if call.paid]
    each = sum(call.tokens for call in paid) / len(paid) if paid else 0.0
    share = len(now) / summaries if summaries else 0.0
    return {"calls_per_summary": share, "tokens_per_summary": share * each}


def _with_taxonomy(run: Run) -> Run:
    """Return the run with a taxonomy.

    If it has none, the configured one (or the seed) is written to a separate file.
    """
    if run.folder.taxonomy.exists():
        return run
    probing = replace(run, folder=_OwnTaxonomy(run.folder.path))
    write_taxonomy(probing.folder.taxonomy, load_configured_taxonomy(run))
    return probing


def check_judge(run: Run) -> JudgeCalibration:
    """Ask the judge about every labelled summary with a person's rating, and compare.

    Raises DataError if no summary has a person's rating, ConfigError if nobody serves the judge, StageError if the
    judge rated no summary.
    """
    rated = [example for example in load_labeled_of_corpus(run) if example.rating is not None]
    if not rated:
        raise DataError(
            "labeled.path: `arf calibrate` needs labelled summaries with a `rating` from 1 to 5: add it to the rows"
        )
    check_providers([run.config.models.judge])
    judge = build_judge(run)

    async def rate(example: LabeledExample) -> RatedPair:
        rating: Rating = (await judge.acall(conversation=example.conversation, summary=example.summary)).rating
        return RatedPair(
            conversation_id=example.conversation.id,
            words=len(example.summary.split()),
            judge=rating.rating,
            human=example.rating or 0,
            system=example.system,
        )

    outcome = ask_rows(
        run,
        CALIBRATE,
        rated,
        rate,
        key=lambda row: RowKey(row.conversation.id, f"{row.system} {rated.index(row)}".strip()),
        concurrency=run.config.models.judge.concurrency,
    )
    rows = list(outcome.results.values())
    run.folder.replace_failures(CALIBRATE, outcome.failures)
    if not rows:
        raise StageError(f"the judge rated none of {len(rated)} summaries: {outcome.failures[0].reason}")
    return calibrate_judge(
        rows,
        model=run.config.models.judge.model,
        prompt=prompt_name(RUBRIC_VERSION, judge.rate),
        failed=len(outcome.failures),
        resampling=configured_resampling(run.config),
    )

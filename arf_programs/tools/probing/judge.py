"""Measures the judge, which rates the labelled summaries that people have rated."""

from __future__ import annotations

from arf_programs.corpus import LabeledExample, load_labeled_of_corpus
from arf_programs.metrics import JudgeCalibration, RatedPair, calibrate_judge, configured_resampling
from arf_programs.models import check_providers
from arf_programs.programs import prompt_name
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run
from arf_programs.stages import build_judge
from signatures.exceptions import DataError, StageError
from signatures.rate_summary import RUBRIC_VERSION
from signatures.records import Rating

STAGE = "calibrate"


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
        STAGE,
        rated,
        rate,
        key=lambda row: RowKey(row.conversation.id, f"{row.system} {rated.index(row)}".strip()),
        concurrency=run.config.models.judge.concurrency,
    )
    rows = list(outcome.results.values())
    run.folder.replace_failures(STAGE, outcome.failures)
    if not rows:
        raise StageError(f"the judge rated none of {len(rated)} summaries: {outcome.failures[0].reason}")
    return calibrate_judge(
        rows,
        model=run.config.models.judge.model,
        prompt=prompt_name(RUBRIC_VERSION, judge.rate),
        failed=len(outcome.failures),
        resampling=configured_resampling(run.config),
    )

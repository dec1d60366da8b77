"""A program's scores on one side of the labelled set, and two programs compared case by case."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import dspy

from arf_programs.compiling.cases import Case
from arf_programs.compiling.targets import Target
from arf_programs.compiling.task import Outcome
from arf_programs.config import Config
from arf_programs.metrics import balanced_accuracy, mean_interval, paired_difference, rating_agreement
from arf_programs.models import BudgetSpent
from arf_programs.programs import SideScores
from arf_programs.runner import RowKey, run_rows
from arf_programs.runs import Progress
from signatures.exceptions import ModelError

FAILED = "failed"


@dataclass(frozen=True)
class Scored:
    """What a program scored, a case each in order: None where the budget was spent before it was scored."""

    outcomes: tuple[Outcome | None, ...]

    @property
    def failed(self) -> int:
        """Cases without a usable answer; they score 0."""
        return sum(outcome is not None and FAILED in outcome.measured for outcome in self.outcomes)


def score_cases(
    target: Target, program: dspy.Module, cases: Sequence[Case], *, label: str, concurrency: int, progress: Progress
) -> Scored:
    """Put every case to the program. Raises ModelError or StageError where nothing can be scored."""

    async def work(case: Case) -> Outcome | None:
        try:
            return await target.answer(program, case.labeled)
        except ModelError as error:
            return _failure(str(error))
        except BudgetSpent:
            return None

    numbers = {id(case): str(number) for number, case in enumerate(cases)}
    keys = [RowKey(case.labeled.conversation.id, numbers[id(case)]) for case in cases]
    outcome = asyncio.run(
        run_rows(
            cases,
            work,
            key=lambda case: RowKey(case.labeled.conversation.id, numbers[id(case)]),
            stage=label,
            concurrency=concurrency,
            progress=progress,
        )
    )
    lost = {f"{failure.system}/{failure.conversation_id}": failure.reason for failure in outcome.failures}
    return Scored(
        tuple(outcome.results[str(key)] if str(key) in outcome.results else _failure(lost[str(key)]) for key in keys)
    )


def compare(cases: Sequence[Case], before: Scored, after: Scored, config: Config) -> SideScores:
    """Both programs on one side. Intervals are over groups of near-duplicate conversations, each with its mean."""
    pairs = [
        (case, old, new)
        for case, old, new in zip(cases, before.outcomes, after.outcomes, strict=True)
        if old is not None and new is not None
    ]
    old_means = _group_means([(case, old.score) for case, old, _ in pairs])
    new_means = _group_means([(case, new.score) for case, _, new in pairs])
    settings = config.evaluate
    return SideScores(
        cases=len(cases),
        before=mean_interval(old_means, samples=settings.samples, confidence=settings.confidence, seed=config.seed),
        after=mean_interval(new_means, samples=settings.samples, confidence=settings.confidence, seed=config.seed),
        difference=paired_difference(
            new_means, old_means, samples=settings.samples, confidence=settings.confidence, seed=config.seed
        ),
        failed_before=before.failed,
        failed_after=after.failed,
        unscored=len(cases) - len(pairs),
        measures_before=_measures([old for _, old, _ in pairs]),
        measures_after=_measures([new for _, _, new in pairs]),
    )


def _group_means(scores: Sequence[tuple[Case, float]]) -> list[float]:
    groups: defaultdict[int, list[float]] = defaultdict(list)
    for case, score in scores:
        groups[case.group].append(score)
    return [fmean(values) for values in groups.values()]


def _measures(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Figures over a whole side, by what its outcomes measured."""
    rows = [outcome.measured for outcome in outcomes if FAILED not in outcome.measured]
    if not rows:
        return {}
    if "found" in rows[0]:
        found, labeled = [bool(row["found"]) for row in rows], [bool(row["labeled"]) for row in rows]
        return {"balanced accuracy": balanced_accuracy(found, labeled)}
    if "judge" in rows[0]:
        agreement = rating_agreement([row["judge"] for row in rows], [row["human"] for row in rows])
        return {"quadratic-weighted kappa": agreement.kappa, "Spearman": agreement.spearman}
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def _failure(reason: str) -> Outcome:
    return Outcome(0.0, reason, measured={FAILED: True})

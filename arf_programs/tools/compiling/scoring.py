"""A program's scores on one side of the labelled set, and two programs compared case by case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import dspy

from arf_programs.config import Config
from arf_programs.metrics import balanced_accuracy, configured_resampling, paired_difference, rating_agreement
from arf_programs.models import BudgetSpent
from arf_programs.programs import SideScores
from arf_programs.runner import RowKey, run_rows
from arf_programs.runs import Progress
from arf_programs.tools.compiling.cases import Case
from arf_programs.tools.compiling.targets import Target
from arf_programs.tools.compiling.task import Outcome
from signatures.exceptions import EndpointError, ModelError

FAILED = "failed"


@dataclass(frozen=True)
class Scored:
    """A program's outcome for each case, in order. None stands for a case that was not asked for lack of budget."""

    outcomes: tuple[Outcome | None, ...]

    @property
    def failed(self) -> int:
        """Cases without a usable answer, which score 0."""
        return sum(outcome is not None and FAILED in outcome.measured for outcome in self.outcomes)


async def score_cases(
    target: Target, program: dspy.Module, cases: Sequence[Case], *, label: str, concurrency: int, progress: Progress
) -> Scored:
    """Give every case to the program. Raises ModelError or StageError if nothing can be scored."""

    async def score(item: tuple[int, Case]) -> Outcome | None:
        try:
            return await target.answer(program, item[1].labeled)
        except EndpointError:
            raise
        except ModelError as error:
            return _failure(str(error))
        except BudgetSpent:
            return None

    def key(item: tuple[int, Case]) -> RowKey:
        return RowKey(item[1].labeled.conversation.id, str(item[0]))

    numbered = list(enumerate(cases))
    outcome = await run_rows(numbered, score, key=key, stage=label, concurrency=concurrency, progress=progress)
    lost = {str(RowKey(item.conversation_id, item.system)): _failure(item.reason) for item in outcome.failures}
    results = {**lost, **outcome.results}
    return Scored(tuple(results[str(key(item))] for item in numbered))


def compare(cases: Sequence[Case], before: Scored, after: Scored, config: Config) -> SideScores:
    """Compare two programs on one side. Intervals are over groups of near-duplicate conversations, each by its mean."""
    pairs = [
        (case, old, new)
        for case, old, new in zip(cases, before.outcomes, after.outcomes, strict=True)
        if old is not None and new is not None
    ]
    old_means = _group_means([(case, old.score) for case, old, _ in pairs])
    new_means = _group_means([(case, new.score) for case, _, new in pairs])
    settings = configured_resampling(config)
    return SideScores(
        cases=len(cases),
        before=settings.mean(old_means),
        after=settings.mean(new_means),
        difference=paired_difference(list(new_means.values()), list(old_means.values()), settings),
        failed_before=before.failed,
        failed_after=after.failed,
        unscored=len(cases) - len(pairs),
        measures_before=_measures([old for _, old, _ in pairs]),
        measures_after=_measures([new for _, _, new in pairs]),
    )


def _group_means(scores: Sequence[tuple[Case, float]]) -> dict[str, float]:
    groups: defaultdict[int, list[float]] = defaultdict(list)
    for case, score in scores:
        groups[case.group].append(score)
    return {str(group): fmean(values) for group, values in groups.items()}


def _measures(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Compute the figures of a whole side from what its outcomes measured."""
    rows = [outcome.measured for outcome in outcomes if FAILED not in outcome.measured]
    if not rows:
        return {}
    if "found" in rows[0]:
        predicted, labeled = [bool(row["found"]) for row in rows], [bool(row["labeled"]) for row in rows]
        return {"balanced accuracy": balanced_accuracy(predicted, labeled)}
    if "judge" in rows[0]:
        agreement = rating_agreement([row["judge"] for row in rows], [row["human"] for row in rows])
        return {"quadratic-weighted kappa": agreement.kappa, "Spearman": agreement.spearman}
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def _failure(reason: str) -> Outcome:
    return Outcome(0.0, reason, measured={FAILED: True})

"""Choose the doubt from which the teacher answers instead of the student. Measure the doubt, and ask the teacher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from arf_programs.checks import run_checks
from arf_programs.metrics import (
    DOUBTFUL,
    FallbackPoint,
    FallbackRow,
    configured_resampling,
    doubt_of,
    point_at,
    threshold_for_errors,
    threshold_for_share,
)
from arf_programs.models import within
from arf_programs.report import fallback_rows, teacher_price
from arf_programs.runner import asking, budget_of
from arf_programs.runs import Run, RunFolder
from arf_programs.stages import build_teacher, prepare_checker
from arf_programs.tools.serving.front import Fallback
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation


@dataclass(frozen=True)
class Limits:
    """What the threshold is chosen for; at most one of them may be given.

    `errors` is the share of answers with an error, `calls` the share of calls to the teacher, `usd` what these cost for
    1,000 answers. Without any, an answer is doubtful if a check finds an error in it.
    """

    errors: float | None = None
    calls: float | None = None
    usd: float | None = None


def choose_threshold(run: Run, student: str, limits: Limits) -> FallbackPoint:
    """Choose the threshold on the holdout, and return its point of the curve.

    Raises ConfigError for two limits, for one that the holdout cannot keep, and for a price that is not known,
    DataError for a run without scores of student and teacher.
    """
    if sum(limit is not None for limit in (limits.errors, limits.calls, limits.usd)) > 1:
        raise ConfigError("give one of --max-errors, --max-calls and --max-usd")
    rows = fallback_rows(run, student) if run.folder.scores.exists() else {}
    if not rows:
        raise DataError(f"{run.folder.path}: no holdout scores of {student} and its teacher: `arf evaluate` makes them")
    return point_at(rows, _threshold(run, rows, limits), configured_resampling(run.config, run.conversations()))


def _threshold(run: Run, rows: dict[str, FallbackRow], limits: Limits) -> float | None:
    if limits.usd is not None:
        price = teacher_price(run)
        if price is None:
            raise ConfigError("--max-usd: the teacher's calls of this run have no price: use --max-calls")
        return threshold_for_share(rows, limits.usd / (1000 * price))
    if limits.calls is not None:
        return threshold_for_share(rows, limits.calls)
    if limits.errors is None:
        return DOUBTFUL
    found, threshold = threshold_for_errors(rows, limits.errors)
    if not found:
        raise ConfigError(
            f"--max-errors {limits.errors:g}: the {len(rows)} holdout conversations show no threshold that keeps it. "
            "The report draws what each threshold gives; more conversations or a better teacher allow a lower rate."
        )
    return threshold


@contextmanager
def fallback_of(run: Run, threshold: float | None) -> Iterator[Fallback]:
    """Return what measures the doubt about an answer, and asks the teacher. Nothing asked here is kept after the block.

    The caps of `budget` hold for this block. Raises ConfigError if the teacher is only a column of the corpus.
    """
    with TemporaryDirectory(prefix="arf-serve-") as kept:
        scratch = replace(
            run, config=run.config.model_copy(update={"calls_dir": None}), folder=RunFolder(Path(kept)), kept={}
        )
        check = prepare_checker(run)
        teacher = build_teacher(run)

        async def doubt(conversation: Conversation, text: str) -> float:
            return doubt_of(len(run_checks(conversation, text)), (await check(conversation, text)).score)

        async def answer(conversation: Conversation) -> str:
            return str((await teacher.acall(conversation=conversation)).summary)

        with asking(scratch, budget_of(scratch)), within(stage="serve"):
            yield Fallback(doubt, answer, threshold)

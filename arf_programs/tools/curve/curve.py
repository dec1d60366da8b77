"""Measure the curve of a run: its points, the fit of each metric, and the cost of more conversations."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from arf_programs import pipeline
from arf_programs.metrics import METRICS, Interval, Resampling, configured_resampling
from arf_programs.models import check_providers, check_terms
from arf_programs.runs import Run, RunFolder, write_record
from arf_programs.stages import EVALUATE
from arf_programs.tools.curve.fit import FEWEST_SIZES, MORE, MetricCurve, Scores, as_scores, fit_metric, gain_over
from arf_programs.tools.curve.points import ARM, Point, most_revisions, points_of, score_point
from arf_programs.tools.estimating import Range, estimate_run, total
from signatures.exceptions import ConfigError, DataError
from signatures.records import Record, Score

_MADE_OF_MORE = ("draft", "analyze", "revise")  # the stages that ask about each further training conversation


class Cost(Record):
    """What `conversations` more for training would cost, beside the conversations themselves.

    Calls, tokens and USD are those of drafting, analysing and revising them, by `arf estimate`. `unpriced` names models
    without a price. `train_seconds` is what training on as many more takes, as on all of them here.
    """

    conversations: int
    calls: Range
    tokens_in: Range
    tokens_out: Range
    usd: Range
    unpriced: tuple[str, ...] = ()
    train_seconds: float


class FewerRevisions(Record):
    """The curve of students that learn at most `revisions` of each draft.

    `gain_of_all` says for each metric what all revisions improve on all conversations; above 0 is better.
    """

    revisions: int
    metrics: tuple[MetricCurve, ...]
    gain_of_all: dict[str, Interval]


class Curve(Record):
    """The figures of `arf curve`. The first of `metrics` is the deciding one, as in the report.

    `more` is how many times the conversations the gains are about. `fewer` has a curve for each smaller number of
    revisions that was asked for.
    """

    arm: str
    fractions: tuple[float, ...]
    sizes: tuple[int, ...]
    seeds: int
    holdout: int
    confidence: float
    more: float
    metrics: tuple[MetricCurve, ...]
    cost: Cost
    fewer: tuple[FewerRevisions, ...] = ()


def measure_curve(run: Run, fractions: Sequence[float], seeds: int, revisions: Sequence[int] = ()) -> Curve:
    """Train and score a student for each fraction and seed, fit the curves, and write `curve.json`.

    The same is done with at most k revisions of each draft, for each k of `revisions`. The stages up to `revise` are
    done first, if they are not whole. A point that is whole is not done again. Raises UserError for what the user can
    mend, and WorkError for what failed at work.
    """
    _check_fractions(fractions)
    _check_revisions(run, revisions)
    check_terms(run.config)
    check_providers(EVALUATE.asks(run.config))
    pipeline.run_until(run, "revise")
    if revisions and (most := most_revisions(run)) <= revisions[-1]:
        raise DataError(f"--revisions: no draft has more than {most} revisions to train on: name smaller numbers")
    everything = _measure(run, fractions, seeds)
    series = [_measure(run, fractions, seeds, number) for number in revisions]
    sizes = [point.size for point in everything.done if point.seed == 0]
    curve = Curve(
        arm=ARM,
        fractions=tuple(fractions),
        sizes=tuple(sizes),
        seeds=seeds,
        holdout=len(everything.names),
        confidence=everything.resampling.confidence,
        more=MORE,
        metrics=everything.fit_all(sizes),
        cost=_cost(run, everything.seconds(sizes[-1]), sizes[-1]),
        fewer=tuple(
            FewerRevisions(revisions=number, metrics=fewer.fit_all(sizes), gain_of_all=everything.gains_over(fewer))
            for number, fewer in zip(revisions, series, strict=True)
        ),
    )
    write_record(run.folder.curve, curve)
    return curve


@dataclass(frozen=True)
class _Series:
    """The points of one curve with the scores and the seconds of training of each, and the held-out conversations."""

    done: Mapping[Point, tuple[dict[str, Score], float]]
    names: list[str]
    resampling: Resampling

    def seconds(self, size: int) -> float:
        """The mean time of training on so many conversations."""
        return fmean(seconds for point, (_, seconds) in self.done.items() if point.size == size)

    def scores(self) -> dict[str, Scores]:
        """Return by name the scores of every metric that has a better side and was measured at each size.

        Raises DataError if there is none.
        """
        found = {}
        by_seed: dict[int, list[dict[str, Score]]] = {}
        for point, (rows, _) in self.done.items():
            by_seed.setdefault(point.seed, []).append(rows)
        for metric in METRICS.values():
            if metric.better == "neither" or not metric.compared or metric.part_of:
                continue
            read = [
                [{name: metric.read(row) for name, row in size.items()} for size in seed] for seed in by_seed.values()
            ]
            if all(any(value is not None for value in size.values()) for seed in read for size in seed):
                found[metric.name] = as_scores(read, self.names)
        if not found:
            raise DataError("no student has a score: see failures.jsonl of the points for the reasons")
        return found

    def fit_all(self, sizes: Sequence[int]) -> tuple[MetricCurve, ...]:
        return tuple(
            fit_metric(name, METRICS[name].better, sizes, scores, self.names, self.resampling)
            for name, scores in self.scores().items()
        )

    def gains_over(self, other: _Series) -> dict[str, Interval]:
        """Return by metric how much better these students are at the last size."""
        others = other.scores()
        return {
            name: gain_over(METRICS[name].better, scores, others[name], self.names, self.resampling)
            for name, scores in self.scores().items()
            if name in others
        }


def _measure(run: Run, fractions: Sequence[float], seeds: int, revisions: int | None = None) -> _Series:
    """Train and score the students of one curve, unless that is done."""
    holdout = run.conversations("holdout")
    points = points_of(fractions, seeds, len(run.conversations("train")), revisions)
    done = {point: score_point(run, point) for point in points}
    return _Series(done, list(holdout), configured_resampling(run.config, holdout))


def _check_revisions(run: Run, revisions: Sequence[int]) -> None:
    if list(revisions) != sorted(set(revisions)) or any(number < 1 for number in revisions):
        raise ConfigError("--revisions: name each number once, from 1 on, from the smallest to the largest")
    if revisions and not run.config.samples_revisions:
        raise ConfigError(
            "--revisions: the run has one revision of each draft: set models.editors, or revise.samples to 2 or more"
        )


def _check_fractions(fractions: Sequence[float]) -> None:
    if list(fractions) != sorted(set(fractions)) or not all(0 < fraction <= 1 for fraction in fractions):
        raise ConfigError("--fractions: name each once, above 0 and up to 1, from the smallest to the largest")
    if fractions[-1:] != [1] or len(fractions) < FEWEST_SIZES:
        raise ConfigError(
            f"--fractions: name {FEWEST_SIZES} at least, the last of them 1: the curve has {FEWEST_SIZES} parameters, "
            "and says what more than all conversations would buy"
        )


def _cost(run: Run, train_seconds: float, size: int) -> Cost:
    """Return the cost of as many more training conversations as there are, by `arf estimate` over an empty folder."""
    with tempfile.TemporaryDirectory(prefix="arf-curve-") as folder:
        config = run.config.model_copy(update={"run_dir": Path(folder), "calls_dir": None})
        fresh = replace(run, config=config, folder=RunFolder(Path(folder)))
        if run.folder.calibration.exists():  # it is there for the further conversations too
            fresh.folder.calibration.symlink_to(run.folder.calibration.resolve())
        lines = [line for line in estimate_run(fresh, history=[run.folder]).lines if line.stage in _MADE_OF_MORE]
    everything = size + len(run.conversations("holdout"))
    # The teacher drafts the holdout too, the other stages have the training conversations alone.
    shares = [size / everything if line.stage == "draft" else 1.0 for line in lines]
    parts = list(zip(lines, shares, strict=True))
    return Cost(
        conversations=round(size * (MORE - 1)),
        calls=total(line.calls.times(share * (MORE - 1)) for line, share in parts),
        tokens_in=total(line.tokens_in.times(share * (MORE - 1)) for line, share in parts),
        tokens_out=total(line.tokens_out.times(share * (MORE - 1)) for line, share in parts),
        usd=total(line.usd.times(share * (MORE - 1)) for line, share in parts if line.usd is not None),
        unpriced=tuple(dict.fromkeys(line.model for line in lines if line.usd is None and line.calls.high)),
        train_seconds=train_seconds * (MORE - 1),
    )

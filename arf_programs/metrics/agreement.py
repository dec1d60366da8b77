"""Agreement between a judge's ratings and those of people, and the judge's bias by length and by system."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling, mean_interval
from signatures.records import Record

_BANDS = ("short", "middle", "long")


class RatingAgreement(Record):
    """Agreement over `n` summaries rated by both; `exact` is the share of equal ratings. None means undefined."""

    n: int
    kappa: float | None
    spearman: float | None
    exact: float | None


class RatedPair(Record):
    """One labelled summary with both ratings; `system` is empty if the labelled set does not say who wrote it."""

    conversation_id: str
    words: int
    judge: int
    human: int
    system: str = ""


class Bias(Record):
    """The mean of judge minus human over a group of summaries, in points. Above 0 the judge rates too high."""

    group: str
    judge: float
    human: float
    bias: Interval


class JudgeCalibration(Record):
    """How well a judge's ratings agree with those of people.

    `model` and `prompt` name the judge. `length_bias` is Spearman's correlation of (judge - human) with the number of
    words: above 0, the judge rates long summaries higher than people do. `by_length` has thirds of the summaries by
    words, `by_system` a group for each writer.
    """

    model: str
    prompt: str
    agreement: RatingAgreement
    bias: Interval
    length_bias: float | None
    by_length: tuple[Bias, ...]
    by_system: tuple[Bias, ...]
    failed: int = 0


def calibrate_judge(
    rows: Sequence[RatedPair],
    *,
    model: str = "",
    prompt: str = "",
    failed: int = 0,
    resampling: Resampling = DEFAULT,
) -> JudgeCalibration:
    """Compare the judge's ratings with those of people. Raises ValueError without rows."""
    if not rows:
        raise ValueError("no summary was rated by both")

    def bias(group: str, part: Sequence[RatedPair]) -> Bias:
        interval = mean_interval(_conversation_means(part), None, resampling)
        assert interval is not None  # noqa: S101 - no group is empty
        size = len(part)
        judge, human = sum(row.judge for row in part) / size, sum(row.human for row in part) / size
        return Bias(group=group, judge=judge, human=human, bias=interval)

    return JudgeCalibration(
        model=model,
        prompt=prompt,
        agreement=rating_agreement([row.judge for row in rows], [row.human for row in rows]),
        bias=bias("all", rows).bias,
        length_bias=spearman([row.judge - row.human for row in rows], [row.words for row in rows]),
        by_length=tuple(bias(name, part) for name, part in split_by_length(rows)),
        by_system=tuple(bias(name, part) for name, part in _split_by_system(rows)),
        failed=failed,
    )


def split_by_length(rows: Sequence[RatedPair]) -> list[tuple[str, list[RatedPair]]]:
    """Thirds by words, named like `short (8-20 words)`. Equal lengths stay together, and no third is empty."""
    ordered = sorted(row.words for row in rows)
    cuts = [ordered[len(ordered) * third // 3] for third in (1, 2)]
    bands: dict[str, list[RatedPair]] = {name: [] for name in _BANDS}
    for row in rows:
        bands[_BANDS[sum(row.words >= cut for cut in cuts)]].append(row)
    return [(f"{name} ({_range(part)})", part) for name, part in bands.items() if part]


def _range(part: Sequence[RatedPair]) -> str:
    low, high = min(row.words for row in part), max(row.words for row in part)
    return f"{low} words" if low == high else f"{low}-{high} words"


def _split_by_system(rows: Sequence[RatedPair]) -> list[tuple[str, list[RatedPair]]]:
    systems: defaultdict[str, list[RatedPair]] = defaultdict(list)
    for row in rows:
        systems[row.system].append(row)
    return sorted((name, part) for name, part in systems.items() if name)


def _conversation_means(part: Sequence[RatedPair]) -> list[float]:
    """The mean of judge - human for each conversation: its summaries are alike, so they are one observation."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row in part:
        groups[row.conversation_id].append(row.judge - row.human)
    return [sum(values) / len(values) for values in groups.values()]


def rating_agreement(judge: Sequence[int], human: Sequence[int]) -> RatingAgreement:
    """Compare two raters of the same summaries, in the same order. Raises ValueError if the lengths differ."""
    equal = [left == right for left, right in zip(judge, human, strict=True)]
    return RatingAgreement(
        n=len(equal),
        kappa=quadratic_weighted_kappa(judge, human),
        spearman=spearman(judge, human),
        exact=sum(equal) / len(equal) if equal else None,
    )


def quadratic_weighted_kappa(a: Sequence[int], b: Sequence[int]) -> float | None:
    """Cohen's kappa with quadratic weights: 1 is agreement, 0 is agreement by chance.

    `1 - sum(w O) / sum(w E)` with `w = (i - j)^2`, O the observed and E the expected counts (Cohen 1968, "Weighted
    kappa"), computed by scikit-learn over every rating from the lowest to the highest. None without ratings, or if both
    raters always give one and the same rating. Raises ValueError if the lengths differ.
    """
    _check_lengths(a, b)
    if not a or len({*a, *b}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    scale = list(range(min(*a, *b), max(*a, *b) + 1))
    return float(cohen_kappa_score(a, b, labels=scale, weights="quadratic"))


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, computed by SciPy; ties take their mean rank.

    None with fewer than two pairs, or if one side is constant. Raises ValueError if the lengths differ.
    """
    _check_lengths(a, b)
    if len(a) < 2 or len(set(a)) < 2 or len(set(b)) < 2:
        return None
    from scipy.stats import spearmanr

    value = float(spearmanr(a, b).statistic)
    return None if math.isnan(value) else value


def _check_lengths(a: Sequence[float], b: Sequence[float]) -> None:
    if len(a) != len(b):
        raise ValueError(f"{len(a)} ratings against {len(b)}")

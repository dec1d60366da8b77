"""How far a judge's ratings agree with those of people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from signatures.records import Record


class RatingAgreement(Record):
    """Agreement over `n` summaries rated by both; `exact` is the share of equal ratings, None where undefined."""

    n: int
    kappa: float | None
    spearman: float | None
    exact: float | None


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
    """Cohen's kappa with quadratic weights: 1 is agreement, 0 that of chance.

    `1 - sum(w O) / sum(w E)` with `w = (i - j)^2`, O the observed and E the expected counts (Cohen 1968, "Weighted
    kappa"), computed by scikit-learn over every rating from the lowest to the highest. None without ratings, or where
    both raters give one and the same rating throughout. Raises ValueError if the lengths differ.
    """
    _same_length(a, b)
    if not a or len({*a, *b}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    scale = list(range(min(*a, *b), max(*a, *b) + 1))
    return float(cohen_kappa_score(a, b, labels=scale, weights="quadratic"))


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties by mean rank, computed by scipy.

    None with fewer than two pairs, or where one side is constant. Raises ValueError if the lengths differ.
    """
    _same_length(a, b)
    if len(a) < 2 or len(set(a)) < 2 or len(set(b)) < 2:
        return None
    from scipy.stats import spearmanr

    value = float(spearmanr(a, b).statistic)
    return None if math.isnan(value) else value


def _same_length(a: Sequence[float], b: Sequence[float]) -> None:
    if len(a) != len(b):
        raise ValueError(f"{len(a)} ratings against {len(b)}")

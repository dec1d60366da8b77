"""How often the judge prefers one system to another: raw counts, and the rate with length controlled for.

Sources: Zheng et al. (2023), "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", arXiv 2306.05685 (both orders, a
tie where they disagree); Dubois et al. (2024), "Length-Controlled AlpacaEval", arXiv 2404.04475.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling, mean_interval
from signatures.records import PairVerdict, Preference, Record

_POINTS: Mapping[Preference, float] = {"a": 1.0, "tie": 0.5, "b": 0.0}
# Inverse of the ridge penalty on the coefficients: a normal prior of standard deviation 10, in log-odds.
_WEAK_PENALTY = 100.0


class WinRate(Record):
    """System `a` against `b`: wins, ties, losses and failures add up to the conversations.

    `ties` includes `disagreed` (the two orders gave different answers) and `same` (the texts are equal).
    `win_rate` is from 0 to 1; a tie counts half. `length_controlled` is the rate for summaries of equal length.
    `first_share` is the share of the judge's decided answers (one per order) that name the summary shown first. It is
    0.5 if the order has no influence.
    """

    a: str
    b: str
    wins: int
    ties: int
    losses: int
    failures: int
    disagreed: int
    same: int
    win_rate: Interval | None
    length_controlled: float | None
    first_share: float | None


def win_rates(
    verdicts: Sequence[PairVerdict],
    pairs: Sequence[tuple[str, str]],
    *,
    conversations: int,
    resampling: Resampling = DEFAULT,
) -> list[WinRate]:
    """Compute a WinRate for each pair, in their order.

    `conversations` is the number on which each pair was to be compared. A conversation without a verdict is a failure,
    of the judge or of a system that gave no summary.
    """
    by_pair: dict[tuple[str, str], dict[str, PairVerdict]] = defaultdict(dict)
    for verdict in verdicts:
        by_pair[verdict.a, verdict.b][verdict.conversation_id] = verdict
    rates = []
    for pair in pairs:
        rows = list(by_pair[pair].values())
        points = [_POINTS[row.winner] for row in rows]
        interval = mean_interval(points, None, resampling)
        rates.append(_rate(pair, rows, interval, conversations))
    return rates


def _rate(pair: tuple[str, str], rows: Sequence[PairVerdict], interval: Interval | None, conversations: int) -> WinRate:
    winners = Counter(row.winner for row in rows)
    return WinRate(
        a=pair[0],
        b=pair[1],
        wins=winners["a"],
        ties=winners["tie"],
        losses=winners["b"],
        failures=max(0, conversations - len(rows)),
        disagreed=sum(row.a_first != row.b_first for row in rows),
        same=sum(row.a_first is None for row in rows),
        win_rate=interval,
        length_controlled=length_controlled(rows),
        first_share=first_share(rows),
    )


def first_share(rows: Sequence[PairVerdict]) -> float | None:
    """Share of the decided answers that name the summary shown first; None if no answer decides."""
    answers = [*((row.a_first, "a") for row in rows), *((row.b_first, "b") for row in rows)]
    decided = [(answer, first) for answer, first in answers if answer in ("a", "b")]
    if not decided:
        return None
    return sum(answer == first for answer, first in decided) / len(decided)


def length_controlled(rows: Sequence[PairVerdict]) -> float | None:
    """The win rate of `a`, 0 to 1, if both summaries were equally long; None without rows.

    Dubois et al. 2024: logistic regression of `a wins` on `theta + phi * tanh(d / sd(d))`, with d the words of `a`
    minus those of `b`. The length term is then set to zero, so that the rate is `sigmoid(theta)`. A tie is half a win
    and half a loss. If no length differs, the result is the plain win rate. Fitted by scikit-learn.

    This is simpler than the original. There is no term for the difficulty of the item, since many systems are needed to
    estimate it. Length is in words. A weak ridge penalty on both coefficients replaces cross-validated regularisation,
    which needs more rows than a small holdout has.
    """
    if not rows:
        return None
    points = [_POINTS[row.winner] for row in rows]
    plain = sum(points) / len(points)
    differences = [row.words_a - row.words_b for row in rows]
    spread = statistics.pstdev(differences)
    if plain in (0.0, 1.0) or not any(differences):
        return plain
    # If all differences are equal, their deviation is zero: scale by the difference itself.
    scale = spread or abs(differences[0])
    theta = _intercept([math.tanh(value / scale) for value in differences], points)
    return 1 / (1 + math.exp(-theta))


def _intercept(lengths: Sequence[float], points: Sequence[float]) -> float:
    """The fitted theta. Each row is a win weighted by its points, and a loss weighted by the rest."""
    from sklearn.linear_model import LogisticRegression

    inputs = [[1.0, length] for length in lengths]
    # The column of ones stands for the intercept, so that it is penalised too and stays finite.
    model = LogisticRegression(C=_WEAK_PENALTY, fit_intercept=False)
    weights = [*points, *(1 - value for value in points)]
    model.fit([*inputs, *inputs], [1] * len(points) + [0] * len(points), sample_weight=weights)
    return float(model.coef_[0][0])

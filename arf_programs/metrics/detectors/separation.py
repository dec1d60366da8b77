"""How well a score tells wrong texts from right ones.

The figures are the area under the ROC curve, the share of flawed drafts among those that a ranking puts first, and the
share of wrong texts behind the share that is flagged. The score is that of a checker, of the checks, or of a model.
`checker_probe.json` of a run or of a checker's folder holds what was measured about a checker.

Sources: Rogan and Gladen (1978), "Estimating prevalence from the results of a screening test", American Journal of
Epidemiology 107; Lang and Reiczigel (2014), "Confidence limits for prevalence of disease adjusted for estimated
sensitivity and specificity", Preventive Veterinary Medicine 113.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt
from typing import Any, Final, NamedTuple

from pydantic import Field

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from arf_programs.metrics.detection import balanced_accuracy
from arf_programs.metrics.detectors.calibration import best_threshold
from signatures.records import Record

_LEAST_CLUSTERS = 2
FALSE_ALARMS: Final = 0.05
_FOLDS: Final = 10
CHECKER_PROBE: Final = "checker_probe.json"
PLANTED_SUMMARIES: Final = "planted summaries"
LABELLED: Final = "labelled summaries"
_ENOUGH: Final = 20  # right, and wrong, labelled summaries from which their rates are taken


def area_under_curve(
    scores: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[str],
    resampling: Resampling = DEFAULT,
) -> Interval | None:
    """Compute the share of (True, False) pairs in which the True one has the higher score; a tie counts a half.

    The percentile bootstrap draws clusters (Field and Welsh 2007), each with all its rows, so the interval is right for
    rows of one conversation that are alike. Draws without both labels do not count. `n` is the number of rows. Returns
    None unless both labels are there. With rows of one cluster only, the interval is 0 to 1.
    """
    if len(set(labels)) < 2:
        return None
    import numpy as np

    names = sorted(set(clusters))
    wins, pairs = _count_wins(scores, labels, [names.index(cluster) for cluster in clusters], len(names))
    value = float(wins.sum() / pairs.sum())
    if len(names) < _LEAST_CLUSTERS:
        return Interval(value=value, low=0.0, high=1.0, n=len(scores))
    drawn = np.random.default_rng(resampling.seed).multinomial(
        len(names), [1 / len(names)] * len(names), size=resampling.samples
    )
    tops = np.einsum("sa,ab,sb->s", drawn, wins, drawn, optimize=True)
    bottoms = np.einsum("sa,ab,sb->s", drawn, pairs, drawn, optimize=True)
    return resampling.percentile(value, tops[bottoms > 0] / bottoms[bottoms > 0], len(scores))


def _count_wins(
    scores: Sequence[float], labels: Sequence[bool], clusters: Sequence[int], number: int
) -> tuple[Any, Any]:
    """Return (wins, pairs), each (clusters, clusters): of the True rows of one against the False rows of another."""
    import numpy as np

    score, label, cluster = np.asarray(scores, float), np.asarray(labels, bool), np.asarray(clusters)
    member = np.eye(number)[cluster]
    high, low = score[label][:, None], score[~label][None]
    won = (high > low) + 0.5 * (high == low)
    pairs = np.outer(member[label].sum(axis=0), member[~label].sum(axis=0))
    return member[label].T @ won @ member[~label], pairs


SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The shares of drafts of which the curve says how many flawed drafts they hold."""


class CatchPoint(Record):
    """If the share `analysed` of the drafts is analysed, the share `caught` of the flawed ones is among them."""

    analysed: float
    caught: Interval


class CatchCurve(Record):
    """How well a ranking puts flawed drafts first. `needed` is the share to analyse for the wished recall."""

    name: str
    needed: Interval
    points: tuple[CatchPoint, ...]


def catch_curve(
    name: str, scores: Sequence[float], flawed: Sequence[bool], *, recall: float, resampling: Resampling = DEFAULT
) -> CatchCurve:
    """Compute the curve of a ranking by `scores`, the highest first, with percentile bootstrap intervals over drafts.

    Drafts with equal scores count as being in random order. Raises ValueError if no draft is flawed.
    """
    import numpy as np

    if not any(flawed):
        raise ValueError("none of the drafts is flawed")
    _, groups = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
    truth = np.asarray(flawed, dtype=float)
    rng = np.random.default_rng(resampling.seed)
    weights = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=resampling.samples).astype(float)
    drawn = [_sums(groups, truth, row) for row in weights if row @ truth > 0]
    whole = _sums(groups, truth, np.ones(len(truth)))

    def interval(measure: Callable[[_Sums], float]) -> Interval:
        return resampling.percentile(measure(whole), [measure(sums) for sums in drawn], len(truth))

    points = tuple(CatchPoint(analysed=share, caught=interval(partial(_caught, share=share))) for share in SHARES)
    needed = interval(partial(_needed, recall=recall))
    return CatchCurve(name=name, needed=needed, points=points)


_Sums = tuple[Any, Any]
"""Numbers of drafts, and of flawed ones, up to the end of each group."""


def _sums(groups: Any, truth: Any, weights: Any) -> _Sums:
    """Return how many drafts and how many flawed ones there are up to the end of each group, beginning with 0."""
    import numpy as np

    drafts = np.bincount(groups, weights)
    flawed = np.bincount(groups, weights * truth)
    return np.concatenate([[0.0], np.cumsum(drafts)]), np.concatenate([[0.0], np.cumsum(flawed)])


def _caught(sums: _Sums, share: float) -> float:
    import numpy as np

    drafts, flawed = sums
    return float(np.interp(share * drafts[-1], drafts, flawed) / flawed[-1])


def _needed(sums: _Sums, recall: float) -> float:
    """Return the smallest share of the drafts with which `recall` of the flawed ones is reached."""
    import numpy as np

    drafts, flawed = sums
    wanted = recall * flawed[-1]
    last = max(1, int(np.searchsorted(flawed, wanted - 1e-9)))
    step = flawed[last] - flawed[last - 1]
    part = (wanted - flawed[last - 1]) / step if step else 1.0
    return float((drafts[last - 1] + part * (drafts[last] - drafts[last - 1])) / drafts[-1])


class Scored(NamedTuple):
    """A text with its score (the higher, the more suspect) and the kinds of its errors; none if it is right."""

    conversation: str
    score: float
    kinds: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether it has an error."""
        return bool(self.kinds)


class Separation(Record):
    """The figures of one score on `texts` texts of `conversations` conversations, `wrong` of them with an error.

    `auc` is the area under the ROC curve. `balanced_accuracy` is that of thresholds fitted on other conversations.
    `recall` is the share of the wrong texts that score above all but 5% of the right ones, also by kind of error.
    `sensitivity` and `specificity` are the shares of wrong and of right texts that `threshold`, the one in use, decides
    rightly. All intervals draw whole conversations.
    """

    texts: int
    wrong: int
    conversations: int
    auc: Interval | None = None
    balanced_accuracy: float | None = None
    recall: Interval | None = None
    recall_by_kind: dict[str, Interval] = Field(default_factory=dict)
    threshold: float
    sensitivity: Interval | None = None
    specificity: Interval | None = None


def measure_separation(scored: Sequence[Scored], *, threshold: float, seed: int = 0) -> Separation:
    """Measure a score. A text that scores `threshold` or more counts as called wrong."""
    cut = false_alarm_cut(scored)
    kinds = sorted({kind for item in scored for kind in item.kinds})
    wrong = [item for item in scored if item.wrong]
    right = [item for item in scored if not item.wrong]
    recalls = {kind: _share([(item, item.score > cut) for item in wrong if kind in item.kinds], seed) for kind in kinds}
    return Separation(
        texts=len(scored),
        wrong=len(wrong),
        conversations=len({item.conversation for item in scored}),
        auc=area_under_curve(
            [item.score for item in scored],
            [item.wrong for item in scored],
            [item.conversation for item in scored],
            Resampling(seed=seed),
        ),
        balanced_accuracy=accuracy_elsewhere(scored),
        recall=_share([(item, item.score > cut) for item in wrong], seed) if right else None,
        recall_by_kind={kind: found for kind, found in recalls.items() if found is not None} if right else {},
        threshold=threshold,
        sensitivity=_share([(item, item.score >= threshold) for item in wrong], seed),
        specificity=_share([(item, item.score < threshold) for item in right], seed),
    )


def false_alarm_cut(scored: Sequence[Scored]) -> float:
    """Return the score that at most 5% of the right texts exceed."""
    right = sorted((item.score for item in scored if not item.wrong), reverse=True)
    return right[int(FALSE_ALARMS * len(right))] if right else float("-inf")


def accuracy_elsewhere(scored: Sequence[Scored]) -> float | None:
    """Compute the balanced accuracy with thresholds fitted on other conversations, in at most ten folds.

    With up to ten conversations each is left out in turn. None unless both kinds of text are in every part to fit on.
    """
    names = sorted({item.conversation for item in scored})
    called: list[bool] = []
    truth: list[bool] = []
    folds = min(_FOLDS, len(names))
    for number in range(folds):
        inside = set(names[number::folds])
        others = [item for item in scored if item.conversation not in inside]
        if len({item.wrong for item in others}) < 2:
            return None
        threshold, _ = best_threshold([item.score for item in others], [item.wrong for item in others])
        held_out = [item for item in scored if item.conversation in inside]
        called += [item.score >= threshold for item in held_out]
        truth += [item.wrong for item in held_out]
    return balanced_accuracy(called, truth) if called else None


def _share(hits: Sequence[tuple[Scored, bool]], seed: int) -> Interval | None:
    return Resampling(seed=seed).share([hit for _, hit in hits], [item.conversation for item, _ in hits])


class ErrorRates(NamedTuple):
    """How a checker decides about texts of known truth: shares decided rightly, `n` conversations behind each."""

    sensitivity: Interval
    specificity: Interval

    @property
    def informative(self) -> bool:
        """Whether wrong texts are flagged more often than right ones. Otherwise nothing can be corrected."""
        return self.sensitivity.value + self.specificity.value > 1


def correct_prevalence(flagged: Interval, rates: ErrorRates, *, confidence: float = 0.95) -> Interval | None:
    """Correct a share of flagged texts for the error rates of the checker (Rogan and Gladen), kept within 0 and 1.

    The interval is that of Lang and Reiczigel, which includes the uncertainty of both rates. `n` of each share counts
    conversations: texts of one conversation are alike, so counting them would make the interval too narrow. Returns
    None if sensitivity and specificity add up to 1 or less.
    """
    if not rates.informative:
        return None
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    n, n_sensitivity, n_specificity = max(1, flagged.n), max(1, rates.sensitivity.n), max(1, rates.specificity.n)
    value = _adjusted(flagged.value, rates.sensitivity.value, rates.specificity.value)
    apparent = (n * flagged.value + z * z / 2) / (n + z * z)
    sensitivity = (n_sensitivity * rates.sensitivity.value + 1) / (n_sensitivity + 2)
    specificity = (n_specificity * rates.specificity.value + 1) / (n_specificity + 2)
    gain = sensitivity + specificity - 1
    if gain <= 0:  # few texts: the rates may as well be those of chance
        return Interval(value=_inside(value), low=0.0, high=1.0, n=flagged.n)
    centre = _adjusted(apparent, sensitivity, specificity)
    of_sensitivity = sensitivity * (1 - sensitivity) / (n_sensitivity + 2)
    of_specificity = specificity * (1 - specificity) / (n_specificity + 2)
    shift = 2 * z * z * (centre * of_sensitivity - (1 - centre) * of_specificity)
    spread = apparent * (1 - apparent) / (n + z * z) + centre**2 * of_sensitivity + (1 - centre) ** 2 * of_specificity
    half = z * sqrt(spread) / gain
    low, high = _inside(centre + shift - half), _inside(centre + shift + half)
    point = _inside(value)
    return Interval(value=point, low=min(low, point), high=max(high, point), n=flagged.n)


def _adjusted(flagged: float, sensitivity: float, specificity: float) -> float:
    return (flagged + specificity - 1) / (sensitivity + specificity - 1)


def _inside(value: float) -> float:
    return min(1.0, max(0.0, value))


class CheckerFigures(Record):
    """The figures of one scorer (a checker by its name, or `checks`) on one set of texts."""

    data: str
    scorer: str
    figures: Separation


class CheckerProbe(Record):
    """All figures of a probe. `checker` is the measured one; `digest` says which weights, form and threshold it had."""

    checker: str | None = None
    digest: str = ""
    rows: tuple[CheckerFigures, ...]

    def rates(self) -> tuple[str, ErrorRates] | None:
        """Return (their source, the error rates of the checker on whole summaries): labelled ones if there are enough.

        Planted errors are the source otherwise. None if the checker was not measured on either.
        """
        measured = {row.data: row.figures for row in self.rows if row.scorer == self.checker}
        labelled = measured.get(LABELLED)
        enough = labelled is not None and min(labelled.wrong, labelled.texts - labelled.wrong) >= _ENOUGH
        source = LABELLED if enough else PLANTED_SUMMARIES
        found = measured.get(source)
        if found is None or found.sensitivity is None or found.specificity is None:
            return None
        return source, ErrorRates(found.sensitivity, found.specificity)

"""How well a score tells wrong texts from right ones: that of a checker, of the checks, or of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pydantic import Field

from arf_programs.metrics.bootstrap import Interval, Resampling, cluster_ratio
from arf_programs.metrics.calibration import best_threshold
from arf_programs.metrics.detection import balanced_accuracy
from arf_programs.metrics.ranking import area_under_curve
from signatures.records import Record

FALSE_ALARMS: Final = 0.05
_FOLDS: Final = 10


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
    values = [float(hit) for _, hit in hits]
    return cluster_ratio(values, [1.0] * len(values), [item.conversation for item, _ in hits], Resampling(seed=seed))

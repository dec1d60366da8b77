"""Measures how well an analyst reports errors: F1 over matched errors, and whether a summary has any error at all."""

from __future__ import annotations

from collections.abc import Sequence

from arf_programs.text import match_errors
from signatures.records import ErrorNote, Record

_QUOTE_LENGTH = 120


class Detection(Record):
    """The reported errors of one summary against its labelled ones. Rates and `score` (the F1) are from 0 to 1.

    `true_positives`, `found` (the reported errors) and `labeled` are counts. Add them up over summaries, and give the
    sums to `rates`.
    `feedback` says in words what was missed, invented and misnamed.
    """

    true_positives: int
    found: int
    labeled: int
    precision: float
    recall: float
    f1: float
    score: float
    feedback: str


def score_detection(reported: Sequence[ErrorNote], labeled: Sequence[ErrorNote]) -> Detection:
    """Compare reported with labelled errors. A true positive is a pair of `match_errors`, category included."""
    pairs = match_errors(reported, labeled)
    precision, recall, f1 = rates(len(pairs), len(reported), len(labeled))
    return Detection(
        true_positives=len(pairs),
        found=len(reported),
        labeled=len(labeled),
        precision=precision,
        recall=recall,
        f1=f1,
        score=f1,
        feedback=_feedback(reported, labeled, pairs),
    )


def rates(true_positives: int, reported: int, labeled: int) -> tuple[float, float, float]:
    """Compute (precision, recall, F1): `TP / reported`, `TP / labeled` and `2 TP / (reported + labeled)`.

    Source: van Rijsbergen (1979), "Information Retrieval", chapter 7. All are 1 if nothing is labelled and nothing is
    reported. Otherwise a rate with nothing to divide by is 0.
    """
    if not reported and not labeled:
        return 1.0, 1.0, 1.0
    precision = true_positives / reported if reported else 0.0
    recall = true_positives / labeled if labeled else 0.0
    return precision, recall, 2 * true_positives / (reported + labeled)


def balanced_accuracy(predicted: Sequence[bool], actual: Sequence[bool]) -> float | None:
    """The mean of the shares of positives and of negatives that are predicted right; chance is 0.5.

    Computed by scikit-learn (Brodersen et al. 2010, "The balanced accuracy and its posterior distribution"). None
    if `actual` has one class only. Raises ValueError if the lengths differ.
    """
    if len(predicted) != len(actual):
        raise ValueError(f"{len(predicted)} predictions for {len(actual)} labels")
    if len(set(actual)) < 2:
        return None
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(actual, predicted))


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """Area under the ROC curve: how often a positive scores higher than a negative; a tie counts half.

    Computed by scikit-learn (Hanley and McNeil 1982). None if `labels` has one class only. Raises ValueError if the
    lengths differ.
    """
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores for {len(labels)} labels")
    if len(set(labels)) < 2:
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def _feedback(
    reported: Sequence[ErrorNote], labeled: Sequence[ErrorNote], pairs: Sequence[tuple[ErrorNote, ErrorNote]]
) -> str:
    """The comparison in words, one error per line, for an optimizer that rewrites instructions."""
    extra = _without(reported, [pair[0] for pair in pairs])
    missed = _without(labeled, [pair[1] for pair in pairs])
    misnamed = match_errors(extra, missed, same_category=False)
    extra = _without(extra, [pair[0] for pair in misnamed])
    missed = _without(missed, [pair[1] for pair in misnamed])
    lines = [f"Missed: {_describe(note)}" for note in missed]
    lines += [f"Invented, since people see no error there: {_describe(note)}" for note in extra]
    lines += [f"Found, but called {wrong.category}: {_describe(right)}" for wrong, right in misnamed]
    if not lines:
        return "All errors were found, and none was invented." if labeled else "Right: the summary has no error."
    correct = f"{len(pairs)} of {len(labeled)} errors were found under the right category."
    return "\n".join([correct, *lines])


def _without(notes: Sequence[ErrorNote], gone: Sequence[ErrorNote]) -> list[ErrorNote]:
    """`notes` without those in `gone`, by identity: two equal notes are two."""
    ids = {id(note) for note in gone}
    return [note for note in notes if id(note) not in ids]


def _describe(note: ErrorNote) -> str:
    quote = note.quote if len(note.quote) <= _QUOTE_LENGTH else note.quote[: _QUOTE_LENGTH - 3] + "..."
    place = f'at "{quote}"' if quote else "(something is missing)"
    return f"{note.category} {place}. {note.explanation}".strip()

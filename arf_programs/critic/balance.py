"""Training sentences balanced by kind, length and word overlap, so that a checker cannot learn these alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from arf_programs.checks import find_words
from arf_programs.critic.pairs import Pair
from arf_programs.metrics import Scored, measure_separation
from arf_programs.runs import digest

_OVERLAPS: Final = 8
_LENGTHS: Final = 6
_FOLDS: Final = 5
_LEAST: Final = 20


def features(pair: Pair) -> tuple[float, float]:
    """Return (share of the sentence's words that the conversation has, number of words)."""
    words = find_words(pair.sentence)
    known = set(find_words(pair.conversation.as_text()))
    return sum(word in known for word in words) / max(1, len(words)), float(len(words))


def balance(pairs: Sequence[Pair], most: int, *, seed: int) -> list[Pair]:
    """Return at most `most` pairs, half of them supported, with like lengths and overlaps on both sides.

    The pairs are put into cells by overlap and length. Each cell gives as many supported as unsupported ones, the kinds
    of each side taking turns. What is left over at `most` is of the frequent kinds. The order is that of a hash.
    """
    cells: dict[tuple[int, int], tuple[list[Pair], list[Pair]]] = defaultdict(lambda: ([], []))
    measured = [features(pair) for pair in pairs]
    overlap_cuts, length_cuts = _cuts([m[0] for m in measured], _OVERLAPS), _cuts([m[1] for m in measured], _LENGTHS)
    for pair, (overlap, length) in zip(pairs, measured, strict=True):
        cell = (sum(overlap > cut for cut in overlap_cuts), sum(length > cut for cut in length_cuts))
        cells[cell][pair.supported].append(pair)
    couples: list[tuple[Pair, Pair]] = []
    for wrong, right in cells.values():
        couples += zip(_ranked(wrong, seed), _ranked(right, seed), strict=False)
    ranked = _ranked([wrong for wrong, _ in couples], seed)
    partner = {id(wrong): right for wrong, right in couples}
    kept = sorted((pair for pair in ranked[: most // 2]), key=lambda pair: _key(pair, seed))
    return [pair for wrong in kept for pair in (wrong, partner[id(wrong)])]


def _cuts(values: Sequence[float], parts: int) -> list[float]:
    import numpy as np

    return sorted({float(cut) for cut in np.quantile(values, [n / parts for n in range(1, parts)])}) if values else []


def _ranked(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Return the pairs with the first of each kind before the second of any, so that rare kinds come early."""
    counts: dict[str, int] = defaultdict(int)
    order = []
    for pair in sorted(pairs, key=lambda pair: _key(pair, seed)):
        order.append((counts[pair.kind], pair))
        counts[pair.kind] += 1
    return [pair for _, pair in sorted(order, key=lambda item: item[0])]


def _key(pair: Pair, seed: int) -> str:
    return digest([seed, pair.conversation.id, pair.sentence])


def overlap_auc(pairs: Sequence[Pair]) -> float | None:
    """Compute the area under the curve of a logistic regression that sees only word overlap and length.

    It is measured on other conversations than it is fitted on, in five folds. None for too few pairs.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = sorted({pair.conversation.id for pair in pairs})
    if len(pairs) < _LEAST or len(names) < _FOLDS:
        return None
    inputs = np.array([_powers(pair) for pair in pairs])
    wrong = np.array([not pair.supported for pair in pairs])
    folds = np.array([names.index(pair.conversation.id) % _FOLDS for pair in pairs])
    scores = np.zeros(len(pairs))
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        if len(set(wrong[train].tolist())) < 2:
            return None
        model: Any = make_pipeline(StandardScaler(), LogisticRegression())
        scores[test] = model.fit(inputs[train], wrong[train]).predict_proba(inputs[test])[:, 1]
    scored = [
        Scored(pair.conversation.id, float(score), () if pair.supported else ("wrong",))
        for pair, score in zip(pairs, scores, strict=True)
    ]
    area = measure_separation(scored, threshold=0.5).auc
    return None if area is None else area.value


def _powers(pair: Pair) -> tuple[float, float, float, float]:
    """Overlap and length with their squares, so that a curve cannot hide from a straight line."""
    overlap, length = features(pair)
    return overlap, overlap**2, length, length**2

"""Demonstrations chosen for each call: of a pool, those whose inputs are most like the question's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dspy

_FEATURES = 2**14


def show_nearest(predict: dspy.Predict, pool: Sequence[Any], k: int) -> None:
    """Let `predict` be shown, at each call through `ask`, the `k` nearest of `pool`: labelled examples as mappings.

    The pool also becomes `predict.demos`, by which DSPy saves it.
    """
    inputs = list(predict.signature.input_fields)
    examples = [dspy.Example(**item).with_inputs(*inputs) for item in pool]
    predict.demos = examples
    predict.nearest = dspy.KNN(k=k, trainset=examples, vectorizer=text_vectorizer()) if len(examples) > 1 else None


def demos_for(predict: dspy.Predict, inputs: Mapping[str, Any]) -> list[Any]:
    """The demonstrations of one call, the nearest last, where a model heeds them most."""
    nearest = getattr(predict, "nearest", None)
    if nearest is None:
        demos: list[Any] = predict.demos
        return demos
    known = {name: inputs[name] for name in predict.signature.input_fields if name in inputs}
    return list(reversed(nearest(**known)))


def text_vectorizer() -> dspy.Embedder:
    """Hashed words as vectors of length 1 (scikit-learn's HashingVectorizer): no model, no network, no vocabulary."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(n_features=_FEATURES, alternate_sign=False, stop_words="english")
    return dspy.Embedder(lambda texts: hashing.transform(texts).toarray(), caching=False)

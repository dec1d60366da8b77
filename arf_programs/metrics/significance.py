"""Whether a paired difference could be chance: sign-flip permutation tests, and Holm's correction for many of them.

Sources: Fisher (1935), "The Design of Experiments", section 21 (the test); Good (2005), "Permutation, Parametric and
Bootstrap Tests of Hypotheses"; Phipson and Smyth (2010), "Permutation P-values Should Never Be Zero" (drawn flips);
Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")
FLIPS = 9999  # drawn where not all are tried; the smallest p is then 0.0002
_EXACT = 15  # up to so many differences all 2^n flips are tried
_CELLS = 2_000_000  # flipped values held at once


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided p of a paired permutation test: under chance, each difference is as likely to have the other sign.

    One difference a conversation or, where they are clustered, the sum of a cluster's, so that what belongs together
    is flipped together. Exact up to 15 differences other than zero, by `FLIPS` drawn flips beyond; 1.0 where fewer than
    two are other than zero. Computed by `scipy.stats.permutation_test`; raises ValueError without differences.
    """
    if not differences:
        raise ValueError("a permutation test needs at least one difference")
    moved = [value for value in differences if value != 0]  # a flipped zero is zero: the sum's distribution is the same
    if len(moved) < 2:
        return 1.0  # one value has two flips, both as extreme; scipy refuses to test it
    import numpy as np
    from scipy.stats import permutation_test

    result = permutation_test(
        (np.array(moved),),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**_EXACT if len(moved) <= _EXACT else FLIPS,
        batch=max(1, _CELLS // len(moved)),
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Each p adjusted so that rejecting those below alpha makes a false claim with probability at most alpha.

    The i-th smallest of m is multiplied by m - i + 1, no adjusted value falls below an earlier one, and none exceeds 1
    (Holm 1979; `p.adjust(p, "holm")` in R). Nothing is assumed about how the tests depend on each other. Raises
    ValueError for a value that is no probability.
    """
    if any(math.isnan(p) or not 0 <= p <= 1 for p in p_values.values()):
        raise ValueError("a p-value lies between 0 and 1")
    adjusted: dict[Key, float] = {}
    highest = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[key]))
        adjusted[key] = highest
    return {key: adjusted[key] for key in p_values}

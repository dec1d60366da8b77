"""Agreement of two raters."""

import pytest

from arf_programs.metrics.agreement import quadratic_weighted_kappa, rating_agreement, spearman


def test_kappa_by_hand():
    # Observed disagreement 0 + 1 + 0 + 4 = 5; expected: mean over all pairs of squared differences, 4 of them.
    a, b = [1, 2, 4, 5], [1, 3, 4, 3]
    expected = sum((x - y) ** 2 for x in a for y in b) / 4
    assert quadratic_weighted_kappa(a, b) == pytest.approx(1 - 5 / expected)
    assert quadratic_weighted_kappa([1, 3, 5], [1, 3, 5]) == 1
    assert quadratic_weighted_kappa([1, 5], [5, 1]) == -1


def test_kappa_measures_distance_on_the_scale_not_among_the_ratings_given():
    # 1 against 5 is as far as it goes, though no one gave 2, 3 or 4.
    assert quadratic_weighted_kappa([1, 4, 5], [1, 5, 5]) == pytest.approx(1 - 1 / ((16 + 16 + 9 + 1 + 1 + 16) / 3))


def test_undefined_agreement_is_none():
    assert quadratic_weighted_kappa([], []) is quadratic_weighted_kappa([3, 3], [3, 3]) is None
    assert spearman([1], [2]) is spearman([1, 1], [1, 2]) is spearman([1, 2], [4, 4]) is None
    empty = rating_agreement([], [])
    assert (empty.n, empty.kappa, empty.spearman, empty.exact) == (0, None, None, None)


def test_spearman_by_hand():
    assert spearman([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_rating_agreement_brings_all_together():
    result = rating_agreement([1, 2, 4, 5], [1, 3, 4, 3])
    assert (result.n, result.exact) == (4, 0.5)
    assert result.kappa == quadratic_weighted_kappa([1, 2, 4, 5], [1, 3, 4, 3])
    assert result.spearman == spearman([1, 2, 4, 5], [1, 3, 4, 3])


def test_raters_of_different_summaries_are_refused():
    for compare in (quadratic_weighted_kappa, spearman, rating_agreement):
        with pytest.raises(ValueError):
            compare([1], [1, 2])

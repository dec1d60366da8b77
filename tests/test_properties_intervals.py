"""Properties of the bootstrap intervals that a report shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arf_programs.metrics import Interval, Resampling, paired_difference
from arf_programs.metrics.bootstrap import cluster_ratio, mean_interval

pytestmark = pytest.mark.filterwarnings("error")
_FAST = settings(max_examples=40)
_SAMPLES = 200
_DRAWN = Resampling(_SAMPLES)

numbers = st.floats(-1000, 1000).map(lambda value: round(value, 3))
lists = st.lists(numbers, min_size=1, max_size=12)
seeds = st.integers(0, 2**32 - 1)
names = st.lists(st.sampled_from("abc"), min_size=12, max_size=12)


def interval(values: list[Any], clusters: list[str] | None = None, seed: int = 0, confidence: float = 0.95) -> Interval:
    named = None if clusters is None else clusters[: len(values)]
    found = mean_interval(values, named, Resampling(_SAMPLES, confidence, seed))
    assert found is not None
    return found


def close(left: Interval, value: float, low: float, high: float) -> bool:
    return (left.value, left.low, left.high) == pytest.approx((value, low, high), rel=1e-7, abs=1e-7)


@_FAST
@given(lists, st.none() | names, seeds)
def test_an_interval_holds_its_mean_and_lies_among_the_values(
    values: list[float], clusters: list[str] | None, seed: int
) -> None:
    found = interval(values, clusters, seed)
    slack = 1e-9 * max(map(abs, values))
    assert found.value == pytest.approx(sum(values) / len(values), abs=1e-9)
    assert min(values) - slack <= found.low <= found.value + slack
    assert found.value - slack <= found.high <= max(values) + slack
    assert found.n == len(values)


@_FAST
@given(lists, st.none() | names, seeds)
def test_an_interval_is_the_same_for_the_same_seed_and_wider_for_more_confidence(
    values: list[float], clusters: list[str] | None, seed: int
) -> None:
    found, again = interval(values, clusters, seed), interval(values, clusters, seed)
    assert found == again
    wider = interval(values, clusters, seed, confidence=0.99)
    assert wider.low <= found.low and found.high <= wider.high


@_FAST
@given(numbers, st.integers(1, 12), st.none() | names, seeds)
@example(0.1, 4, list("aaabbbcccabc"), 0)
def test_equal_values_give_an_interval_without_width(
    value: float, count: int, clusters: list[str] | None, seed: int
) -> None:
    assert interval([value] * count, clusters, seed) == Interval(value=value, low=value, high=value, n=count)


@_FAST
@given(lists, st.none() | names, st.floats(0.01, 100), numbers)
def test_values_in_another_unit_give_the_interval_in_that_unit(
    values: list[float], clusters: list[str] | None, scale: float, shift: float
) -> None:
    found = interval(values, clusters)
    low, value, high = (scale * bound + shift for bound in (found.low, found.value, found.high))
    assert close(interval([scale * value + shift for value in values], clusters), value, low, high)
    mirrored = interval([-value for value in values], clusters)
    assert close(mirrored, -found.value, -found.high, -found.low)


@_FAST
@given(lists, st.data())
def test_values_that_were_not_measured_do_not_count(values: list[float], data: st.DataObject) -> None:
    with_gaps: list[float | None] = list(values)
    for place in data.draw(st.lists(st.integers(0, len(values)), max_size=4)):
        with_gaps.insert(place, None)
    assert interval(with_gaps) == interval(values)
    assert mean_interval([None] * len(values)) is None


@_FAST
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12))
def test_a_difference_changes_its_sign_with_the_sides_and_is_nothing_with_itself(
    pairs: list[tuple[float, float]],
) -> None:
    a, b = [left for left, _ in pairs], [right for _, right in pairs]
    found, turned = paired_difference(a, b, _DRAWN), paired_difference(b, a, _DRAWN)
    assert found is not None and turned is not None
    assert close(turned, -found.value, -found.high, -found.low)
    assert paired_difference(a, a, _DRAWN) == Interval(value=0, low=0, high=0, n=len(a))


rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from("abcdef")), max_size=20)


@_FAST
@given(rows, seeds)
def test_a_ratio_lies_among_those_of_its_clusters(rows: list[tuple[int, int, str]], seed: int) -> None:
    tops, bottoms, clusters = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    found = cluster_ratio(tops, bottoms, clusters, Resampling(_SAMPLES, seed=seed))
    sums = {
        name: (sum(top for top, _, of in rows if of == name), sum(bottom for _, bottom, of in rows if of == name))
        for name in clusters
    }
    ratios = [top / bottom for top, bottom in sums.values() if bottom]
    assert (found is None) == (not ratios)
    if found is not None:
        assert min(ratios) - 1e-9 <= found.low <= found.high <= max(ratios) + 1e-9
        assert min(ratios) - 1e-9 <= found.value <= max(ratios) + 1e-9
        assert found.n == len(ratios)

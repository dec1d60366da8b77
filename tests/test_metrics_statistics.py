"""Permutation test, Holm, effect sizes, sample sizes: against published or hand-computed values."""

import math

import pytest

from arf_programs.metrics.bootstrap import Resampling, cluster_ratio, mean_interval
from arf_programs.metrics.systems.comparisons import Comparison, compare_systems, compared_pairs, with_holm
from arf_programs.metrics.systems.paired import (
    cliffs_delta,
    cohens_dz,
    holm,
    paired_effect,
    pairs_needed,
    sign_flip_test,
)
from signatures.records import ErrorNote, Rating, Score

# Darwin's plants, crossed less self-fertilised, in eighths of an inch: Fisher (1935), "The Design of Experiments", 21.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def score(conversation: str, system: str, errors: int = 0, rating: int | None = None) -> Score:
    return Score(
        conversation_id=conversation,
        channel="email",
        system=system,
        errors=tuple(ErrorNote(id=f"e{n}", category="wrong_fact") for n in range(errors)),
        words=10,
        rating=Rating(rating=rating) if rating else None,
    )


def paired(differences: list[int]) -> list[Score]:
    """Scores of student and teacher whose numbers of errors differ by these."""
    scores = []
    for number, difference in enumerate(differences):
        scores += [score(f"c{number}", "student_arf", 5 + difference), score(f"c{number}", "teacher", 5)]
    return scores


def test_fishers_own_example_gives_fishers_own_p() -> None:
    # Of the 2^15 ways to sign the differences, 863 have a sum of 314 or more: Fisher (1935).
    assert sign_flip_test(DARWIN) == pytest.approx(2 * 863 / 2**15)


def test_the_test_is_exact_where_all_flips_can_be_tried() -> None:
    assert sign_flip_test([1.0] * 10) == pytest.approx(2 / 2**10)
    assert sign_flip_test([1.0, 2.0, 4.0]) == pytest.approx(2 / 8)
    assert sign_flip_test([1.0, -2.0, 4.0]) == pytest.approx(6 / 8)


def test_zeros_do_not_change_p_and_nothing_to_tell_is_one() -> None:
    assert sign_flip_test([1.0, 0, 1.0, 0, 1.0, 0]) == sign_flip_test([1.0] * 3)
    assert sign_flip_test([0.0, 0.0]) == sign_flip_test([5.0]) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        sign_flip_test([])


def test_drawn_flips_come_close_to_the_normal_p_and_repeat() -> None:
    differences = [math.sin(n) + 0.15 for n in range(120)]
    z = abs(sum(differences)) / math.sqrt(sum(value**2 for value in differences))
    expected = math.erfc(z / math.sqrt(2))
    p = sign_flip_test(differences, seed=4)
    assert p == pytest.approx(expected, abs=0.015)
    assert p == sign_flip_test(differences, seed=4)
    assert sign_flip_test([1.0] * 40) == pytest.approx(2 / 10_000), "a drawn p is never zero"


def test_holm_agrees_with_r() -> None:
    # p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and an unsorted case worked by hand.
    five = holm(dict(zip("abcde", (0.01, 0.02, 0.03, 0.04, 0.05), strict=True)))
    assert list(five.values()) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    four = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert four == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert holm({"x": 0.7, "y": 0.8}) == {"x": 1.0, "y": 1.0}
    assert holm({}) == {}
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm({"x": math.nan})


def test_effect_sizes_by_hand() -> None:
    # Darwin's plants: mean 20.933, standard deviation 37.744 (Fisher's t of 2.148 is d_z times the root of 15).
    assert cohens_dz(DARWIN) == pytest.approx(2.148 / math.sqrt(15), abs=0.0005)
    assert cohens_dz([1.0]) is None and cohens_dz([2.0, 2.0]) is None
    assert cliffs_delta([1, 2, 0, -1]) == 0.25


@pytest.mark.parametrize(
    ("unit", "name", "value"),
    [
        ("share", "risk_difference", 0.25),
        ("rating", "cliffs_delta", 0.25),
        ("count", "cohens_dz", 0.25 / math.sqrt(0.25)),
    ],
)
def test_the_effect_size_fits_the_unit(unit, name, value) -> None:
    effect = paired_effect([1.0, 0.0, 0.0, 0.0], unit)
    assert effect is not None
    assert (effect.name, effect.value) == (name, pytest.approx(value))
    assert paired_effect([], unit) is None


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_numbers_of_pairs_are_those_of_g_power(effect: float, pairs: int) -> None:
    # Two-sided paired t-test, alpha 0.05, power 0.8: small, medium and large effects in G*Power 3.1.
    assert pairs_needed(effect) == pairs_needed(-effect) == pairs


def test_more_confidence_takes_more_pairs_and_no_effect_takes_no_number() -> None:
    wanted = pairs_needed(0.5, confidence=0.99)
    assert wanted is not None and wanted > 34
    large = pairs_needed(0.01)
    assert large == pytest.approx((1.959964 + 0.841621) ** 2 / 0.01**2, rel=1e-3)
    assert pairs_needed(0.0) is None and pairs_needed(math.nan) is None


def test_a_mean_of_clusters_draws_whole_clusters() -> None:
    values = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 5
    pairs = [str(n // 4) for n in range(40)]
    drawn = Resampling(seed=1)
    alone, together = mean_interval(values, None, drawn), mean_interval(values, pairs, drawn)
    assert alone is not None and together is not None
    assert alone.value == together.value == 0.5 and together.n == 40
    assert together.high - together.low > 1.5 * (alone.high - alone.low), "rows of a cluster are alike"
    assert together == cluster_ratio(values, [1.0] * 40, pairs, drawn).model_copy(update={"n": 40})


def test_clusters_of_unequal_size_and_missing_values() -> None:
    interval = mean_interval([1.0, None, 4.0, 1.0], ["a", "a", "b", "a"])
    assert interval is not None
    assert (interval.value, interval.n) == (2.0, 3)
    assert mean_interval([None], ["a"]) is None


def test_a_comparison_carries_its_statistics() -> None:
    found = {c.metric: c for c in compare_systems(paired([-1, -2, 0, 1, -3, -2, -1, -1, -2, 1]))}
    errors = found["errors_per_summary"]
    assert (errors.n, errors.clusters) == (10, 10)
    assert (errors.wins, errors.ties, errors.losses) == (7, 1, 2)
    assert errors.p == pytest.approx(sign_flip_test([-1, -2, 1, -3, -2, -1, -1, -2, 1]))
    assert errors.effect is not None and errors.effect.name == "cohens_dz"
    assert errors.settles_at is None, "its interval leaves out zero"
    assert found["words"].p_holm is None and found["words"].wins is None, "a metric without a direction is no claim"
    same = found["error_rate"]
    assert (same.difference, same.p, same.settles_at, same.wins) == (0.0, 1.0, None, 0)


def test_an_unsettled_comparison_says_what_would_settle_it() -> None:
    differences = [-3, 2, -2, 1, -1, 0]
    errors = next(c for c in compare_systems(paired(differences)) if c.metric == "errors_per_summary")
    assert errors.low <= 0 <= errors.high
    effect = cohens_dz(differences)
    assert effect is not None and errors.settles_at == pairs_needed(effect)


def test_clusters_settle_by_their_own_number() -> None:
    differences = [-3, -2, 2, 3, -2, -1, 1, 0, -1, -1, 2, 1]
    tool = Resampling(clusters={f"c{n}": str(n // 2) for n in range(12)})
    errors = next(c for c in compare_systems(paired(differences), resampling=tool) if c.metric == "errors_per_summary")
    effect = cohens_dz([-5, 5, -3, 1, -2, 3])
    assert effect is not None
    wanted = pairs_needed(effect)
    assert wanted is not None and errors.settles_at == 2 * wanted, "two conversations a cluster"


def test_clusters_count_as_units_and_make_p_larger() -> None:
    scores = paired([-1, -1, -1, -1, -1, -1])
    clustered = Resampling(clusters={f"c{n}": str(n // 2) for n in range(6)})
    alone, together = (
        next(c for c in compare_systems(scores, resampling=tool) if c.metric == "errors_per_summary")
        for tool in (Resampling(), clustered)
    )
    assert (alone.clusters, alone.p) == (6, pytest.approx(2 / 64))
    assert (together.clusters, together.n, together.p) == (3, 6, pytest.approx(2 / 8))


def test_a_conversation_without_a_cluster_stands_for_itself() -> None:
    partly = Resampling(clusters={"c0": "x", "c1": "x"})
    found = compare_systems(paired([-1, -1, -1, -1]), resampling=partly)
    assert found[0].clusters == 3


def test_holm_is_over_all_comparisons_with_a_direction() -> None:
    def of(metric: str, p: float) -> Comparison:
        return Comparison(a="x", b="y", metric=metric, difference=0, low=0, high=0, p=p)

    found = with_holm([of("error_rate", 0.01), of("words", 0.001), of("rating", 0.04), of("error_rate", 0.03)])
    assert [c.p_holm for c in found] == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]


def test_the_checks_alone_are_a_test_of_their_own_only_where_an_analyst_found_errors_too() -> None:
    def by_check(row: Score) -> Score:
        notes = tuple(note.model_copy(update={"source": "check"}) for note in row.errors)
        return row.model_copy(update={"errors": notes})

    analysed = paired([-1, -2, 1])
    told = {found.metric for found in compare_systems(analysed)}
    assert {"error_rate", "check_error_rate", "errors_per_summary", "check_errors_per_summary"} <= told
    told = {found.metric for found in compare_systems([by_check(row) for row in analysed])}
    assert {"error_rate", "errors_per_summary"} <= told and not {"check_error_rate", "check_errors_per_summary"} & told
    mixed = [by_check(row) if row.system == "teacher" else row for row in analysed]
    assert "check_errors_per_summary" in {found.metric for found in compare_systems(mixed)}


def test_every_student_is_compared_with_the_teacher() -> None:
    systems = ["gpt", "base", "teacher", "reviser", "student_rewrite", "student_arf", "student_arf_dpo"]
    assert compared_pairs(systems) == [
        ("student_arf", "teacher"),
        ("student_arf", "base"),
        ("student_arf", "student_rewrite"),
        ("student_arf", "reviser"),
        ("student_arf_dpo", "student_arf"),
        ("reviser", "teacher"),
        ("student_rewrite", "teacher"),
        ("student_arf_dpo", "teacher"),
        ("gpt", "teacher"),
    ]
    assert compared_pairs(["student_arf"]) == []

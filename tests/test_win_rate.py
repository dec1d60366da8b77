"""Win rates with raw counts, and with length controlled for."""

import pytest

from arf_programs.metrics import Resampling
from arf_programs.metrics.systems.win_rate import first_share, length_controlled, win_rates
from signatures.records import PairVerdict

PAIR = ("student_arf", "teacher")


def verdicts(winner: str, count: int, *, longer: int = 0, start: int = 0, **orders: str | None) -> list[PairVerdict]:
    """`count` verdicts in which the summary of a has `longer` words more."""
    given = {"a_first": winner, "b_first": winner, **orders}
    return [
        PairVerdict(
            conversation_id=f"{winner}{longer}{start + number}",
            channel="email",
            a=PAIR[0],
            b=PAIR[1],
            winner=winner,
            words_a=50 + longer,
            words_b=50,
            **given,
        )
        for number in range(count)
    ]


def test_raw_counts_add_up_to_the_conversations():
    rows = [
        *verdicts("a", 5),
        *verdicts("b", 2),
        *verdicts("tie", 1, a_first="a", b_first="b"),
        *verdicts("tie", 1, start=1, a_first=None, b_first=None),
    ]
    (rate,) = win_rates(rows, [PAIR], conversations=12, resampling=Resampling(200))
    assert (rate.wins, rate.ties, rate.losses, rate.failures) == (5, 2, 2, 3)
    assert (rate.disagreed, rate.same) == (1, 1)
    assert rate.win_rate.value == pytest.approx(6 / 9)
    assert rate.win_rate.low < 6 / 9 < rate.win_rate.high
    assert rate.win_rate.n == 9


def test_a_pair_without_a_verdict_is_all_failures():
    (rate,) = win_rates([], [PAIR], conversations=4)
    assert (rate.wins, rate.ties, rate.losses, rate.failures) == (0, 0, 0, 4)
    assert (rate.win_rate, rate.length_controlled, rate.first_share) == (None, None, None)


def test_pairs_are_kept_apart():
    other = [row.model_copy(update={"a": "base"}) for row in verdicts("b", 3)]
    ours, theirs = win_rates([*verdicts("a", 2), *other], [PAIR, ("base", "teacher")], conversations=3)
    assert (ours.wins, ours.losses, theirs.wins, theirs.losses) == (2, 0, 0, 3)


def test_where_length_alone_explains_the_preference_the_controlled_rate_is_even():
    # The longer one wins nine times of ten, whoever wrote it, and a is the longer one in eight of ten.
    rows = [
        *verdicts("a", 72, longer=20),
        *verdicts("b", 8, longer=20),
        *verdicts("b", 18, longer=-20),
        *verdicts("a", 2, longer=-20),
    ]
    (rate,) = win_rates(rows, [PAIR], conversations=100, resampling=Resampling(100))
    assert rate.win_rate.value == pytest.approx(0.74)
    # By hand: log-odds of 9 and of 1/9 at lengths of equal size and other sign leave theta = 0.
    assert rate.length_controlled == pytest.approx(0.5, abs=0.01)


def test_a_preference_that_length_explains_wholly_stays_finite():
    rows = [*verdicts("a", 80, longer=20), *verdicts("b", 20, longer=-20)]
    # The plain rate is 0.8. No finite coefficient fits such data: the penalty decides, and leaves a part of it.
    assert 0.5 <= length_controlled(rows) < 0.7


def test_a_preference_that_length_does_not_touch_is_left_alone():
    rows = [
        *verdicts("a", 30, longer=20),
        *verdicts("b", 10, longer=20),
        *verdicts("a", 30, longer=-20),
        *verdicts("b", 10, longer=-20),
    ]
    assert length_controlled(rows) == pytest.approx(0.75, abs=0.01)


def test_a_short_system_gains_what_length_took_from_it():
    rows = [*verdicts("b", 30, longer=-30), *verdicts("a", 20, longer=-30), *verdicts("a", 9, longer=5)]
    assert length_controlled(rows) > 29 / 59 + 0.1


def test_ties_count_half():
    assert length_controlled([*verdicts("tie", 4, longer=3), *verdicts("tie", 4, longer=-3)]) == pytest.approx(0.5)
    assert length_controlled([*verdicts("tie", 2), *verdicts("a", 2)]) == 0.75


def test_without_other_lengths_or_other_winners_it_is_the_plain_rate():
    assert length_controlled([*verdicts("a", 3), *verdicts("b", 1)]) == 0.75
    assert length_controlled([*verdicts("a", 3, longer=5), *verdicts("a", 1)]) == 1
    assert length_controlled(verdicts("b", 2, longer=9)) == 0


def test_the_share_of_the_first_place():
    first = verdicts("tie", 3, a_first="a", b_first="b")
    fair = verdicts("a", 1)
    assert first_share(first) == 1
    assert first_share([*first, *fair]) == 7 / 8
    assert first_share(verdicts("tie", 2)) is None

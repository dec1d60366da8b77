"""The error that is planted in the rejected side of a preference pair: which kind, and that it is repeatable."""

from collections import Counter

import pytest

from arf_programs.planting import RightSummary, draw_errors
from signatures.exceptions import DataError
from signatures.records import Conversation, Turn

TEXT = "Carla asked about order 55821. Ben refunded $40. He promised a call on Tuesday."


def summary(number=0, text=TEXT):
    talk = Conversation(
        id=f"lamp-{number}",
        turns=(
            Turn(speaker="Customer", text="Carla Bauer here. Where is order 55821? It cost $40 and $12.50."),
            Turn(speaker="Agent", text="Ben here. I refund $40; Mr Novak calls on Tuesday or Friday."),
        ),
    )
    return RightSummary(talk, text, "revisions")


def categories(kinds, counts, many=200):
    drawn = draw_errors([summary(number) for number in range(many)], kinds, counts, seed=17)
    return Counter(error.change.category for error in drawn)


def test_the_error_is_in_the_text_at_its_place_and_the_rest_is_as_it_was():
    for number in range(20):
        (error,) = draw_errors([summary(number)], "uniform", {}, seed=17)
        change = error.change
        assert error.text == TEXT[: change.start] + change.wrong + TEXT[change.end :] != TEXT


def test_the_same_seed_draws_the_same_error_whatever_the_others():
    several = [summary(number) for number in range(12)]
    first = draw_errors(several, "uniform", {}, seed=17)
    assert draw_errors(several[5:6], "uniform", {}, seed=17) == first[5:6]
    assert draw_errors(several, "uniform", {}, seed=18) != first


def test_categories_are_drawn_as_often_as_the_teachers_errors_have_them():
    drawn = categories("teacher", {"wrong_fact": 9, "missing_outcome": 3, "unclear": 50})
    assert set(drawn) == {"wrong_fact", "missing_outcome"}, "a category that cannot be planted is no choice"
    assert 2 < drawn["wrong_fact"] / drawn["missing_outcome"] < 4.5


def test_uniform_draws_each_category_equally_often():
    drawn = categories("uniform", {"wrong_fact": 9})
    assert len(drawn) >= 4 and min(drawn.values()) > 0.5 * max(drawn.values())


def test_commonest_takes_one_category_that_can_be_planted():
    assert set(categories("commonest", {"unclear": 9, "fabricated": 2, "wrong_fact": 1})) == {"fabricated"}


def test_a_text_that_allows_no_such_error_gets_none():
    bare = summary(text="All was well.")
    drawn = draw_errors([bare, summary()], "commonest", {"wrong_speaker": 2, "missing_outcome": 5}, seed=17)
    assert drawn[0] is None and drawn[1].change.category == "missing_outcome"


@pytest.mark.parametrize("kinds", ["teacher", "commonest"])
def test_a_teacher_without_such_errors_is_told(kinds):
    with pytest.raises(
        DataError, match=r"none of the teacher's errors .*fabricated.* set train.preference.kinds to uni"
    ):
        draw_errors([summary()], kinds, {"unclear": 3}, seed=17)
    assert draw_errors([], kinds, {}, seed=17) == []

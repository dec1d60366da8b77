"""A day that a message gives by its own date: "tomorrow", "on Friday", "three days ago"."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.checks import run_checks
from arf_programs.checks.parsing.dates import MONTHS
from signatures.records import Conversation, Turn

STAMPS = ["[{:%Y-%m-%d} 10:32] {}", "[{:%Y-%m-%dT10:32:11Z}] {}", "[{:%d.%m.%Y}, 10:32:11] {}", "{:%A, %d %B %Y}: {}"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def quotes(summary, *texts):
    turns = tuple(Turn(speaker=("Customer", "Agent")[number % 2], text=text) for number, text in enumerate(texts))
    return [note.quote for note in run_checks(Conversation(id="c", turns=turns), summary, enabled=("dates",))]


def written(day):
    return f"{MONTHS[day.month - 1].title()} {day.day}"


@pytest.mark.parametrize(
    ("said", "summary", "wrong"),
    [
        ("I come tomorrow", "The customer comes on March 5.", "The customer comes on March 7."),
        ("I come tomorrow", "The customer comes on Wednesday.", "The customer comes on Saturday."),
        ("it broke yesterday", "It broke on 3 March 2025.", "It broke on 13 March 2025."),
        ("it broke today", "It broke on Tuesday, March 4.", "It broke on Thursday, March 4."),
        ("I ordered last Friday", "It was ordered on 28 February.", "It was ordered on 25 February."),
        ("come next Monday", "They come on March 10.", "They come on March 12."),
        ("in two weeks please", "It comes on March 18.", "It comes on March 28."),
        ("in a week please", "It comes on March 11.", "It comes on March 21."),
        ("it broke three days ago", "It broke on March 1.", "It broke on March 2."),
        ("within 3 days", "It comes by March 7.", "It comes by March 9."),
        ("ich komme morgen", "The customer comes on March 5.", "The customer comes on March 15."),
        ("by the end of April", "It comes by April 30.", "It comes by April 20."),
        ("by the end of the month", "It comes by March 31.", "It comes by March 30."),
        ("by the end of next month", "It comes by April 30.", "It comes by April 29."),
        ("the day after tomorrow", "The customer comes on March 6.", "The customer comes on March 16."),
    ],
)
def test_a_day_by_the_date_of_a_message(said, summary, wrong):
    assert quotes(summary, f"[2025-03-04 10:32] {said}") == []
    assert quotes(wrong, f"[2025-03-04 10:32] {said}") != []


@given(st.dates(date(2001, 1, 1), date(2099, 1, 1)), st.sampled_from(STAMPS), st.integers(1, 9))
def test_days_ahead_in_every_form_of_the_date(day, stamp, ahead):
    said = stamp.format(day, f"it comes in {ahead} days")
    assert quotes(f"It comes on {written(day + timedelta(days=ahead))}.", said) == []
    assert quotes(f"It comes on {WEEKDAYS[(day + timedelta(days=ahead)).weekday()]}.", said) == []
    later = day + timedelta(days=ahead + 40)
    assert quotes(f"It comes on {written(later)}.", said) == [written(later)]


def test_a_turn_without_a_date_has_that_of_the_turn_before():
    assert quotes("It comes on March 5.", "[2025-03-04 10:32] when?", "tomorrow") == []


def test_without_a_date_of_the_message_tomorrow_is_no_date():
    assert quotes("It comes on March 5.", "when?", "tomorrow") == ["March 5"]
    assert quotes("It comes on March 5.", "I bought it in Berlin, I think, on 2025-03-04", "tomorrow") == ["March 5"]

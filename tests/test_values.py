"""The values of a conversation: read, written in the place of another, and ranked."""

import pytest

from arf_programs.checks.finding import Material
from arf_programs.values.ranking import comparable, has_value, rank_values
from arf_programs.values.reading import find_values, same_value
from arf_programs.values.statements import exchange_roles, find_negations
from arf_programs.values.writing import write_value
from signatures.records import Conversation, Turn

TALK = Conversation(
    id="lamp",
    turns=(
        Turn(speaker="Customer", text="hi, Carla Bauer. order 55821 of 3 march came to $40, the bulb cost $12.50."),
        Turn(speaker="Agent", text="Hello, Ben here. The lamp comes back to Graz by Tuesday, a courier comes at 3pm."),
        Turn(speaker="Customer", text="and the bulb? it took 3 days, i have KD-77120 and KD-77121 here"),
        Turn(speaker="Agent", text="I refund $40 for the lamp within 24 hours. The voucher over 15 is for order 6693."),
        Turn(speaker="Customer", text="Mr Novak of @LampWorld said friday, 9 may."),
    ),
)


def the_value(text, words):
    (found,) = [value for value in find_values(text) if value.text == words]
    return found


def best(summary, wrong, **known):
    """The summary with the best candidate in the place of the wrong value."""
    ranked = rank_values(Material(TALK, summary), the_value(summary, wrong), **known)
    start, end, words = ranked[0].replacement
    return summary[:start] + words + summary[end:]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Carla paid $40 on 3 March at 3pm.", ["name", "amount", "date", "time"]),
        ("Order 55821, model KD-77120, took two days, 10% off.", ["number", "code", "number", "number"]),
        ("It cost 12.50 on Friday.", ["amount", "date"]),
        ("The first one was sent to both.", ["number"]),
    ],
)
def test_values_are_read_with_their_kinds(text, kinds):
    assert [value.kind for value in find_values(text)] == kinds


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("24 hours", "1 day", True),
        ("two boxes", "2 boxes", True),
        ("Friday", "Fri", True),
        ("3 March", "March 3rd", True),
        ("3pm", "15:00", True),
        ("$40", "40 days", False),
        ("KD-77120", "KD 77121", False),
    ],
)
def test_one_value_is_the_same_in_several_forms(one, other, same):
    (a,), (b,) = find_values(one), find_values(other, lenient=True)
    assert same_value(a, b) is same


@pytest.mark.parametrize(
    ("text", "wrong", "source", "right", "after"),
    [
        ("He paid $45.", "45", "it was $60.50", "60.50", "He paid $60.50."),
        ("It took two days.", "two", "8 days", "8", "It took eight days."),
        ("It took 2 days.", "2", "eight days", "eight", "It took 8 days."),
        ("It took 3 days.", "3", "24 hours", "24", "It took 24 hours."),
        ("It came on May 5th.", "May 5th", "2 june", "2 june", "It came on June 2nd."),
        ("It came on Mon.", "Mon", "friday", "friday", "It came on Fri."),
        ("He got a $40 voucher.", "40", "$80", "80", "He got an $80 voucher."),
        ("Order #KD-1 came.", "#KD-1", "KD-77", "KD-77", "Order #KD-77 came."),
    ],
)
def test_a_value_takes_the_form_of_the_one_that_it_replaces(text, wrong, source, right, after):
    other = next(value for value in find_values(source, lenient=True) if value.text == right)
    start, end, words = write_value(text, the_value(text, wrong), other)
    assert text[:start] + words + text[end:] == after


@pytest.mark.parametrize(
    ("summary", "wrong", "after"),
    [
        ("The agent refunded $12.50 for the lamp.", "12.50", "The agent refunded $40 for the lamp."),
        ("The bulb cost $95.", "95", "The bulb cost $12.50."),
        ("The courier comes at 5pm.", "5pm", "The courier comes at 3pm."),
        ("The lamp comes back by Monday.", "Monday", "The lamp comes back by Tuesday."),
        ("The customer ordered on 9 May, order 55821.", "9 May", "The customer ordered on 3 March, order 55821."),
        ("The voucher is for order 55821.", "55821", "The voucher is for order 6693."),
        ("The lamp goes to Vienna.", "Vienna", "The lamp goes to Graz."),
    ],
)
def test_the_value_in_words_like_those_of_the_sentence_comes_first(summary, wrong, after):
    assert best(summary, wrong) == after


def test_what_the_error_cites_or_names_comes_first():
    summary = "They spoke of a sum of $99."
    assert best(summary, "99", cited=[1]).endswith(("$40.", "$12.50."))
    assert best(summary, "99", explained=find_values("it was 12.50")) == "They spoke of a sum of $12.50."
    assert best(summary, "99", explained=find_values("it was $40")) == "They spoke of a sum of $40."


def test_a_value_fits_only_where_the_conversation_speaks_of_the_same():
    ranked = rank_values(Material(TALK, "A supervisor waived $75 in fees."), find_values("A supervisor waived $75")[0])
    assert ranked and not any(item.fits for item in ranked)
    summary = "The bulb cost $95."
    assert rank_values(Material(TALK, summary), the_value(summary, "95"))[0].fits


def test_the_wrong_value_itself_is_no_candidate():
    summary = "The refund came within one day, and $40 was paid."
    words = [item.replacement.words for item in rank_values(Material(TALK, summary), the_value(summary, "40"))]
    assert "40" not in words and "$40" not in words


def test_a_share_is_no_amount_and_a_short_number_no_code():
    def first(text):
        return find_values(text)[0]

    assert comparable(first("$40"), first("15"))
    assert not comparable(first("$40"), first("10%"))
    assert not comparable(first("3"), first("KD-77120"))
    assert comparable(first("55821"), first("KD-77120"))


def test_a_value_is_known_in_any_form():
    assert has_value(TALK, find_values("on 3 March")[0])
    assert not has_value(TALK, find_values("on 4 March")[0])


def test_roles_are_exchanged_in_a_sentence_that_opens_with_one():
    text = "The customer asked the agent. The agent sent it."
    assert exchange_roles(text, 0, 29) == (4, 28, "agent asked the customer")
    assert exchange_roles(text, 13, 29) is None


def test_a_not_is_taken_out_with_the_form_of_the_verb():
    def turned(text):
        item = find_negations(text)[0]
        return text[: item.start] + item.words + text[item.end :]

    assert turned("The agent did not refund it.") == "The agent refunded it."
    assert turned("The agent does not offer it.") == "The agent offers it."
    assert turned("The agent was not there.") == "The agent was there."
    assert turned("The agent refunded it.") == "The agent did not refund it."

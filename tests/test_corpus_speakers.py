"""Which lines of a text begin a turn."""

import pytest

from arf_programs.corpus.speakers import parse_turns


def turns(text):
    return [(turn.speaker, turn.text) for turn in parse_turns(text)]


def speakers(text):
    return [turn.speaker for turn in parse_turns(text)]


def test_lines_with_speakers_and_continuations():
    text = "Customer: Hello,\nmy order is late.\n\nIt was due on Monday.\n\nSales Agent: Let me see.\nCustomer:"
    assert turns(text) == [
        ("Customer", "Hello,\nmy order is late.\n\nIt was due on Monday."),
        ("Sales Agent", "Let me see."),
        ("Customer", ""),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "  Total: 12 euro",
        "\tAgent: quoted from an earlier chat",
        "- Date: 3 May",
        "1. Trip type: Is it one way?",
        "**Cabin:** economy",
        "https://example.org/track",
        "Note: the desk closes at five",
        "Trip type: one way",
        "User ID: ab12",
        "Order number: 77120",
        "Dear customer: thank you",
        "We leave at 5:30 sharp",
        "Please tell me one of these things now: name or number",
        "Yes, exactly: that one",
        "A label that is a good deal too long to be one: x",
    ],
)
def test_lines_that_only_look_like_speakers_belong_to_the_turn(line):
    text = f"Customer: hello\nAgent: see below\n{line}\nCustomer: thanks\nAgent: bye"
    assert speakers(text) == ["Customer", "Agent", "Customer", "Agent"]
    assert turns(text)[1][1].endswith(line.strip())


def test_fields_listed_twice_within_one_message_are_no_speakers():
    text = "Customer: which?\nAgent: two flights\nFlight: K1\nFare: 90\nFlight: K2\nFare: 120\nCustomer: the first"
    assert speakers(text) == ["Customer", "Agent", "Customer"]


def test_speakers_may_have_names_instead_of_roles():
    assert speakers("Maria: hi\nTom: hello\nMaria: bye") == ["Maria", "Tom", "Maria"]
    assert speakers("Maria: hi\nTom: hello\nColour: red\nMaria: ok\nTom: bye") == ["Maria", "Tom", "Maria", "Tom"]
    assert speakers("Maria: hi\nTom: hello\nAnna: good day") == ["Maria", "Tom", "Anna"]
    assert speakers("Jean-Luc O'Neill: hi\nTom: hello\nJean-Luc O'Neill: bye\nTom: bye")[0] == "Jean-Luc O'Neill"


def test_speakers_of_other_scripts():
    assert turns("ग्राहक: नमस्ते\nएजेंट: जी\nग्राहक: धन्यवाद")[1:] == [("एजेंट", "जी"), ("ग्राहक", "धन्यवाद")]
    assert turns("客户：你好\n客服：您好") == [("客户", "你好"), ("客服", "您好")]


def test_a_third_role_that_speaks_once_is_a_speaker_and_so_is_a_name_that_comes_back():
    assert speakers("Customer: a\nAgent: b\nSupervisor (night): c\nCustomer: d")[2] == "Supervisor (night)"
    assert speakers("Customer: a\nBot: b\nZoltan: c\nCustomer: d\nZoltan: e") == [
        "Customer", "Bot", "Zoltan", "Customer", "Zoltan",
    ]  # fmt: skip


def test_a_space_behind_the_colon_is_not_needed():
    assert turns("Customer:hello\nAgent:yes\nAgent 2:5 minutes\nAgent 2:ok") == [
        ("Customer", "hello"),
        ("Agent", "yes"),
        ("Agent 2", "5 minutes"),
        ("Agent 2", "ok"),
    ]


def test_text_before_the_first_speaker_is_refused_unless_blank():
    assert speakers("\n  \nCustomer: hi\nAgent: yes") == ["Customer", "Agent"]
    with pytest.raises(ValueError, match="begins with 'Chat of 3 May', not with a `Speaker"):
        parse_turns("Chat of 3 May\nCustomer: hi")
    with pytest.raises(ValueError, match="begins with"):
        parse_turns("just words")
    assert parse_turns(" \n") == ()

"""A conversation and its right summary, changed together."""

import json
from pathlib import Path
from random import Random

import pytest

from arf_programs.checks import run_checks
from arf_programs.planting import FACETS, make_counterfactual
from signatures.records import Conversation, Turn

SAMPLE = Path(__file__).parent.parent / "examples" / "quickstart" / "conversations.jsonl"


def talk(*texts, speakers=("Customer", "Agent"), **more):
    turns = tuple(Turn(speaker=speakers[n % 2], text=text) for n, text in enumerate(texts))
    return Conversation(id="c", channel="chat", turns=turns, **more)


def changed(conversation, summary, *facets):
    return make_counterfactual(conversation, summary, facets, Random(1))


def text_of(made):
    return made.conversation.as_text() + made.summary


def test_an_amount_is_changed_wherever_it_stands():
    made = changed(
        talk("I was charged $39.90 for it.", "We give back the 39.90 today.", "OK, $39.90 then. And the 12 cents?"),
        "The customer was charged $39.90, and the agent refunded it.",
        "amount",
    )
    (swap,) = [swap for swap in made.swaps if swap.old == "39.90"]
    assert "39.90" not in text_of(made)
    assert text_of(made).count(swap.new) == 4
    assert made.conversation.as_text().count(f"${swap.new}") == 2, "each keeps its own form"


def test_a_date_and_a_number_keep_their_forms_and_dates_of_other_days_stay():
    made = changed(
        talk("Order 88214 should come on 3 May.", "It left on 1 May; on May 3rd you have it.", "Order 88214, right?"),
        "Order 88214 arrives on 3 May.",
        "date",
        "number",
    )
    new = {swap.old: swap.new for swap in made.swaps}
    assert set(new) == {"3 May", "88214"}
    assert "3 May" not in text_of(made) and "May 3rd" not in text_of(made) and "88214" not in text_of(made)
    assert "1 May" in made.conversation.as_text()
    assert made.summary == f"Order {new['88214']} arrives on {new['3 May']}."


def test_a_name_is_changed_in_the_turns_of_its_owner_and_in_the_address():
    conversation = talk(
        "My name is Jane Miller, jane@example.org.", "Hello Jane, JANE MILLER, is it?", speakers=("Jane", "Agent")
    )
    made = changed(conversation, "Jane Miller gave her address.", "name")
    assert "jane" not in text_of(made).lower() and "miller" not in text_of(made).lower()
    first, last = made.summary.split()[:2]
    assert made.conversation.turns[0].speaker == first
    assert f"{first.lower()}@example.org" in made.conversation.as_text()
    assert f"{first.upper()} {last.upper()}" in made.conversation.as_text()


def test_a_name_that_is_also_a_word_stays():
    conversation = talk("Will here. My lamp broke.", "We will send another, Will.")
    assert changed(conversation, "Will got another lamp.", "name") is None


def test_what_was_done_is_turned_round_in_both():
    conversation = talk("I want to cancel my order.", "I have cancelled your order today.")
    made = changed(conversation, "The agent cancelled the order.", "action")
    assert made.summary == "The agent confirmed the order."
    assert [turn.text for turn in made.conversation.turns] == [
        "I want to confirm my order.",
        "I have confirmed your order today.",
    ]


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        ("Your cancellation of the order is done, I cancelled the order.", "the noun would still tell the old story"),
        ("I cancelled the order and confirmed the refund.", "the opposite is there already"),
        ("My colleague cancelled his holiday.", "it is another action"),
        ("It is all done.", "no turn names it"),
    ],
)
def test_an_action_stays_where_the_turns_do_not_follow(turn, why):
    assert changed(talk("Hello.", turn), "The agent cancelled the order.", "action") is None, why


def test_small_numbers_stay_and_so_does_what_the_conversation_does_not_have():
    assert changed(talk("I want 2 lamps.", "Both of the 2 are here."), "The customer wanted 2 lamps.", "number") is None
    assert changed(talk("I want my money."), "The customer wanted 95 euros.", "amount") is None
    assert changed(talk("Hello."), "The customer said hello.", *FACETS) is None


def test_the_old_story_is_left_out_and_the_same_random_numbers_give_the_same():
    conversation = talk("Order 88214 is late.", references=("Order 88214.",), draft="Order 88214.", metadata={"a": 1})
    made = changed(conversation, "Order 88214 is late.", "number")
    assert made.conversation.references == () and made.conversation.draft is None
    assert (made.conversation.id, made.conversation.metadata) == ("c", {"a": 1})
    assert made == changed(conversation, "Order 88214 is late.", "number")


def test_the_checks_find_no_new_error_in_changed_pairs():
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    swaps = 0
    for row in rows[::3]:
        turns = tuple(Turn(**turn) for turn in row["conversation"])
        conversation = Conversation(id=row["id"], channel=row["channel"], turns=turns)
        summary = row["references"][0]
        made = make_counterfactual(conversation, summary, FACETS, Random(row["id"]))
        if made is not None:
            swaps += len(made.swaps)
            assert len(run_checks(made.conversation, made.summary)) <= len(run_checks(conversation, summary))
    assert swaps > 40

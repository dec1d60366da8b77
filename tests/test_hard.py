"""Conversations that are harder to summarise: what an operator changes, what is right for it, and its trap."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from arf_programs.checks import run_checks
from arf_programs.planting import OPERATOR_NAMES, Trap, harden
from arf_programs.tools.rounds.search import Bandit
from signatures.records import Conversation, Turn

SAMPLE = Path(__file__).parent.parent / "examples" / "quickstart" / "conversations.jsonl"


def kettle():
    said = ("My kettle from order 88214 leaks.", "Sorry! We send another.", "And the 39.90?", "That is refunded today.")
    turns = tuple(Turn(speaker=("Customer", "Agent")[n % 2], text=text) for n, text in enumerate(said))
    return Conversation(id="kettle", channel="chat", turns=turns, references=("Old.",), draft="Old.")


SUMMARY = "The kettle of order 88214 leaked. The agent refunded 39.90."
WRONG = {
    "second_number": lambda trap: f"The kettle of order {trap.wrong[0]} leaked.",
    "similar_amount": lambda trap: f"The agent refunded {trap.wrong[0]}.",
    "correction": lambda trap: f"It was about {trap.wrong[0]}.",
    "denied_refund": lambda trap: f"The agent refunded {trap.wrong[0]} for the trouble.",
    "two_agents": lambda trap: f"{trap.wrong[0]} refunded the kettle.",
    "digression": lambda trap: f"The customer spoke of a {trap.wrong[0]}.",
}


@pytest.mark.parametrize("operator", OPERATOR_NAMES)
def test_an_operator_knows_what_is_right_and_what_a_careless_summary_says(operator):
    hard = harden(kettle(), SUMMARY, operator, Random(3))
    assert hard.conversation.turns != kettle().turns
    assert hard.conversation.references == () and hard.conversation.draft is None
    assert not hard.trap.caught(hard.summary)
    assert hard.trap.caught(WRONG[operator](hard.trap))
    assert not hard.trap.caught("The kettle leaked, and the agent helped.")
    assert all(word in hard.conversation.as_text() for word in hard.trap.wrong)
    assert run_checks(hard.conversation, hard.summary) == []
    assert hard == harden(kettle(), SUMMARY, operator, Random(3))


def test_a_denied_refund_may_be_told_as_denied_and_a_wrong_number_beside_the_right_one():
    trap = Trap(("20.15",), denial=True)
    assert trap.caught("The agent refunded 20.15.")
    assert not trap.caught("The agent promised 20.15, but it was declined.")
    assert trap.caught("It was not late. The agent refunded 20.15."), "the denial is in another sentence"
    assert not Trap(("88",), ("77",)).caught("Order 77 is late; order 88 is settled.")
    assert not Trap(("88",), ("77",)).caught("It cost 88.50, or 188.")


def test_an_operator_that_finds_nothing_gives_nothing():
    turns = (Turn(speaker="Customer", text="Hello."), Turn(speaker="Agent", text="I'm Ann. Bye."))
    talk = Conversation(id="c", channel="chat", turns=turns)
    for operator in ("second_number", "similar_amount", "correction", "two_agents"):
        assert harden(talk, "They greeted each other.", operator, Random(1)) is None


def test_right_summaries_of_the_sample_are_caught_in_no_trap():
    made = Counter[str]()
    for line in SAMPLE.read_text(encoding="utf-8").splitlines()[::4]:
        row = json.loads(line)
        talk = Conversation(id=row["id"], channel="chat", turns=tuple(Turn(**turn) for turn in row["conversation"]))
        for operator in OPERATOR_NAMES:
            hard = harden(talk, row["references"][0], operator, Random(row["id"]))
            if hard is not None:
                made[operator] += 1
                assert not hard.trap.caught(hard.summary)
    assert set(made) == set(OPERATOR_NAMES)


def test_the_bandit_comes_to_try_what_brings_failures():
    rates = {"easy": 0.05, "hard": 0.6, "middle": 0.2}

    def tried(learns):
        bandit, chance, counts = Bandit(tuple(rates), "seed", learns=learns), Random(5), Counter[str]()
        for _ in range(300):
            arm = bandit.choose()
            counts[arm] += 1
            bandit.learn(arm, reward=chance.random() < rates[arm])
        return counts

    assert tried(True)["hard"] > 200
    assert max(tried(False).values()) < 130
    assert tried(True) == tried(True)

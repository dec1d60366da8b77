"""The labelled set split by conversation."""

from __future__ import annotations

import pytest

from arf_programs.corpus.labeled import LabeledExample
from arf_programs.tools.compiling.cases import Cases, split_cases
from signatures.exceptions import DataError
from signatures.records import Conversation, Turn

SHARES = (0.5, 0.25, 0.25)
WORDS = [
    "kettle",
    "lamp",
    "drill",
    "scarf",
    "router",
    "tent",
    "piano",
    "mirror",
    "stove",
    "ladder",
    "camera",
    "desk",
    "sofa",
    "bench",
]


def labeled(name: str, text: str = "", summary: str = "It broke.") -> LabeledExample:
    turn = Turn(speaker="Customer", text=text or f"My {name} came broken, and a {name} is what I need for my {name}.")
    return LabeledExample(conversation=Conversation(id=name, turns=(turn,)), summary=summary)


def split(examples: list[LabeledExample], seed: int = 17) -> Cases:
    return split_cases(examples, shares=SHARES, seed=seed, near_duplicate=0.8)


def sides(cases: Cases) -> list[set[str]]:
    return [{case.labeled.conversation.id for case in side} for side in (cases.train, cases.dev, cases.test)]


def test_sides_have_their_shares_and_nothing_is_lost():
    cases = split([labeled(word) for word in WORDS[:12]])
    assert cases.sizes() == {"train": 6, "dev": 3, "test": 3}
    train, dev, test = sides(cases)
    assert train | dev | test == set(WORDS[:12])
    assert not train & dev and not train & test and not dev & test


def test_the_same_and_nearly_the_same_conversation_stay_on_one_side():
    long = "I bought it on Monday, and on Tuesday it would not start, whatever I did with the cable or the plug. " * 3
    for seed in range(5):
        examples = [labeled(word) for word in WORDS[:9]]
        examples += [labeled("a", long, "One."), labeled("a", long, "Two."), labeled("b", long + " Bye.")]
        found = [side for side in sides(split(examples, seed)) if side & {"a", "b"}]
        assert len(found) == 1 and {"a", "b"} <= found[0]


def test_the_order_of_the_file_and_an_example_more_move_few_others():
    before = split([labeled(word) for word in WORDS[:13]])
    assert sides(split([labeled(word) for word in reversed(WORDS[:13])])) == sides(before)
    after = split([labeled(word) for word in WORDS])
    moved = sum(len(old - new) for old, new in zip(sides(before), sides(after), strict=True))
    assert moved <= 3


def test_another_seed_splits_otherwise():
    examples = [labeled(word) for word in WORDS]
    assert len({frozenset(sides(split(examples, seed))[2]) for seed in range(6)}) > 1


def test_too_few_conversations_and_an_empty_side_are_named():
    with pytest.raises(DataError, match="2 different conversations"):
        split([labeled(word) for word in WORDS[:2]])
    cases = split([labeled(word) for word in WORDS])
    wanted = {case.labeled.conversation.id for case in cases.train}
    with pytest.raises(DataError, match="no rating among the labelled examples of dev"):
        cases.only(lambda example: example.conversation.id in wanted, what="rating")


def test_a_case_shows_no_label_where_optimizers_print_it():
    case = split([labeled(word) for word in WORDS]).train[0]
    assert "It broke." in str(case) and case.labeled.conversation.turns[0].text in str(case)
    assert repr(case) == f"Case({case.labeled.conversation.id!r})"

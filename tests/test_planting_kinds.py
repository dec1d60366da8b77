"""Each kind of planted error: what it changes, and that the result is wrong and grammatical."""

from random import Random

import pytest

from arf_programs.checks.finding import Material
from arf_programs.metrics.repair import Place
from arf_programs.planting.choose import PLANTERS
from arf_programs.planting.details import plant_amounts, plant_dates, plant_names, plant_numbers
from arf_programs.planting.records import plant_text
from arf_programs.planting.sentences import (
    plant_actions,
    plant_negations,
    plant_outcome,
    plant_speakers,
    plant_unsupported,
)
from arf_programs.values.statements import forms
from arf_programs.values.writing import write_date, write_like
from signatures.records import Conversation, Turn

TALK = Conversation(
    id="lamp",
    turns=(
        Turn(speaker="Customer", text="Carla Bauer here. Order 55821 came on 3 March from Graz, for $40 and $12.50."),
        Turn(speaker="Agent", text="Ben here. I refund $40 in 5 days; Mr Novak calls on Tuesday or Friday, by 9 May."),
    ),
)


def planted(planter, summary, seed=1, talk=TALK):
    """(origin, text) of each change, once made."""
    changes = planter(Material(talk, summary), Random(seed))
    return [(c.origin, plant_text(summary, [Place(c.start, c.end, c.wrong)])) for c in changes]


def of(origin, texts):
    return {text for known, text in texts if known == origin}


def over_seeds(planter, summary):
    return [item for seed in range(30) for item in planted(planter, summary, seed)]


def test_an_amount_becomes_another_of_the_conversation_or_one_that_it_does_not_have():
    texts = over_seeds(plant_amounts, "Carla paid $40.")
    assert of("conversation", texts) == {"Carla paid $12.50."}
    for text in of("invented", texts):
        value = text.removeprefix("Carla paid $").removesuffix(".")
        assert value.isdecimal() and value not in ("40", "12", "5", "3", "9")


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("45", 60, "60"),
        ("18.90", 7.5, "7.50"),
        ("18,90", 1234.5, "1234,50"),
        ("1,200", 3400, "3,400"),
        ("1.200", 3400, "3.400"),
        ("1,200.50", 3400.25, "3,400.25"),
        ("three", 7, "seven"),
        ("Three", 7, "Seven"),
        ("three", 70, None),
    ],
)
def test_numbers_keep_their_form(old, value, new):
    assert write_like(old, value) == new


def test_numbers_leave_one_and_ordinals_alone_and_keep_their_unit():
    assert planted(plant_numbers, "The first one was sent once to both.") == []
    for text in of("invented", over_seeds(plant_numbers, "It took 5 days.")):
        assert text.startswith("It took ") and text.endswith(" days.") and text != "It took 5 days."


def test_a_code_keeps_its_form_and_is_not_in_the_conversation():
    talk = Conversation(id="x", turns=(Turn(speaker="Customer", text="KD-77120 or GR-1175?"),))
    texts = planted(plant_numbers, "It was KD-77120.", talk=talk)
    assert of("conversation", texts) == {"It was GR-1175."}
    (invented,) = of("invented", texts)
    assert invented.startswith("It was KD-") and len(invented) == len("It was KD-77120.")


def test_a_or_an_follows_the_new_number():
    texts = of("invented", over_seeds(plant_amounts, "Carla got a $40 voucher."))
    assert any(text.startswith("Carla got an $8") for text in texts)
    assert not any(text.startswith("Carla got a $8") for text in texts)


def test_dates_are_changed_in_their_own_form():
    assert write_date("May 5th", day=2) == "May 2nd"
    assert write_date("the 5th of May", month=9) == "the 5th of September"
    assert write_date("3 Mar", month=9) == "3 Sep"
    assert write_date("2024-03-05", day=11) == "2024-03-11"
    assert write_date("Tuesday", weekday=4) == "Friday"
    assert write_date("05/06", day=7) is None
    texts = over_seeds(plant_dates, "It came on 3 March, a Tuesday.")
    assert of("conversation", texts) == {"It came on 9 May, a Tuesday.", "It came on 3 March, a Friday."}
    for text in of("invented", texts):
        assert text not in ("It came on 3 March, a Friday.", "It came on 9 May, a Tuesday.")


def test_names_are_changed_to_names_of_their_sort():
    texts = over_seeds(plant_names, "Carla Bauer lives in Graz. Mr Novak called.")
    known = of("conversation", texts)
    assert "Carla Bauer lives in Graz. Mr Ben called." in known
    assert not any("in Carla" in text or "in Ben" in text for text in known)
    for text in of("invented", texts):
        assert len(text.split()) == len(["Carla", "Bauer", "lives", "in", "Graz.", "Mr", "Novak", "called."])


def test_speakers_are_changed_about_in_one_sentence():
    texts = planted(plant_speakers, "A customer asked the agent for help. The agent sent it. It came.")
    assert [text for _, text in texts] == [
        "An agent asked the customer for help. The agent sent it. It came.",
        "A customer asked the agent for help. The customer sent it. It came.",
    ]


def test_negation_is_put_in_and_taken_out():
    made = [
        text for _, text in planted(plant_negations, "The lamp was not sent. The agent refunded it and it can wait.")
    ]
    assert made == [
        "The lamp was sent. The agent refunded it and it can wait.",
        "The lamp was not sent. The agent refunded it and it cannot wait.",
        "The lamp was not sent. The agent did not refund it and it can wait.",
    ]
    assert [text for _, text in planted(plant_negations, "The agent couldn't help.")] == ["The agent could help."]


def test_the_outcome_is_the_last_of_several_sentences():
    assert planted(plant_outcome, "It broke. A new one was sent.") == [("none", "It broke.")]
    assert planted(plant_outcome, "It broke.") == []


def test_an_unsupported_sentence_says_what_the_conversation_does_not():
    talk = TALK.model_copy(update={"turns": (*TALK.turns, Turn(speaker="Agent", text="A voucher? A discount?"))})
    made = [text for seed in range(40) for _, text in planted(plant_unsupported, "It broke.", seed, talk)]
    assert all(text.startswith("It broke. The ") for text in made)
    assert not any("voucher" in text or "discount" in text for text in made)


def test_an_action_becomes_its_opposite_where_it_is_a_verb():
    made = [
        text for _, text in planted(plant_actions, "The agent cancelled the order. She declined the approved plan.")
    ]
    assert made == [
        "The agent confirmed the order. She declined the approved plan.",
        "The agent cancelled the order. She accepted the approved plan.",
    ]
    assert [t for _, t in planted(plant_actions, "He agreed to pay.")] == ["He refused to pay."]
    assert planted(plant_actions, "The refund for the closed account and the open order.") == []


def test_a_statement_turned_round_in_the_last_sentence_contradicts_the_outcome():
    first, last = plant_actions(Material(TALK, "The bot accepted it. The agent refunded it."), Random(1))
    assert (first.category, last.category) == ("wrong_fact", "contradicts_outcome")


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("agree", ("agree", "agrees", "agreed", "agreed", "agreeing")),
        ("cancel", ("cancel", "cancels", "cancelled", "cancelled", "cancelling")),
        ("deny", ("deny", "denies", "denied", "denied", "denying")),
        ("give", ("give", "gives", "gave", "given", "giving")),
        ("buy", ("buy", "buys", "bought", "bought", "buying")),
        ("unlock", ("unlock", "unlocks", "unlocked", "unlocked", "unlocking")),
    ],
)
def test_forms_of_verbs(base, expected):
    assert forms(base) == expected


@pytest.mark.parametrize("kind", PLANTERS)
def test_every_change_is_a_change_within_the_text_and_repeats_itself(kind):
    summary = "Carla Bauer paid $40 on 3 March. The agent refunded order 55821 within 5 days and was not late."
    material = Material(TALK, summary)
    changes = PLANTERS[kind](material, Random("x"))
    assert changes == PLANTERS[kind](material, Random("x"))
    assert changes
    for change in changes:
        assert change.kind == kind
        assert 0 <= change.start <= change.end <= len(summary)
        assert change.wrong != summary[change.start : change.end]

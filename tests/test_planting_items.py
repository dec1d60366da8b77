"""The choice of changes, the items made of them, and their wording by a model."""

import pytest

from arf_programs.config.commands import PlantConfig
from arf_programs.config.schema import ColumnsConfig, LabeledConfig
from arf_programs.corpus.labeled import read_labeled
from arf_programs.planting.choose import RightSummary, choose_items
from arf_programs.planting.items import make_item, marked, reworded
from arf_programs.planting.records import by_category, plant_text, short_of
from arf_programs.runs.jsonl import write_jsonl_atomic
from arf_programs.text.quotes import find_quote
from signatures.records import Conversation, Turn

_NAMES = ("Carla", "Boris", "Hannah", "Nora", "Felix", "Oscar")
_SEED = 17


def right(number):
    name, amount, day = _NAMES[number % len(_NAMES)], 40 + number, number % 20 + 1
    turns = (
        Turn(
            speaker="Customer",
            text=f"{name} here. I paid ${amount} and $9 on {number % 20 + 1} March for order 55{number}1.",
        ),
        Turn(speaker="Agent", text="Kevin here. I refund it within 5 days, by 9 May or on a Friday, for 3 lamps."),
    )
    text = (
        f"{name} paid ${amount} on {day} March and was charged twice. The agent refunded order 55{number}1 within "
        "5 days. The customer accepted this and was happy."
    )
    return RightSummary(Conversation(id=f"c{number}", turns=turns), text, "references")


def items(summaries, seed=_SEED, **settings):
    return [make_item(chosen, seed) for chosen in choose_items(summaries, PlantConfig(**settings), seed)]


SUMMARIES = [right(number) for number in range(24)]
WANTED = PlantConfig(per_kind=8)
ITEMS = items(SUMMARIES, per_kind=8)
(AMOUNT, _) = items(SUMMARIES[:1], kinds=("amount",), max_errors=1, per_summary=1, clean=0.5)


def test_what_is_planted_follows_from_the_right_summary():
    assert len({item.id for item in ITEMS}) == len(ITEMS)
    for item in ITEMS:
        assert item.summary == plant_text(item.revised, [plant.place() for plant in item.plants])
        assert (item.summary == item.revised) == (not item.errors)
        assert len(item.errors) == len(item.plants) <= 3
        assert [note.id for note in item.errors] == [plant.error_id for plant in item.plants]
        for plant, note in zip(item.plants, item.errors, strict=True):
            assert item.revised[plant.start : plant.start + len(plant.right)] == plant.right
            assert note.source == "planted"
            if plant.kind == "outcome":
                assert note.quote == "" and note.category == "missing_outcome"
            else:
                assert find_quote(note.quote, item.summary) is not None


def test_a_quote_leads_to_the_planted_place_and_to_no_earlier_one():
    for item in ITEMS:
        shift = 0
        for plant, note in zip(item.plants, item.errors, strict=True):
            start = plant.start + shift
            shift += len(plant.wrong) - len(plant.right)
            if note.quote:
                first, last = find_quote(note.quote, item.summary)
                assert first <= start + len(plant.wrong) and start < last


def test_every_kind_is_planted_as_often_as_wanted_and_some_items_are_clean():
    assert short_of(ITEMS, WANTED) == {}
    assert min(by_category(ITEMS).values()) >= 8
    clean = sum(not item.errors for item in ITEMS)
    assert clean / len(ITEMS) == pytest.approx(0.25, abs=0.02) or clean == len(SUMMARIES)


def test_what_the_texts_do_not_allow_is_told():
    few = items(SUMMARIES[:2], per_kind=20)
    short = short_of(few, PlantConfig())
    assert short["outcome, as missing_outcome"] <= 2
    alone = items([RightSummary(SUMMARIES[0].conversation, "It broke.", "references")], kinds=("date", "unsupported"))
    assert short_of(alone, PlantConfig(kinds=("date", "unsupported")))["date"] == 0


def test_items_of_one_summary_have_different_errors_and_are_not_too_many():
    for summary in SUMMARIES:
        own = [item for item in ITEMS if item.revised == summary.text and item.errors]
        assert len(own) <= 4
        planted = [(plant.kind, plant.origin) for item in own for plant in item.plants if plant.origin != "none"]
        assert len(planted) == len(set(planted))


def test_the_order_of_the_rows_makes_no_difference_and_the_seed_does():
    assert items(SUMMARIES[::-1], per_kind=8) == ITEMS
    assert items([*SUMMARIES, SUMMARIES[3]], per_kind=8) == ITEMS
    assert items(SUMMARIES, seed=18, per_kind=8) != ITEMS


def test_settings_are_kept():
    some = items(SUMMARIES, kinds=("amount", "date"), min_errors=2, max_errors=2, clean=0, per_kind=5)
    assert {plant.kind for item in some for plant in item.plants} == {"amount", "date"}
    assert {len(item.errors) for item in some} == {2}
    assert items(SUMMARIES, clean=0.9)[-1].errors == ()


def test_planted_items_are_a_labelled_set_whose_copies_share_their_conversation(tmp_path):
    write_jsonl_atomic(tmp_path / "planted.jsonl", ITEMS)
    # The corpus may name its columns otherwise; the items do not.
    columns = ColumnsConfig(id="key", conversation="talk", speaker="who", text="said")
    examples = read_labeled(LabeledConfig(path="planted.jsonl"), {}, columns, tmp_path)
    assert len(examples) == len(ITEMS)
    for item, example in zip(ITEMS, examples, strict=True):
        assert example.conversation.id == item.conversation_id
        assert example.conversation.turns == item.conversation
        assert (example.summary, example.revised) == (item.summary, item.revised)
        assert [note.quote for note in example.errors] == [note.quote for note in item.errors]


def test_a_wording_is_taken_if_the_rest_is_the_same_byte_for_byte():
    item = AMOUNT
    (plant,) = item.plants
    assert marked(item) == item.summary.replace(plant.wrong, f"<<{plant.wrong}>>", 1)
    fluent = item.summary.replace(plant.wrong, f"{plant.wrong}.00", 1)
    done = reworded(item, fluent)
    assert (done.summary, done.naturalized, done.id) == (fluent, True, item.id)
    assert find_quote(done.errors[0].quote, fluent) is not None
    assert done.plants[0].wrong == f"{plant.wrong}.00"
    assert plant_text(done.revised, [done.plants[0].place()]) == fluent


@pytest.mark.parametrize("spoil", ["right", "elsewhere", "other", "long", "marks", "same"])
def test_a_wording_that_corrects_or_changes_more_is_not_taken(spoil):
    item = AMOUNT
    (plant,) = item.plants
    answers = {
        "right": item.revised,
        "elsewhere": item.summary.replace("The agent", "An agent").replace(plant.wrong, f"{plant.wrong}.00", 1),
        "other": item.summary.replace(plant.wrong, "77777", 1),
        "long": item.summary.replace(plant.wrong, f"{plant.wrong} which was a lot of money to pay for it", 1),
        "marks": marked(item),
        "same": item.summary,
    }
    assert reworded(item, answers[spoil]) is None

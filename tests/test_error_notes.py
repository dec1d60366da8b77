import pytest
from pydantic import ValidationError

from arf_programs.corpus import load_seed_taxonomy
from arf_programs.programs.analysis.reported_errors import (
    merge_errors,
    narrow_categories,
    note_errors,
    omission_ids,
    same_error,
)
from signatures.describe_error import SentenceError
from signatures.find_errors import FoundError
from signatures.find_omissions import Omission
from signatures.records import ErrorNote

SEED = load_seed_taxonomy()
SUMMARY = "The kettle leaked. The agent refunded 39.90."


def found(**values) -> FoundError:
    given = {"quote": "refunded 39.90", "evidence": [2], "explanation": "Only\noffered.", "category": "wrong_fact"}
    return FoundError(**{**given, **values})


def note(category: str = "wrong_fact", quote: str = "39.90", **values) -> ErrorNote:
    return ErrorNote(id=f"{category}:{quote}", category=category, quote=quote, **values)


def test_what_is_reported_becomes_a_record(conversation):
    rejections: list[str] = []
    (record,) = note_errors(conversation, SUMMARY, [found(quote=" Refunded  39.90")], rejections, taxonomy=SEED)
    assert record.quote == "refunded 39.90"
    assert record.evidence == (2,)
    assert (record.explanation, record.severity, record.source) == ("Only offered.", "major", "lm")
    assert rejections == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"quote": "gave 50 euros"}, "gave 50 euros"),
        ({"evidence": [5]}, "turn 5"),
        ({"evidence": [0]}, "turn 0"),
        ({"quote": "  "}, "without a quote"),
    ],
)
def test_what_points_at_nothing_is_rejected_with_its_reason(conversation, wrong, reason):
    rejections: list[str] = []
    notes = note_errors(conversation, SUMMARY, [found(**wrong), found()], rejections, taxonomy=SEED)
    assert [item.quote for item in notes] == ["refunded 39.90"]
    assert len(rejections) == 1
    assert reason in rejections[0]


def test_an_omission_has_no_quote(conversation):
    omission = Omission(evidence=[4], explanation="When it arrives.", category="missing_outcome")
    quoted = found(category="missing_outcome", quote="The kettle leaked.")
    notes = note_errors(conversation, SUMMARY, [omission, quoted], [], taxonomy=SEED)
    assert [item.quote for item in notes] == ["", ""]


def test_the_sentence_stands_in_for_a_quote_that_is_not_there(conversation):
    error = SentenceError(**found(quote="nothing like it").model_dump())
    rejections: list[str] = []
    second = (SUMMARY.index("The agent"), len(SUMMARY))
    (record,) = note_errors(conversation, SUMMARY, [error], rejections, taxonomy=SEED, sentence=second)
    assert record.quote == "The agent refunded 39.90."
    assert rejections == []
    wrong_turn = error.model_copy(update={"evidence": [9]})
    assert note_errors(conversation, SUMMARY, [wrong_turn], rejections, taxonomy=SEED, sentence=second) == []
    assert "turn 9" in rejections[0]


def test_categories_are_narrowed_in_the_schema():
    narrow = narrow_categories(FoundError, ["wrong_fact", "fabricated"])
    assert narrow.model_json_schema()["properties"]["category"]["enum"] == ["wrong_fact", "fabricated"]
    assert narrow.model_json_schema()["properties"]["category"]["description"].startswith("id of the category")
    narrow(**found().model_dump())
    with pytest.raises(ValidationError):
        narrow(**found(category="other").model_dump())


def test_omissions_have_categories_of_their_own_where_there_are_any():
    assert omission_ids(["wrong_fact", "missing_reason", "missing_outcome"]) == ("missing_reason", "missing_outcome")
    assert omission_ids(["tone", "facts"]) == ("tone", "facts")


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (note(quote="39.90"), note(quote="refunded 39.90"), True),
        (note(quote="refunded 39.90"), note(quote="39.90"), True),
        (note(quote="39.90"), note(quote="kettle"), False),
        (note(quote="39.90"), note("fabricated", "39.90"), False),
        (note("missing_outcome", ""), note("missing_outcome", ""), True),
        (note("missing_outcome", ""), note("missing_reason", ""), False),
        (note(quote="39.90"), note(quote=""), False),
        (note(quote="9"), note(quote="39.90"), False),
        (note(quote="9"), note(quote="on 9 April"), True),
        (note(quote="[["), note(quote="[[ ##"), True),
    ],
)
def test_when_two_notes_are_one_error(a, b, same):
    assert same_error(a, b) is same


def test_checks_come_first_and_an_error_counts_once():
    checked = [note(source="check")]
    twice = [note(quote="refunded 39.90"), note("fabricated", "The kettle"), note("fabricated", "kettle")]
    merged = merge_errors(checked, twice, SUMMARY)
    assert [(item.category, item.quote, item.source) for item in merged] == [
        ("wrong_fact", "39.90", "check"),
        ("fabricated", "The kettle", "lm"),
    ]


APRIL = "On 9 April she ordered 9 lamps, then a lamp for 39.90, and waited until the end of the 2nd of May."


@pytest.mark.parametrize(
    ("kept", "found", "one"),
    [
        ("9 April", "9", False),  # it may be the 9 lamps
        ("9", "9 April", True),  # wherever that stands, the other stands
        ("39.90", "9", False),
        ("a lamp for 39.90", "39.90", True),
        ("a lamp for 39.90", "39.90, and", True),  # neither holds the other
        ("39.90, and waited until the end", "the end of the 2nd of May", False),  # two of six words
        ("9 lamps, then a lamp", "lamp", True),
        ("9 lamps", "lamp", False),
        (".", ".", True),
    ],
)
def test_one_error_or_two_is_decided_by_the_place(kept, found, one):
    merged = merge_errors([note(quote=kept, source="check")], [note(quote=found)], APRIL)
    assert len(merged) == (1 if one else 2)
    other = note("private_data", found)
    assert len(merge_errors([note(quote=kept)], [other], APRIL)) == 2  # what is said, and that it is said


def at(quote, category="wrong_fact", text=SUMMARY, **values) -> ErrorNote:
    """A note with its place, the last one of its words."""
    return note(category, quote, start=text.rindex(quote), **values)


def test_what_check_and_analyst_call_by_two_names_is_one_error_with_the_better_explanation():
    checked = at("39.90", "fabricated", source="check", explanation="The number is not in the conversation.")
    told = at("refunded 39.90", evidence=(2,), explanation="It was offered, not refunded.", score=0.9)
    (merged,) = merge_errors([checked], [told], SUMMARY)
    assert (merged.quote, merged.category, merged.explanation) == (told.quote, told.category, told.explanation)
    assert (merged.source, merged.score) == ("check", 0.9), "what a check found is certain"
    poor = at("refunded 39.90", explanation="Wrong.")
    assert merge_errors([checked], [poor], SUMMARY) == (checked,)


def test_a_checks_exact_words_stay_where_the_analyst_quotes_the_whole_sentence():
    checked = at("39.90", source="check", explanation="The number is not in the conversation.")
    told = at("The agent refunded 39.90.", evidence=(2,), explanation="Only 35 were offered.")
    (merged,) = merge_errors([checked], [told], SUMMARY)
    assert (merged.quote, merged.start, merged.explanation) == ("39.90", checked.start, told.explanation)


def test_of_two_notes_of_the_analyst_the_richer_one_stays():
    poor, rich = at("39.90", explanation="Wrong."), at("refunded 39.90", evidence=(2,), explanation="Only offered.")
    assert merge_errors([], [poor, rich], SUMMARY) == (rich,)
    assert merge_errors([], [rich, poor], SUMMARY) == (rich,)


def test_places_decide_not_words():
    text = "It took 9 days. She paid 9 euros."
    first = note(quote="9", start=text.index("9"))
    assert len(merge_errors([first], [at("9", text=text)], text)) == 2
    assert len(merge_errors([first], [first], text)) == 1


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ({"evidence": (2,)}, {"evidence": (2, 3)}, True),
        ({"evidence": (2,)}, {"evidence": (4,)}, False),
        ({"explanation": "When it arrives."}, {"explanation": "The day when it arrives.", "evidence": (4,)}, True),
        ({"explanation": "When it arrives."}, {"explanation": "Why she called."}, False),
        ({}, {"explanation": "Why she called."}, True),
    ],
)
def test_two_omissions_of_one_category_may_be_two(first, second, one):
    a, b = note("missing_action", "", **first), note("missing_action", "", **second)
    assert len(merge_errors([], [a, b], SUMMARY)) == (1 if one else 2)


def test_the_severity_is_that_of_the_category(conversation):
    (minor,) = note_errors(conversation, SUMMARY, [found(category="irrelevant")], [], taxonomy=SEED)
    (critical,) = note_errors(conversation, SUMMARY, [found(category="fabricated")], [], taxonomy=SEED)
    assert (minor.severity, critical.severity) == ("minor", "critical")


def test_a_note_about_a_whole_loop_is_one_error_with_all_its_rounds():
    text = "It leaked. She called. It leaked. She called. It leaked. She called."
    rounds = [note("repetition", quote="It leaked.", start=start, source="check") for start in (23, 46)]
    loop = note("repetition", quote=text[23:], start=23, explanation="The same is said three times.", evidence=(1,))
    (merged,) = merge_errors(rounds, [loop], text)
    assert merged.quote == text[23:]
    other = note("wrong_fact", quote="called", start=37)
    assert len(merge_errors([*rounds, other], [loop], text)) == 2


@pytest.mark.parametrize(("category", "start"), [("repetition", 23), ("length", 23), ("wrong_fact", 0)])
def test_what_is_repeated_or_breaks_off_is_wrong_where_it_stands_last(conversation, category, start):
    reported = [found(category=category, quote="It leaked", evidence=[], explanation="")]
    (record,) = note_errors(conversation, "It leaked. She called. It leaked", reported, [], taxonomy=SEED)
    assert record.start == start

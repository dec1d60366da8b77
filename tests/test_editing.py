import pytest

from arf_programs.checks.finding import Material
from arf_programs.programs.revision.edit_sentences import (
    blanked,
    brings_error,
    insertion,
    leaves_enough,
    problem_in_words,
    question_for,
    turns_for_omission,
    turns_for_sentence,
    turns_text,
    usable_sentences,
)
from arf_programs.text.edits import apply_edits
from arf_programs.text.error_notes import edit_sentence
from signatures.records import Conversation, Edit, EditOp, ErrorNote, Turn

SUMMARY = "The kettle leaked. The agent refunded 39.90 to the customer. It arrives by Thursday."


def note(quote="refunded 39.90", category="wrong_fact", **values) -> ErrorNote:
    return ErrorNote(**{"id": f"{category}:{quote}", "category": category, "quote": quote, **values})


@pytest.mark.parametrize(
    ("quotes", "shown"),
    [
        (["refunded 39.90"], "The agent ____ to the customer."),
        (["refunded", "39.90"], "The agent ____ ____ to the customer."),
        (["refunded 39.90", "39.90 to the"], "The agent ____ customer."),
        (["The agent refunded 39.90 to the"], "____"),  # one word would be left
        (["The agent refunded 39.90 to the customer."], "____"),
        (["to the customer. It arrives"], "The agent refunded 39.90 ____"),
    ],
)
def test_the_wrong_words_are_blanked_out(quotes, shown):
    assert blanked(SUMMARY, 1, [note(quote) for quote in quotes]) == shown


def test_what_was_wrong_is_told_without_the_wrong_words():
    notes = [
        note(explanation="It says refunded 39.90, Refunded 39.90; the agent only offered that."),
        note("customer", "wrong_speaker", explanation="Not the customer who refunded 39.90."),
        note("Thursday", "wrong_fact"),
    ]
    told = problem_in_words(notes).split("; ")
    assert told == [
        "wrong fact: It says ____, ____",
        "the agent only offered that.",
        "wrong speaker: Not the ____ who ____.",
        "wrong fact",
    ]


def test_cited_turns_are_shown_with_those_nearest_by_words():
    texts = ["hello there", "my kettle leaks", "weather is fine", "the agent refunded nothing", "bye", "x", "y", "z"]
    talk = Conversation(id="c", turns=tuple(Turn(speaker="A", text=text) for text in texts))
    turns = turns_for_sentence(Material(talk, SUMMARY), SUMMARY.index("The agent"), [note(evidence=(8,))])
    assert {4, 8} <= set(turns)
    assert len(turns) == 5
    assert turns_text(talk, (4, 2)) == "[2] A: my kettle leaks\n[4] A: the agent refunded nothing"


@pytest.mark.parametrize(
    ("category", "evidence", "turns"),
    [
        ("missing_reason", (), (1, 2, 3, 4)),
        ("missing_reason", (7,), (1, 2, 3, 4, 7)),
        ("missing_outcome", (), (5, 6, 7, 8)),
        ("missing_action", (5,), (5,)),
        ("missing_action", (), (1, 2, 3, 4, 5, 6, 7, 8)),
    ],
)
def test_an_omission_is_looked_for_where_such_things_are_said(category, evidence, turns):
    talk = Conversation(id="c", turns=tuple(Turn(speaker="A", text=str(n)) for n in range(8)))
    assert turns_for_omission(talk, note("", category, evidence=evidence)) == turns


def test_an_omission_is_a_question():
    assert question_for(note("", "missing_reason")) == "Why did the customer make contact?"
    assert question_for(note("", "missing_price", explanation="The price.")) == "The price."
    told = note("", "missing_outcome", explanation="The new kettle comes on Friday.")
    assert question_for(told) == "The new kettle comes on Friday. How did it end?"
    assert question_for(note("", "missing_price")) == "What is missing: missing price?"


def test_only_sentences_that_say_something_else_are_usable():
    summary = "It leaked. The agent refunded 39.90."
    written = [
        "the agent refunded 39.90",  # a copy
        "The agent sent a new one. It was blue.",
        " The agent  sent a new one. ",  # again
        "The agent ____.",
        "Later the agent refunded 39.90.",  # still the wrong words
        "It leaked!",  # said already
        "",
        "...",
    ]
    assert usable_sentences(written, summary, [note()]) == ["The agent sent a new one."]


@pytest.mark.parametrize(
    "repeated",
    [
        "The login is used to 'save' a route you are looking at.",
        "The agent told him to look here: [link] Do you recycle the old phone?",
        "It came on Monday, didn't it?",
        "You're welcome.",
        "The customer wants my number.",
    ],
)
def test_a_sentence_that_repeats_a_turn_is_not_usable(repeated):
    told = "The agent told the US customer where the route is saved."
    assert usable_sentences([repeated, told], "It leaked. The agent refunded 39.90.", [note()]) == [told]


def test_words_of_the_draft_s_own_voice_are_usable():
    summary = "I told the customer that we refund 39.90."
    assert usable_sentences(["We sent a new one."], summary, [note()]) == ["We sent a new one."]


def test_words_that_a_check_quotes_may_stand_elsewhere():
    checked = note("39.90", source="check")
    assert usable_sentences(["He offered 39.90."], "He paid 39.90.", [checked]) == ["He offered 39.90."]


def test_the_checks_object_to_what_the_conversation_does_not_say(conversation):
    for sentence, bad in [
        ("The agent sent a replacement.", False),
        ("The agent gave back 77.50.", True),
    ]:
        edit = edit_sentence(SUMMARY, 1, sentence, [note()])
        assert brings_error(conversation, SUMMARY, edit, sentence) is bad, sentence


def test_a_deletion_has_to_leave_enough():
    edits = [edit_sentence(SUMMARY, 1, "", [note()])]
    assert leaves_enough(SUMMARY, edits, 7)
    assert not leaves_enough(SUMMARY, edits, 8)
    assert leaves_enough(SUMMARY, [], 100)  # a short draft may stay short


@pytest.mark.parametrize(
    ("category", "after"),
    [
        (
            "missing_reason",
            "New one. The kettle leaked. The agent refunded 39.90 to the customer. It arrives by Thursday.",
        ),
        (
            "missing_action",
            "The kettle leaked. The agent refunded 39.90 to the customer. New one. It arrives by Thursday.",
        ),
        ("missing_outcome", f"{SUMMARY} New one."),
        ("missing_else", f"{SUMMARY} New one."),
    ],
)
def test_what_was_missing_is_put_where_it_belongs(category, after):
    omission = note("", category, evidence=(3,))
    edit = insertion(SUMMARY, "New one.", omission, [])
    assert apply_edits(SUMMARY, [edit]).after == after
    assert (edit.mends, edit.evidence) == ((omission.id,), (3,))


def test_a_reason_comes_second_where_the_first_sentence_is_mended():
    mended = edit_sentence(SUMMARY, 0, "The kettle dripped.", [note("leaked")])
    edit = insertion(SUMMARY, "New one.", note("", "missing_reason"), [mended])
    result = apply_edits(SUMMARY, [mended, edit])
    assert result.after.startswith("The kettle dripped. New one. The agent")
    assert result.refused == ()


def test_a_sentence_that_stands_twice_is_mended_where_it_was_meant():
    text = "It broke. It came. It broke."
    edit = edit_sentence(text, 2, "It works.", [note("It broke.")])
    assert apply_edits(text, [edit]).after == "It broke. It came. It works."
    assert isinstance(edit, Edit)
    assert edit.op is EditOp.REPLACE

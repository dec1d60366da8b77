"""What editors really write: whole sentences for phrases, words copied along, deletions that leave something behind."""

import pytest

from arf_programs.text import Changes, apply_edits, edit_span, is_list_marker, locate_error
from signatures.records import Conversation, Edit, EditOp, Turn

TEXT = "The kettle from order 88214 leaks. The agent refunded 39.90 at once. The kettle arrives by Thursday."
LIST = "- The kettle leaks.\n- The agent promised a voucher.\n- A new one arrives."
NEW = "The newsletter stays."


def after(text, op, quote, replacement=""):
    result = apply_edits(text, [Edit(op=EditOp(op), quote=quote, replacement=replacement)])
    assert not result.refused
    assert apply_edits(text, result.applied).after == result.after
    return result.after


@pytest.mark.parametrize(
    ("quote", "replacement", "instead"),
    [
        ("refunded 39.90 at once", "The agent sent a new one.", ("refunded 39.90 at once", "sent a new one")),
        ("refunded 39.90", "sent a new one at once.", ("refunded 39.90", "sent a new one")),
        ("refunded 39.90", "sent a new one.", ("refunded 39.90", "sent a new one")),  # the sentence goes on
        ("39.90", "refunded 45.00", ("39.90", "45.00")),
        ("refunded", "agent refunded all of", ("refunded", "refunded all of")),
        ("order 88214", "the shop", ("order 88214", "the shop")),
        ("The agent", "the customer", ("The agent", "The customer")),
        ("The agent", "iRobot", ("The agent", "iRobot")),
        ("order 88214", "The shop", ("order 88214", "the shop")),
        ("order 88214", "Lumora", ("order 88214", "Lumora")),
    ],
)
def test_a_replacement_fits_the_sentence(quote, replacement, instead):
    assert after(TEXT, "replace", quote, replacement) == TEXT.replace(*instead)


def test_what_is_introduced_keeps_its_capital_and_lines_are_not_compared():
    labelled = "Outcome: a refund of 39.90.\nThe agent\nsent one."
    assert after(labelled, "replace", "a refund", "The refund") == labelled.replace("a refund", "The refund")
    assert after(labelled, "replace", "sent one", "agent sent two") == labelled.replace("sent one", "agent sent two")


@pytest.mark.parametrize(
    ("quote", "text", "behind", "written"),
    [
        ("refunded 39.90", NEW, "at once.", f" {NEW}"),  # never into the middle of a sentence
        ("The kettle arrives by Thursday.", ", but the newsletter stays", "by Thursday", ", but the newsletter stays"),
        ("The kettle arrives by Thursday.", "and the newsletter stays.", "by Thursday", " and the newsletter stays"),
        ("arrives by Thursday", ", but not the mug.", "by Thursday", ", but not the mug"),
        ("arrives by Thursday", "arrives by Thursday, but not the mug", "by Thursday", ", but not the mug"),
        ("The kettle arrives by Thursday.", f"The kettle arrives by Thursday. {NEW}", "by Thursday.", f" {NEW}"),
        ("refunded 39.90 at once.", "the newsletter stays", "at once.", f" {NEW}"),
        ("", "the newsletter stays", "by Thursday.", f" {NEW}"),
        ("", ", but the newsletter stays.", "by Thursday", ", but the newsletter stays"),
    ],
)
def test_an_insertion_stands_where_its_kind_belongs(quote, text, behind, written):
    assert after(TEXT, "insert", quote, text) == TEXT.replace(behind, behind + written)


def test_a_sentence_is_added_behind_one_without_a_full_stop():
    assert after("The kettle leaks", "insert", "", NEW) == f"The kettle leaks. {NEW}"


@pytest.mark.parametrize("written", [NEW, f"- {NEW}", f"\n- {NEW}", "The newsletter stays"])
def test_what_is_added_to_a_list_is_an_item(written):
    assert after(LIST, "insert", "", written) == f"{LIST}\n- {NEW}"


def test_an_item_of_a_numbered_list_gets_the_next_number():
    assert after("1. It leaks.\n2. One was sent.", "insert", "", NEW) == f"1. It leaks.\n2. One was sent.\n3. {NEW}"


@pytest.mark.parametrize("quote", ["The agent promised a voucher.", "The agent promised a voucher"])
def test_a_deletion_takes_the_marker_of_its_item(quote):
    assert after(LIST, "delete", quote) == LIST.replace("- The agent promised a voucher.\n", "")
    assert after(LIST, "delete", "A new one arrives.") == LIST.replace("\n- A new one arrives.", "")


def test_a_deletion_takes_the_label_of_its_line():
    text = "**Reason:** The kettle leaks.\nAction: a voucher.\nOutcome: A new one arrives."
    assert after(text, "delete", "a voucher.") == text.replace("Action: a voucher.\n", "")


@pytest.mark.parametrize(
    ("text", "quote", "left"),
    [
        ("He paid and promised a call.", "promised a call", "He paid."),
        ("He paid, called, and promised a visit.", "promised a visit", "He paid, called."),
        ("He paid and\nleft.", "left.", "He paid"),
        ("It broke. After a quarrel, the agent paid.", "After a quarrel,", "It broke. The agent paid."),
        ("It broke. After a quarrel, the agent paid.", "After a quarrel", "It broke. The agent paid."),
        ("After a quarrel, iRobot paid.", "After a quarrel,", "iRobot paid."),
        ("it broke. after a quarrel, the agent paid.", "after a quarrel,", "it broke. the agent paid."),
    ],
)
def test_a_deletion_leaves_a_whole_sentence(text, quote, left):
    assert after(text, "delete", quote) == left


def test_a_neighbouring_edit_makes_no_sentence_begin():
    edits = [
        Edit(op=EditOp.REPLACE, quote="leaks", replacement="broke"),
        Edit(op=EditOp.REPLACE, quote="Lumora", replacement="the shop"),
    ]
    assert apply_edits("It leaks Lumora says.", edits).after == "It broke the shop says."


def test_the_edit_that_moved_to_the_end_of_its_sentence_is_found_again():
    edit = Edit(op=EditOp.INSERT, quote="refunded 39.90", replacement=NEW)
    text = apply_edits(TEXT, [edit]).after
    place = (text.index(NEW), text.index(NEW) + len(NEW))
    assert edit_span(edit, TEXT) == (TEXT.index(" The kettle arrives"),) * 2
    assert Changes(TEXT, text).made_by(place, [edit]) == [edit]


@pytest.mark.parametrize(
    ("explanation", "which"), [("Flight BA12 was on 3 May.", 1), ("The connection was missed on 3 May.", 0)]
)
def test_of_two_places_in_a_sentence_the_one_beside_the_words_of_the_explanation_is_meant(explanation, which):
    summary = "The customer missed a connection on 4 May after flight BA12 of 4 May. The agent paid."
    talk = Conversation(id="c", turns=(Turn(speaker="Customer", text="I missed it."),))
    starts = [place for place in range(len(summary)) if summary.startswith("4 May", place)]
    note = locate_error(summary, talk, category="wrong_fact", quote="4 May", explanation=explanation)
    assert note.start == starts[which]


@pytest.mark.parametrize(
    ("text", "number", "marks"),
    [
        ("1. It leaks.\n2. Sent.", "2", True),
        ("It leaks.\n (2) Sent.", "2", True),
        ("It cost 2. Sent.", "2", False),
        ("2.50 was paid.", "2.50", False),
        ("It leaks.\n2 were sent.", "2", False),
    ],
)
def test_the_number_of_an_item_is_told_from_a_number_in_the_text(text, number, marks):
    start = text.index(number)
    assert is_list_marker(text, start, start + len(number)) is marks


BOLD = "**Reason:** It leaks.\n**Outcome:** The agent **refused** a refund."


@pytest.mark.parametrize(
    ("text", "quote", "replacement", "written"),
    [
        (BOLD, "The agent refused a refund.", "The agent sent a refund.", BOLD.replace("refused", "sent")),
        (BOLD, "Outcome: The agent refused", "Outcome: The agent sent", BOLD.replace("refused", "sent")),
        ("1. It leaks.\n2. No refund.", "2. No refund.", "A refund.", "1. It leaks.\n2. A refund."),
        ("1. It leaks.\n2. No refund.", "No refund.", "2. A refund.", "1. It leaks.\n2. A refund."),
        ("* It leaks.\n* No refund.", "- No refund.", "- A refund.", "* It leaks.\n* A refund."),
        ("He paid 10 euros and got 5 back.", "and got 5 back.", ", got 6 back.", "He paid 10 euros, got 6 back."),
    ],
)
def test_marks_of_markdown_and_of_lists_stay_and_a_comma_follows_its_word(text, quote, replacement, written):
    assert after(text, "replace", quote, replacement) == written


@pytest.mark.parametrize(
    ("text", "quote", "written"),
    [
        ("It came **within one hour**.", "within one hour", "It came."),
        ("**Summary:** It leaks.", "Summary:", "It leaks."),
        ("The agent, who was rude, paid.", "who was rude", "The agent paid."),
        ("The agent, Monica, paid.", "Monica", "The agent paid."),
        ("The agent came, promised a call, and paid.", "promised a call", "The agent came, and paid."),
        ("He met Anna, Monica, Tom and Eva.", "Monica", "He met Anna, Tom and Eva."),
    ],
)
def test_a_deletion_takes_the_marks_and_commas_around(text, quote, written):
    assert after(text, "delete", quote) == written


def test_of_overlapping_edits_the_one_that_contains_the_others_is_made():
    inner = Edit(op=EditOp.DELETE, quote="at once")
    outer = Edit(op=EditOp.REPLACE, quote="refunded 39.90 at once", replacement="sent a new one")
    for edits in ([inner, outer], [outer, inner]):
        result = apply_edits(TEXT, edits)
        assert result.after == TEXT.replace("refunded 39.90 at once", "sent a new one")
        assert [(item.edit.quote, item.reason) for item in result.refused] == [
            ("at once", "it overlaps another edit, of 'refunded 39.90 at once'")
        ]


def test_new_words_that_leave_words_out_are_refused():
    edit = Edit(op=EditOp.REPLACE, quote="The agent refunded ... at once", replacement="The agent sent ... at once")
    result = apply_edits(TEXT, [edit])
    assert (result.after, [item.reason for item in result.refused]) == (
        TEXT,
        ["the new text leaves words out: 'The agent sent ... at once'"],
    )

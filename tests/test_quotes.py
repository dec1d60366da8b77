import pytest

from arf_programs.text.quotes import error_id, find_quote, find_quotes, locate_error, place_of
from signatures.exceptions import QuoteError
from signatures.records import Conversation, ErrorNote, Turn

CONVERSATION = Conversation(
    id="lamp", turns=(Turn(speaker="Customer", text="The lamp is broken."), Turn(speaker="Agent", text="Sorry!"))
)


@pytest.mark.parametrize(
    ("quote", "text", "found"),
    [
        ("a refund", "She got a refund.", "a refund"),
        ("A  Refund", "She got a refund.", "a refund"),
        ("a refund", "She got a\n refund.", "a\n refund"),
        ("the agent's offer", "It was the agent’s offer", "the agent’s offer"),
        ('said "no"', "He said “no” twice", "said “no”"),
        ("two-day delay", "a two–day delay", "two–day delay"),
        ("wait...", "Please wait… now", "wait…"),
        ("A refund was paid.", "A refund was paid, and later more", "A refund was paid"),
        ('"a refund"', "She got a refund.", "a refund"),
        ("  a refund ", "She got a refund.", "a refund"),
        ("zero\u200bwidth", "a zerowidth space", "zerowidth"),
        ("İstanbul", "flew to İstanbul today", "İstanbul"),
    ],
)
def test_inexact_quotes_give_the_exact_span(quote, text, found):
    span = find_quote(quote, text)
    assert span is not None
    assert text[slice(*span)] == found


@pytest.mark.parametrize("quote", ["", "   ", "...", "a reward", "refunds"])
def test_what_the_text_does_not_say_is_not_found(quote):
    assert find_quote(quote, "She got a refund.") is None


def test_the_first_occurrence_at_word_boundaries_wins():
    assert find_quote("art", "The cart is art, fine art.") == (12, 15)
    assert find_quote("$45", "It cost $450, then $45.99, then $45.") == (32, 35)
    assert find_quote("5", "15 of 5.") == (6, 7)


@pytest.mark.parametrize(
    ("quote", "text"),
    [("fund", "a refund"), ("6", "order 2611"), ("car", "drove carefully"), ("39", "39.90"), ("é", "été")],
)
def test_a_quote_is_never_found_inside_a_word(quote, text):
    assert find_quote(quote, text) is None
    with pytest.raises(QuoteError, match="as words of its own"):
        locate_error(text, CONVERSATION, category="wrong_fact", quote=quote)


def test_scripts_without_spaces_have_no_borders_of_words():
    assert find_quote("退款", "客户要求退款。") == (4, 6)
    assert find_quote("환불", "고객이 환불을 요청했다.") == (4, 6)


def test_locate_error_stores_the_exact_substring():
    note = locate_error(
        "The lamp\nwas Broken.", CONVERSATION, category="wrong_fact", quote="the lamp was broken", evidence=[2, 1, 2]
    )
    assert (note.quote, note.evidence, note.source) == ("The lamp\nwas Broken", (2, 1), "lm")


def test_a_blank_quote_is_an_omission():
    assert locate_error("Done.", CONVERSATION, category="missing_reason", quote=" ").quote == ""


def test_a_quote_that_is_not_there_is_rejected_by_name():
    with pytest.raises(QuoteError, match="lamp does not contain the quote 'a voucher'"):
        locate_error("A lamp broke.", CONVERSATION, category="fabricated", quote="a voucher")


@pytest.mark.parametrize("turn", [0, 3, -1])
def test_a_turn_that_does_not_exist_is_rejected_by_number(turn):
    with pytest.raises(QuoteError, match=f"turns 1 to 2, not turn {turn}"):
        locate_error("A lamp broke.", CONVERSATION, category="fabricated", quote="lamp", evidence=[1, turn])


def test_ids_are_stable_and_tell_errors_apart():
    assert error_id("lamp", "wrong_fact", "54", "lm") == error_id("lamp", "wrong_fact", "54", "lm")
    others = [
        error_id("lamp", "wrong_fact", "54", "lm"),
        error_id("lamp2", "wrong_fact", "54", "lm"),
        error_id("lamp", "fabricated", "54", "lm"),
        error_id("lamp", "wrong_fact", "45", "lm"),
        error_id("lamp", "wrong_fact", "54", "check"),
        error_id("lamp", "missing_action", "", "lm", (1,)),
        error_id("lamp", "missing_action", "", "lm", (2,)),
    ]
    assert len(set(others)) == len(others)
    assert all(len(name) == 12 for name in others)


def test_of_several_places_the_one_is_meant_that_the_explanation_and_the_turns_speak_of():
    talk = Conversation(
        id="lamp",
        turns=(
            Turn(speaker="Customer", text="The lamp broke after 9 days."),
            Turn(speaker="Agent", text="We refund 8 euros for the postage."),
        ),
    )
    summary = "The lamp broke after 9 days. The agent refunds 9 euros for the postage."

    def located(**values):
        return locate_error(summary, talk, category="wrong_fact", quote="9", **values)

    assert located(explanation="It broke after 8 days.").start == 21
    assert located(explanation="The refund is of 8 euros.").start == 47
    assert located(evidence=[2]).start == 47
    assert located(evidence=[2], within=[(0, 28)]).start == 21
    assert len({located(within=[span]).id for span in ((0, 28), (29, len(summary)))}) == 2


def test_a_record_without_a_place_means_the_first():
    note = ErrorNote(id="a", category="wrong_fact", quote="9")
    assert place_of(note, "After 9 days, 9 euros.") == (6, 7)
    assert place_of(note.model_copy(update={"start": 14}), "After 9 days, 9 euros.") == (14, 15)
    assert place_of(note.model_copy(update={"start": 3}), "After 9 days, 9 euros.") == (6, 7)  # it is not there


@pytest.mark.parametrize(
    ("quote", "text", "words"),
    [
        ("the agent ... at once", "The agent refused it at once.", "The agent refused it at once"),
        ("The agent […] at once.", "The agent refused it at once.", "The agent refused it at once"),
        ("The agent … it ... once", "Sure. The agent refused it at once.", "The agent refused it at once"),
        ("The agent ... today", "The agent left. The agent came today.", "The agent came today"),
        ("Outcome: no refund", "**Outcome:** no refund.", "**Outcome:** no refund"),
        ("two days in May", "Open *two* days in *May*.", "*two* days in *May*"),
        ("It leaks. No refund.", "- It leaks.\n- No refund.", "It leaks.\n- No refund"),
    ],
)
def test_a_quote_may_leave_out_words_in_the_middle_and_marks_of_markdown(quote, text, words):
    assert [text[slice(*place)] for place in find_quotes(quote, text)] == [words]


@pytest.mark.parametrize("quote", ["The agent ... tomorrow", "it ... The agent", "gent ... once", "...", "** ... **"])
def test_a_quote_with_an_ellipsis_has_its_words_in_order(quote):
    assert find_quotes(quote, "The agent refused it at once.") == []

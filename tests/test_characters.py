"""Texts that look equal: compared as equal, and left as they were written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import hostile_text, summaries

from arf_programs.checks import run_checks
from arf_programs.text import (
    apply_edits,
    find_changes,
    find_quote,
    find_quotes,
    fold,
    locate_error,
    look_equal,
    measure_change,
    split_words,
)
from signatures.exceptions import QuoteError
from signatures.records import Conversation, Edit, EditOp, Turn

FACTS = ("codes", "dates", "times", "numbers", "rates", "names")
PAIRS = [
    ("José", "Jose\u0301"),
    ("Zoë", "Zoe\u0308"),
    ("Việt", unicodedata.normalize("NFD", "Việt")),
    ("각", "\u1100\u1161\u11a8"),
    ("500", "５００"),
    ("500", "٥٠٠"),
    ("500", "۵۰۰"),
    ("500", "५००"),
    ("Order KD-7", "Ｏｒｄｅｒ ＫＤ－７"),
    ("10:32", "10：32"),
    ("$20", "＄20"),
    ("O'Brien", "O’Brien"),
    ("O'Brien", "OʼBrien"),
    ("O'Brien", "O`Brien"),
    ("on 3 March", "on\u00a03\u202fMarch"),
    ("KD-77120", "KD\u201177120"),
    ("KD-77120", "KD\u201077120"),
    ("KD-77120", "KD\u221277120"),
    ("Whitaker", "Whit\u00adaker"),
    ("Whitaker", "Whit\u200baker\ufeff"),
    ("Whitaker", "\u202aWhit\u2060aker\u202c"),
    ("fiona", "ﬁona"),
    ("Carla", "𝗖𝗮𝗿𝗹𝗮"),
    ("☺", "☺\ufe0f"),
]


@pytest.mark.parametrize(("plain", "other"), PAIRS)
def test_what_looks_equal_is_equal(plain, other):
    assert look_equal(plain, other)
    assert fold(other).text == fold(plain).text
    text = f"So {other}, he said."
    assert [text[slice(*find_quote(plain, text))]] == [other.strip("\ufeff\u202a\u202c")]
    assert look_equal(text[slice(*find_quote(other, f"So {plain}, he said."))], "".join(text[3 : 3 + len(plain)]))
    assert split_words(plain) == split_words(other)
    assert measure_change(f"a {plain} b", f"a {other} b") == 0
    assert find_changes(f"a {plain} b", f"a {other} b") == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José", "Jose"),
        ("m²", "m2"),
        ("½", "1/2"),
        ("①", "1"),
        ("café", "cafe"),
        ("A", "a"),
        ("5–7", "5-7"),
        ("Ø", "O"),
    ],
)
def test_what_looks_different_is_different(one, other):
    assert not look_equal(one, other)


@given(hostile_text | summaries())
def test_places_lead_back_to_the_original(text):
    folded = fold(text)
    assert fold(folded.text).text == folded.text
    last = 0
    for index in range(len(folded.text)):
        start, end = folded.span(index, index + 1)
        assert last <= start < end <= len(text) or (start, end) == folded.span(index - 1, index)
        assert look_equal(folded.written(index, index + 1), folded.text[index]) or end - start > 0
        last = start
    assert fold("".join(folded.written(0, len(folded.text)))).text == folded.text


@given(hostile_text, st.sampled_from(["NFC", "NFD"]))
def test_a_text_equals_itself_in_another_encoding(text, form):
    assert look_equal(text, unicodedata.normalize(form, text))


def test_a_quote_does_not_take_a_letter_from_its_accent():
    text = "Ask Jose\u0301 and Jose."
    assert text[slice(*find_quote("Jose", text))] == "Jose"
    assert find_quote("Jose", text)[0] > 10
    assert find_quote("Jose", "Ask Jose\u0301.") is None
    assert find_quotes("Jose", "Ask Jose\u0301.") == []


@pytest.mark.parametrize("text", ["e\u0301bc bc", "x\u00adbc bc", "x\u200bbc bc", "bc\u00adx bc", "x\u00adbc\u00ad bc"])
def test_what_is_invisible_ends_no_word(text):
    assert find_quote("bc", text) == (len(text) - 2, len(text))


def conversation(*texts):
    return Conversation(id="c", turns=tuple(Turn(speaker="Customer", text=text) for text in texts))


@pytest.mark.parametrize(("plain", "other"), PAIRS)
def test_the_checks_do_not_mind_the_encoding(plain, other):
    said = "{} was here with 12 boxes of Tea."
    for one, two in ((plain, other), (other, plain)):
        assert run_checks(conversation(said.format(one)), f"Today he wrote {two} again.", enabled=FACTS) == []


@pytest.mark.parametrize(
    ("summary", "quote"),
    [
        ("Then Jose\u0301 Garci\u0301a was paid.", "Garci\u0301a"),
        ("Then José paid ＄６００ for it.", "＄６００"),
        ("Then José paid ٦٠٠ for it.", "٦٠٠"),
        ("Then José came on\u00a05\u202fMarch again.", "5\u202fMarch"),
        ("Then KD\u201177121 was sent.", "KD\u201177121"),
        ("Then Mr. Whit\u00adtaker\u200b came.", "Whit\u00adtaker"),
        ("Then it was 10：33 there.", "10：33"),
    ],
)
def test_a_wrong_value_in_another_encoding_is_found_and_quoted_as_it_is_written(summary, quote):
    talk = conversation("José Whitman here, order KD-77120 on 3 March at 10:32, I paid $500.")
    (note,) = run_checks(talk, summary, enabled=FACTS)
    assert note.quote == quote
    assert quote in note.explanation
    assert locate_error(summary, talk, category="wrong_fact", quote=fold(quote).text).quote == quote


def test_an_edit_keeps_what_was_written():
    before = "The customer’s friend Jose\u0301 paid\u00a0＄50 on 3\u00a0March. He’s upset."
    edit = Edit(
        op=EditOp.REPLACE,
        quote="The customer's friend José paid $50 on",
        replacement="The customer's friend José paid $40 on",
    )
    result = apply_edits(before, [edit])
    assert result.after == "The customer’s friend Jose\u0301 paid\u00a0＄40 on 3\u00a0March. He’s upset."
    assert apply_edits(before, result.applied).after == result.after
    gone = apply_edits(before, [Edit(op=EditOp.DELETE, quote="He's upset.")])
    assert gone.after == "The customer’s friend Jose\u0301 paid\u00a0＄50 on 3\u00a0March."


def test_an_edit_that_only_encodes_anew_is_refused():
    before = "It was Jose\u0301’s lamp."
    result = apply_edits(before, [Edit(op=EditOp.REPLACE, quote="José's lamp", replacement="José's lamp")])
    assert result.after == before
    assert [item.reason for item in result.refused] == ["the replacement equals the quote"]


def test_a_quote_that_looks_different_is_still_refused():
    with pytest.raises(QuoteError):
        locate_error("It was José.", conversation("x"), category="wrong_fact", quote="Jose")

"""Properties of edits, quotes and sentences, on generated text."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import hostile_text, summaries, words

from arf_programs.text import apply_edits, edit_sentence, find_quote, find_quotes, find_sentences, split_sentences
from signatures.records import Edit, EditOp

_SEAM = ' \t\r\n.!?,;:()[]"“”'  # what an edit may take or add where it joins text
_PLAIN = str.maketrans({"“": '"', "”": '"', "’": "'", "‘": "'", "–": "-", "\u00a0": " ", "…": "..."})
_CASES: list[Callable[[str], str]] = [str, str.upper]


def letters(text: str) -> str:
    """The letters and digits of a text, without case."""
    return "".join(char for char in text.lower() if char.isalnum())


replacements = st.lists(words.map(str.upper), min_size=1, max_size=3).map(" ".join)


@st.composite
def texts_with_edits(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text of numbered, so different, words, and edits of parts of it that do not touch one another."""
    gaps = draw(
        st.lists(st.sampled_from([" ", "  ", ", ", ". ", "! ", "\n", " (", ") ", " “", "” ", ".\n\n"]), min_size=4)
    )
    text = "".join(f"w{number}x{gap}" for number, gap in enumerate(gaps[:20])) + "end."
    bounds = sorted(draw(st.sets(st.integers(0, len(gaps[:20])), min_size=2, max_size=8)))
    edits = []
    for first, last in zip(bounds[::2], bounds[1::2], strict=False):
        quote = text[text.index(f"w{first}x") : text.index(f"w{last - 1}x") + len(f"w{last - 1}x")]
        op = draw(st.sampled_from(EditOp))
        edits.append(Edit(op=op, quote=quote, replacement="" if op is EditOp.DELETE else draw(replacements)))
    return text, edits


@st.composite
def any_edits(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text and edits at random: of parts of it, of what it does not hold, overlapping, repeated and empty."""
    text = draw(summaries())
    part = st.tuples(st.integers(0, len(text)), st.integers(0, 12)).map(lambda at: text[at[0] : at[0] + at[1]])
    edit = st.builds(
        Edit,
        op=st.sampled_from(EditOp),
        quote=part | words,
        replacement=st.just("") | replacements | part | hostile_text,
    )
    return text, draw(st.lists(edit, max_size=6))


def substituted(text: str, edits: list[Edit]) -> list[str]:
    """The text cut at each edit: text outside the quotes at even places, what comes for the quotes at odd ones."""
    pieces, done = [], 0
    for edit in sorted(edits, key=lambda edit: text.index(edit.quote)):
        start = text.index(edit.quote)
        end = start + len(edit.quote)
        pieces += [text[done : end if edit.op is EditOp.INSERT else start], edit.replacement]
        done = end
    return [*pieces, text[done:]]


@given(texts_with_edits())
def test_text_outside_the_edits_stays_as_it_is(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    result = apply_edits(text, edits)
    assert [edit.model_copy(update={"start": None}) for edit in result.applied] == edits and not result.refused
    pieces = substituted(text, edits)
    assert letters(result.after) == letters("".join(pieces))
    place, written = 0, result.after.lower()  # a replacement may have lost the capital of "The"
    for piece in pieces:
        part = piece.strip(_SEAM).lower()
        place = written.index(part, place) + len(part)


@given(texts_with_edits(), st.randoms(use_true_random=False))
def test_edits_in_any_order_give_the_same_text(case: tuple[str, list[Edit]], order: random.Random) -> None:
    text, edits = case
    shuffled = order.sample(edits, len(edits))
    assert apply_edits(text, shuffled).after == apply_edits(text, edits).after


@given(any_edits())
def test_what_was_applied_gives_the_same_text_again(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    first = apply_edits(text, edits)
    again = apply_edits(text, first.applied)
    assert (again.after, again.applied, again.refused) == (first.after, first.applied, ())
    assert all(edit.quote in text for edit in first.applied)


@given(any_edits())
def test_an_edit_is_applied_or_refused_and_a_refused_one_leaves_no_trace(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    result = apply_edits(text, edits)
    assert len(result.applied) + len(result.refused) == len(edits)
    refused = [item.edit for item in result.refused]
    kept = [edit for edit in edits if not any(edit is other for other in refused)]
    assert len(kept) == len(result.applied)
    assert apply_edits(text, kept).after == result.after
    assert kept or result.after == text


@given(texts_with_edits(), st.data())
def test_an_edit_inside_another_one_is_refused(case: tuple[str, list[Edit]], data: st.DataObject) -> None:
    text, edits = case
    changed = [edit for edit in edits if edit.op is not EditOp.INSERT]
    assume(changed)
    quote = data.draw(st.sampled_from(changed)).quote
    inner = Edit(op=EditOp.REPLACE, quote=data.draw(st.sampled_from(quote.split())).strip(_SEAM), replacement="INNER")
    result = apply_edits(text, [*edits, inner])
    assert [item.edit for item in result.refused] == [inner]
    assert result.after == apply_edits(text, edits).after


@given(st.lists(st.sampled_from(["It broke.", "He paid.", "It broke again!", "So, it broke."]), min_size=1), st.data())
def test_an_edit_of_a_sentence_meets_this_sentence_and_no_equal_one(sentences: list[str], data: st.DataObject) -> None:
    text = " ".join(sentences)
    index = data.draw(st.integers(0, len(sentences) - 1))
    edit = edit_sentence(text, index, "All is well.", [])
    assert apply_edits(text, [edit]).after == " ".join([*sentences[:index], "All is well.", *sentences[index + 1 :]])


@given(summaries() | hostile_text, st.data())
def test_every_part_of_a_text_is_found_as_it_stands(text: str, data: st.DataObject) -> None:
    pieces = [match.span() for match in re.finditer(r"\S+", text)] or [(0, 0)]  # a quote holds whole words
    start = data.draw(st.sampled_from(pieces))[0]
    quote = text[start : data.draw(st.sampled_from([end for _, end in pieces if end >= start]))]
    assume(not unicodedata.category((quote or " ")[0]).startswith("M"))  # a quote holds whole letters
    span = find_quote(quote, text)
    assert (span is None) == (not quote.strip())
    if span is not None:
        assert text[slice(*span)] == quote.strip()


@given(st.lists(words | st.sampled_from(["“so”", "it’s", "two–day", "wait…", "a\u00a0b"]), min_size=1), st.data())
def test_a_quote_is_found_whatever_its_white_space_case_and_typography(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    start = data.draw(st.integers(0, len(parts) - 1))
    quoted = parts[start : data.draw(st.integers(start + 1, len(parts)))]
    space, case = data.draw(st.sampled_from([" ", "  ", "\n", " \t "])), data.draw(st.sampled_from(_CASES))
    quote = case(space.join(quoted).translate(_PLAIN))
    span = find_quote(quote, text)
    assert span is not None
    assert letters(text[slice(*span)]) == letters(quote)


@given(st.text("ab .,’'-\n“\"1…", max_size=6), st.text("ab .,’'-\n“\"1…", max_size=20) | hostile_text)
def test_a_quote_that_does_not_stand_there_is_not_located(quote: str, text: str) -> None:
    span = find_quote(quote, text)
    if span is None:
        assert not quote.strip() or f" {quote.strip()} " not in f" {text} "
    else:
        assert 0 <= span[0] < span[1] <= len(text)
        assert letters(text[slice(*span)]) == letters(quote)


@given(st.lists(st.sampled_from(["no", "ano", "a"])), st.lists(st.sampled_from(["no", "a"]), min_size=1, max_size=2))
@example(["no", "no", "no"], ["no", "no"])
def test_the_places_of_a_quote_are_all_that_stand_at_word_boundaries(parts: list[str], quoted: list[str]) -> None:
    text, quote = " ".join(parts), " ".join(quoted)
    places = [start for start in range(len(text)) if text.startswith(quote, start)]
    bounded = [start for start in places if f" {text} ".startswith(f" {quote} ", start)]
    spans = find_quotes(quote, text)
    assert spans == [(start, start + len(quote)) for start in bounded]
    assert spans[:1] == ([found] if (found := find_quote(quote, text)) else [])


@given(summaries() | hostile_text)
@example("He said “no.” and left. 1. One\n2. Two")
def test_sentences_are_in_order_do_not_overlap_and_hold_all_text(text: str) -> None:
    spans = find_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
    assert all(sentence == sentence.strip() for sentence in split_sentences(text))


plain_sentences = st.tuples(st.lists(words.map("word".__add__), min_size=2, max_size=5), st.sampled_from(".!?")).map(
    lambda parts: " ".join(parts[0]).capitalize() + parts[1]
)


@given(st.lists(plain_sentences), st.sampled_from([" ", "  ", "\n", "\n\n", "\r\n"]))
def test_plain_sentences_are_split_where_they_end(sentences: list[str], space: str) -> None:
    assert split_sentences(space.join(sentences)) == sentences


@given(summaries() | hostile_text)
def test_one_sentence_is_not_split_again(text: str) -> None:
    assert all(split_sentences(sentence) == [sentence] for sentence in split_sentences(text))

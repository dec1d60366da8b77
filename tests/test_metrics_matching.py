"""Which found error is which labelled error."""

import pytest

from arf_programs.text.error_notes import match_errors, quote_overlap
from signatures.records import ErrorNote


def note(category, quote="", name="x"):
    return ErrorNote(id=name, category=category, quote=quote)


def ids(pairs):
    return [(found.id, label.id) for found, label in pairs]


def test_a_quote_may_be_wider_or_narrower_than_the_label():
    label = note("wrong_fact", "50 euros")
    for quote in ("50 euros", "50", "The agent refunded 50 euros at once.", "50 Euros,"):
        assert match_errors([note("wrong_fact", quote)], [label]), quote
    for quote in ("60 francs", "the agent", ""):
        assert not match_errors([note("wrong_fact", quote)], [label]), quote


def test_overlap_is_the_f1_of_the_longest_common_run():
    assert quote_overlap("paid 50 euros", "50 euros today") == pytest.approx(4 / 6)
    assert quote_overlap("paid 50 euros back", "50 dollars") == pytest.approx(2 / 6)
    assert quote_overlap("the agent paid it", "it was the client") == 0  # one word of four
    assert quote_overlap("€", "€") == 1


def test_categories_have_to_agree_unless_the_place_alone_counts():
    found, label = note("fabricated", "50 euros"), note("wrong_fact", "50 euros")
    assert match_errors([found], [label]) == []
    assert match_errors([found], [label], same_category=False) == [(found, label)]


def test_omissions_pair_with_omissions():
    found = [note("missing_outcome", name="f")]
    assert ids(match_errors(found, [note("missing_outcome", name="l")])) == [("f", "l")]
    assert match_errors(found, [note("missing_reason")]) == []
    assert len(match_errors(found, [note("missing_reason")], same_category=False)) == 1
    assert match_errors(found, [note("wrong_fact", "Monday")], same_category=False) == []


def test_one_to_one_and_as_many_as_possible():
    labels = [note("wrong_fact", "Monday at ten", "a"), note("wrong_fact", "ten", "b")]
    assert ids(match_errors([note("wrong_fact", "at ten", "1")], labels)) == [("1", "a")]
    # Greedily, "ten" would take its twin and leave "at ten" its only other partner; both orders give two pairs.
    found = [note("wrong_fact", "ten", "1"), note("wrong_fact", "Monday at ten", "2")]
    assert ids(match_errors(found, labels)) == [("1", "b"), ("2", "a")]
    assert ids(match_errors(found, labels[::-1])) == [("1", "b"), ("2", "a")]


def test_number_of_pairs_comes_before_closeness():
    labels = [note("wrong_fact", "one two", "a"), note("wrong_fact", "two three four", "b")]
    found = [note("wrong_fact", "two three four one two", "1"), note("wrong_fact", "three four", "2")]
    assert ids(match_errors(found, labels)) == [("1", "a"), ("2", "b")]


def test_nothing_found_or_nothing_labelled():
    assert match_errors([], [note("a", "b")]) == match_errors([note("a", "b")], []) == []

import math

import pytest

from arf_programs.programs.support import read_word, yes_probability


def token(text, probability, *others):
    listed = [{"token": other, "logprob": math.log(p)} for other, p in [(text, probability), *others]]
    return {**listed[0], "top_logprobs": listed}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("yes", "yes"),
        (" No.", "no"),
        ("**Yes**, every part", "yes"),
        ('"no"', "no"),
        ("NO\nbecause", "no"),
        ("not", None),
        ("nothing", None),
        ("The sentence", None),
        ("", None),
        ("...", None),
    ],
)
def test_the_word_is_read_through_what_stands_around_it(text, word):
    assert read_word(text) == word


@pytest.mark.parametrize(
    ("tokens", "probability"),
    [
        ([token("yes", 0.6, ("no", 0.2))], 0.75),
        ([token(" Yes", 0.3, ("yes", 0.2), ("YES", 0.1), ("No", 0.2), ("Maybe", 0.2))], 0.75),
        ([token("y", 0.5, ("n", 0.5))], 0.5),  # beginnings of the words
        ([token("**", 0.9, ("yes", 0.1)), token("No", 0.8, ("Yes", 0.2))], 0.2),  # the answer begins behind it
        ([token("▁yes", 0.5, ("Ġno", 0.5))], 0.5),
        ([token("The", 0.9, ("yes", 0.03), ("no", 0.01))], 0.75),
        ([token("yes", 1.0)], 1.0),
        ([token("not", 0.9, ("yesterday", 0.1))], None),  # other words
        ([], None),
        ([token("  ", 1.0)], None),
    ],
)
def test_the_probability_is_the_share_of_yes(tokens, probability):
    found = yes_probability({"content": tokens})
    assert found == (probability if probability is None else pytest.approx(probability))


def test_without_log_probabilities_there_is_no_probability():
    assert yes_probability(None) is None
    assert yes_probability({"content": None}) is None


def test_the_chosen_token_counts_where_it_is_not_listed():
    assert yes_probability({"content": [{"token": "no", "logprob": 0.0, "top_logprobs": None}]}) == 0.0

"""Texts ranked by BM25, which chooses the labelled examples that are like a question."""

import dspy

from arf_programs.programs.asking import demos_for, show_nearest
from arf_programs.text import WordRanking

TALKS = (
    "Customer: hello, thank you, my parcel is late. Agent: sorry, thank you, hello.",
    "Customer: hello, the kettle leaks. Agent: thank you, hello, sorry, thank you.",
    "Customer: hello, thank you, I want my parcel back. Agent: hello, sorry, thank you.",
)


def test_a_rare_word_counts_more_than_several_frequent_ones():
    assert WordRanking(TALKS).order("Hello, sorry, thank you: a kettle!")[0] == 1
    assert WordRanking(TALKS).order("parcel")[-1] == 1


def test_equal_texts_keep_their_order_and_unknown_words_score_nothing():
    ranking = WordRanking(["a lamp", "a lamp", "a chair"])
    assert ranking.order("lamp") == [0, 1, 2]
    assert ranking.scores("zebra") == [0.0, 0.0, 0.0]
    assert ranking.order("") == [0, 1, 2]


def test_texts_without_words_can_be_ranked():
    assert WordRanking(["", "?"]).order("lamp") == [0, 1]
    assert WordRanking([]).order("lamp") == []


def test_the_example_that_shares_the_rare_word_is_shown():
    predict = dspy.Predict("conversation, summary -> rating")
    pool = [dspy.Example(conversation=talk, summary="Thank you, hello, sorry.", rating="1") for talk in TALKS]
    show_nearest(predict, pool, 1)
    asked = "Customer: hello, thank you, sorry, thank you, the kettle is broken. Agent: sorry, thank you, hello."
    (shown,) = demos_for(predict, {"conversation": asked, "summary": "Hello."})
    assert shown.conversation == TALKS[1]

import math

import pytest

from arf_programs.programs.analysis.one_word import read_word, yes_probability


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
        ("No, the", "no"),
        ("No the", "no"),
        ("**No**", "no"),
        ("**No", "no"),
        ("n", "no"),
        ("Y", "yes"),
        ("False", "no"),
        ("true.", "yes"),
        ("Not supported.", "no"),
        ("not fully supported", "no"),
        ("Unsupported", "no"),
        ("Supported.", "yes"),
        ("fully supported", "yes"),
        ("Partially supported", "no"),
        ("It is not supported", "no"),
        ("It isn’t supported.", "no"),
        ("This is supported by turn 3", "yes"),
        ("The conversation does not support this.", "no"),
        ("The conversation supports everything, but not in these words.", "yes"),
        ("The sentence is not contradicted", "yes"),
        ("The sentence is wrong", "no"),
        ("No errors.", "yes"),
        ("No evidence supports this", "no"),
        ("Nothing supports it", "no"),
        ("Answer: no", "no"),
        ("Answer: **Yes**", "yes"),
        ("The answer is no.", "no"),
        ("My final answer: 'no'", "no"),
        ('{"supported": "no"}', "no"),
        ('{"supported": false}', "no"),
        ('{"supported":"no', "no"),
        ('```json\n{"answer": true}\n```', "yes"),
        ("[[ ## supported ## ]]\nno", "no"),
        ("“No”", "no"),
        ("Ｎｏ", "no"),
        ("\ufeff\nyes", "yes"),
        ("✅ Yes", "yes"),
        ("<answer>No</answer>", "no"),
        ("\\boxed{No}", "no"),
        ("Answer – **No**", "no"),
        ("A) no", "no"),
        ("Based on the conversation, no.", "no"),
        ("According to turn 4, the sentence is not supported.", "no"),
        ("I think yes", "yes"),
        ("It does not.", "no"),
        ("It does.", "yes"),
        ("No doubt, it is supported.", "yes"),
        ("Definitely not.", "no"),
        ("Of course.", "yes"),
        ("Not entirely", "no"),
        ("Mostly", "no"),
        ("Cannot be verified.", "no"),
        ("There is no mention of a refund.", "no"),
        ("Everything is supported except the date.", "no"),
        ("Nein.", "no"),
        ("Oui", "yes"),
        ('["no"]', "no"),
        ('{"supported": 0}', "no"),
        ('{"reason": "Yes, he asked, but the price differs.", "supported": "no"}', "no"),
        ("{supported: no}", "no"),
        ("<|assistant|>no<|im_end|>", "no"),
        ("The agent confirmed 20 dollars, so no.", "no"),
        ("The agent said 30, not 20. So the answer is no.", "no"),
        ("Turn 3 says so. Yes.", "yes"),
        ("\u274c", "no"),
        ("\u2705", "yes"),
        ("\U0001f44d", "yes"),
        ("Yes/No: No", "no"),
        ("yes or no? yes", "yes"),
        ("\\n\\nNo", "no"),
        ("<no>", "no"),
        ("\u0120no", "no"),
        ("NoNoNo", "no"),
        ("REFUTES", "no"),
        ("NOT ENOUGH INFO", "no"),
        ("insufficient evidence", "no"),
        ("Entailment", "yes"),
        ("Neutral", "no"),
        ("Hallucination", "no"),
        ("half true", "no"),
        ("The sentence does not appear in the conversation", "no"),
        ("The conversation mentions this", "yes"),
        ("It appears unsupported", "no"),
        ("Yes, but the date is wrong.", "no"),
        ("Yes, however the amount is not mentioned.", "no"),
        ("はい", "yes"),
        ("いいえ", "no"),
        ("不是", "no"),
        ("아니요", "no"),
        ("Tak", "yes"),
        ("Nie", "no"),
        ("Hayır", "no"),
        ("نعم", "yes"),
        ("Nej", "no"),
        ("Supported? No", "no"),
        ("Is it supported? Yes.", "yes"),
        ("Yes. Why? It is stated in turn 3.", "yes"),
        ("Answer (yes/no): no", "no"),
        ("(Yes/No) No", "no"),
        ("[ ] Yes [x] No", "no"),
        ("\u2611 Yes \u2610 No", "yes"),
        ("entailment: no", "no"),
        ('{"no": true}', "no"),
        ('{"yes": false, "no": true}', "no"),
        ('{"yes": 1}', "yes"),
        ('Sure! {"supported": "no"}', "no"),
        ("Yes, partially.", "no"),
        ("Not in the conversation.", "no"),
        ("Never", "no"),
        ("Not applicable", None),
        ("The answer to the question is no.", "no"),
        ("Faux.", "no"),
        ("Wahr", "yes"),
        ("支持。", "yes"),
        ("Yes/No", None),
        ("True\n\nFalse", None),
        ("Agent: no", None),
        ("The agent confirmed 20 dollars.", None),  # what a person says is no answer
        ("N/A", None),
        ("No idea.", None),
        ("Not sure", None),
        ("I cannot tell.", None),
        ("No, yes", None),
        ("N.B. the agent", None),
        ("Yes and no", None),
        ("yes/no", None),
        ("Not", None),
        ("The", None),
        ("Maybe", None),
        ('{"a": true, "b": false}', None),
        ("[" * 5000, None),
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
        ([token("The", 0.9, ("yes", 0.03), ("no", 0.01))], None),  # it does not answer with them
        ([token("Not", 0.99, ("yes", 0.005)), token(" supported", 0.9)], None),
        ([token("Answer", 0.9), token(":", 1.0), token(" no", 0.9, ("yes", 0.1))], 0.1),
        ([token('{"', 1.0), token("supported", 1.0), token('":"', 1.0), token("yes", 0.8, ("no", 0.2))], 0.8),
        ([token("There", 0.9), token(" is", 0.9), token(" no", 0.9)], None),
        ([{"token": "no", "logprob": "x", "top_logprobs": []}], None),
        ([{"token": "no", "logprob": 1e9, "top_logprobs": None}], 0.0),
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


@pytest.mark.parametrize("others", [[], None, [{"token": "Yes", "logprob": math.log(0.6)}]], ids=str)
def test_a_word_without_alternatives_is_no_more_certain_than_it_says(others):
    assert yes_probability({"content": [{**token("Yes", 0.6), "top_logprobs": others}]}) == pytest.approx(0.6)
    assert yes_probability({"content": [{**token("No", 0.7), "top_logprobs": None}]}) == pytest.approx(0.3)

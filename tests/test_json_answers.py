"""Of several JSON objects in an answer, the one that stands as the answer counts; else the model is asked again."""

import json

import pytest
import scripted_team
from hypothesis import given
from hypothesis import strategies as st
from test_analyze import TAXONOMY, WRONG, error

from arf_programs.models import scripted
from arf_programs.programs import TypedAnswers
from signatures.exceptions import ModelError
from signatures.find_errors import FindErrors

CLEAN = '{"errors": []}'
FLAWED = json.dumps({"errors": [error()]})
PRETTY = json.dumps({"errors": [error()]}, indent=2)


def quotes_of(call, lm, conversation, *answers, says="My lamp broke.", retries=0):
    """Ask the analyst about a conversation with this last turn; return the quotes of the errors."""
    turns = conversation.turns
    talk = conversation.model_copy(update={"turns": (*turns, turns[0].model_copy(update={"text": says}))})
    scripted.register("model", list(answers))
    program = scripted_team.analyzer_of(lm, TAXONOMY, "holistic", checks=False, retries=retries)
    return [note.quote for note in call(program, conversation=talk, summary=WRONG).errors]


QUOTED = {
    "before the answer": f"The customer wrote {CLEAN}.\n\n{FLAWED}",
    "in the line of the answer": f"The customer wrote {CLEAN}. {FLAWED}",
    "after the answer": f"{FLAWED}\nI ignore the customer's {CLEAN}.",
    "on a line of its own": f"The customer wrote:\n{CLEAN}\n\nMy answer:\n{FLAWED}",
    "as a block quote": f"> {CLEAN}\n\n{PRETTY}",
    "in a fence": f"```json\n{CLEAN}\n```\nThat is data. The answer:\n```json\n{PRETTY}\n```",
    "with other spaces": f'The customer wrote {{ "errors" :[ ] }}.\n{FLAWED}',
    "twice": f"{CLEAN} and again {CLEAN}\n{FLAWED}",
}


@pytest.mark.parametrize("kind", QUOTED)
def test_an_object_that_the_model_quotes_from_the_conversation_is_not_its_answer(call, lm, conversation, kind):
    assert quotes_of(call, lm, conversation, QUOTED[kind], says=f"My answer: {CLEAN}") == ["refunded 39.90"]


ONE_STANDS = {
    "alone": FLAWED,
    "pretty": PRETTY,
    "fenced": f"```json\n{PRETTY}\n```",
    "fenced, with words": f"Here it is:\n```json\n{FLAWED}\n```\nI hope this helps.",
    "a fence of another kind": f"```\n{FLAWED}\n```",
    "in a line with words": f"Answer: {FLAWED}",
    "twice the same": f"{FLAWED}\n{PRETTY}",
    "a note after it": f"{FLAWED}\n\nNote: without the refund it would be {CLEAN}.",
    "a thought before it": f"At first it seems to be {CLEAN}, but no:\n{FLAWED}",
    "an object of another form": f'{{"turns": 5}}\n{FLAWED}',
    "braces in words": f"I use {{placeholders}} for names.\n{FLAWED}",
    "a tentative one in the reasoning": f"<think>Maybe {CLEAN}</think>{FLAWED}",
}


@pytest.mark.parametrize("kind", ONE_STANDS)
def test_the_object_that_stands_as_the_answer_is_taken(call, lm, conversation, kind):
    assert quotes_of(call, lm, conversation, ONE_STANDS[kind]) == ["refunded 39.90"]


UNCLEAR = {
    "two on lines of their own": f"{CLEAN}\n{FLAWED}",
    "the flawed one first": f"{FLAWED}\n\n{CLEAN}",
    "two fences": f"Draft:\n```json\n{CLEAN}\n```\nFinal:\n```json\n{FLAWED}\n```",
    "two in a line": f"Either {CLEAN} or {FLAWED}.",
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_an_answer_with_two_answers_is_asked_for_again(call, lm, conversation, kind):
    assert quotes_of(call, lm, conversation, UNCLEAR[kind], FLAWED, retries=1) == ["refunded 39.90"]
    assert len(scripted.calls("model")) == 2


def test_a_row_fails_whose_answers_stay_unclear(call, lm, conversation):
    with pytest.raises(ModelError, match="2 JSON objects that could be the answer"):
        quotes_of(call, lm, conversation, *[UNCLEAR["two in a line"]] * 2, retries=1)


def test_an_answer_that_only_quotes_is_asked_for_again(call, lm, conversation):
    quoting = f"The customer wrote {CLEAN}, which I ignore."
    assert quotes_of(call, lm, conversation, quoting, FLAWED, says=CLEAN, retries=1) == ["refunded 39.90"]


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ("{'errors': []}", "{'errors': []}"),
        ("{“errors”: []}", "{“errors”: []}"),
        ('{"errors": [],}', '{"errors": [],}'),
        ("{errors: []}", "{errors: []}"),
        ('{"answer": {"errors": []}}', CLEAN),
        ("{'answer': {'errors': []}}", CLEAN),
    ],
)
def test_a_quotation_of_what_is_nearly_json_or_within_other_json_is_no_answer(call, lm, conversation, written, quoted):
    quoting = f"The customer wrote {quoted}, which I ignore."
    assert quotes_of(call, lm, conversation, quoting, FLAWED, says=written, retries=1) == ["refunded 39.90"]
    assert len(scripted.calls("model")) == 2


def test_an_answer_that_is_whole_counts_even_if_a_customer_wrote_the_same(call, lm, conversation):
    assert quotes_of(call, lm, conversation, CLEAN, says=CLEAN) == []
    assert quotes_of(call, lm, conversation, f"```json\n{CLEAN}\n```", says=f"{CLEAN}!") == []


WORDS = st.text(alphabet="abc .,:\n", max_size=20)


@given(before=WORDS, between=WORDS, after=WORDS)
def test_words_around_an_answer_on_a_line_of_its_own_do_not_matter(before, between, after):
    text = f"{before}x {CLEAN} x{between}\n{FLAWED}\n{after}"
    (found,) = TypedAnswers().parse(FindErrors, text)["errors"]
    assert found.quote == "refunded 39.90"

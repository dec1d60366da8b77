"""The reasoning of a model is never part of a draft or of a typed answer."""

import json

import pytest
import scripted_team
from hypothesis import given
from hypothesis import strategies as st
from test_analyze import TAXONOMY, WRONG, error

from arf_programs.models import scripted
from arf_programs.models.answers.reasoning import answer_span
from arf_programs.programs.summarize import Summarize
from signatures.exceptions import ModelError

DRAFT = "The customer's kettle leaked."
WITH_REASONING = {
    "closed": f"<think>Who called?\nThe customer.</think>\n\n{DRAFT}",
    "empty": f"<think>\n\n</think>\n\n{DRAFT}",
    "opened by the template": f"Who called? The customer.\n</think>\n{DRAFT}",
    "twice": f"<think>Who?</think>The agent called.<think>No.</think>{DRAFT}",
    "a mark within": f"<think>I close with </think> soon. Now.</think>{DRAFT}",
    "capitals": f"<THINK>Who called?</THINK>{DRAFT}",
    "attributes": f'<think type="long">Who called?</think>{DRAFT}',
    "thinking": f"<thinking>Who called?</thinking>{DRAFT}",
    "reasoning": f"<reasoning>Who called?</reasoning>\n{DRAFT}",
    "thought": f"<thought>Who called?</thought>\n{DRAFT}",
    "Magistral": f"[THINK]Who called?[/THINK]{DRAFT}",
    "Command": f"<|START_THINKING|>Who called?<|END_THINKING|>{DRAFT}",
    "gpt-oss": f"<|channel|>analysis<|message|>Who called?<|end|><|start|>assistant<|channel|>final<|message|>{DRAFT}",
    "gpt-oss to its end": f"<|channel|>analysis<|message|>Who?<|end|><|channel|>final<|message|>{DRAFT}<|return|>",
    "an answer in tags": f"<think>Who called?</think>\n<answer>\n{DRAFT}\n</answer>",
    "tags without reasoning": f"<response>{DRAFT}</response>",
    "Sky-T1": f"<|begin_of_thought|>Who?<|end_of_thought|>\n<|begin_of_solution|>{DRAFT}<|end_of_solution|>",
    "Seed": f"<seed:think>Who called?</seed:think>{DRAFT}",
    "Kimi": f"◁think▷Who called?◁/think▷{DRAFT}",
    "closed in itself": f"<think/>{DRAFT}",
    "closed in itself, with a space": f"<think />\n{DRAFT}",
    "chain of thought": f"<chain_of_thought>Who called?</chain_of_thought>\n{DRAFT}",
    "inner monologue": f"<inner_monologue>Who called?</inner_monologue>{DRAFT}",
    "a scratchpad in capitals": f"<REASONING_SCRATCHPAD>Who called?</REASONING_SCRATCHPAD>{DRAFT}",
    "Apriel": f"Here are my reasoning steps:\nWho?\n[BEGIN FINAL RESPONSE]{DRAFT}[END FINAL RESPONSE]",
    "Granite": f"Here is my thought process:\nWho called?\n\nHere is my response:\n{DRAFT}",
    "Gemma": f"<unused94>thought\nWho called?<unused95>{DRAFT}",
    "Solar": f"<|think|>Who called?<|end|><|begin|>assistant<|content|>{DRAFT}<|end|>",
    "two parts of a template": f"<|im_start|>think\nWho called?<|im_start|>answer\n{DRAFT}<|im_end|>",
    "a prefix": f"<longcat_think>Who called?</longcat_think>{DRAFT}",
    "Gemma 4": f"<|channel>thought\nWho called?<channel|>{DRAFT}",
    "Open WebUI": f'<details type="reasoning" done="true">\n<summary>Thought</summary>\nWho?\n</details>\n{DRAFT}',
    "Ollama's terminal": f"Thinking...\nWho called?\n...done thinking.\n\n{DRAFT}",
    "Command with both marks": f"<|START_THINKING|>Who?<|END_THINKING|><|START_RESPONSE|>{DRAFT}<|END_RESPONSE|>",
    "tags that the server's stop has cut": f"<think>Who?</think>\n<answer>\n{DRAFT}",
    "a summary in tags": f"<summary>\n{DRAFT}\n</summary>",
    "gpt-oss without marks": f"analysisWho called? The customer.assistantfinal{DRAFT}",
}
ONLY_REASONING = {
    "unclosed": f"<think>Who called? {DRAFT}",
    "unclosed after an answer": f"<think>Who?</think>The agent <think>no, {DRAFT}",
    "closed": "<think>Who called?</think>",
    "closed alone": "Who called?</think>\n ",
    "reasoning": "<reasoning>Who called?",
    "Gemma 4": "<|channel>thought\nWho called?",
    "gpt-oss": "<|channel|>analysis<|message|>Who called?",
    "gpt-oss, empty": "<|channel|>analysis<|message|>Who?<|end|><|start|>assistant<|channel|>final<|message|>",
}


def draft(call, lm, conversation, answers, retries=1):
    scripted.register("model", answers)
    program = Summarize("Summarise it.", retries=retries)
    program.set_lm(lm)
    return call(program, conversation=conversation).summary


def saying(conversation, text):
    turns = conversation.turns
    return conversation.model_copy(update={"turns": (*turns, turns[0].model_copy(update={"text": text}))})


@pytest.mark.parametrize("kind", WITH_REASONING)
def test_a_draft_has_no_reasoning(call, lm, conversation, kind):
    assert draft(call, lm, conversation, [WITH_REASONING[kind]]) == DRAFT


@pytest.mark.parametrize("kind", ONLY_REASONING)
def test_an_answer_of_reasoning_alone_is_asked_for_again(call, lm, conversation, kind):
    assert draft(call, lm, conversation, [ONLY_REASONING[kind], DRAFT]) == DRAFT
    assert len(scripted.calls("model")) == 2


def test_a_model_that_only_reasons_fails_with_this_reason(call, lm, conversation):
    with pytest.raises(ModelError, match="all reasoning, so raise max_tokens"):
        draft(call, lm, conversation, [ONLY_REASONING["unclosed"]] * 2)


@pytest.mark.parametrize("kind", WITH_REASONING)
def test_an_error_in_the_reasoning_is_none_of_the_answer(call, lm, conversation, kind):
    """A tentative answer stands in the reasoning, and the answer follows."""
    tentative, answer = json.dumps({"errors": []}), json.dumps({"errors": [error()]})
    text = WITH_REASONING[kind].replace(DRAFT, answer).replace("Who", f"{tentative} Who")
    scripted.register("model", [text])
    reported = call(scripted_team.analyzer_of(lm, TAXONOMY, "holistic", checks=False, retries=0),
                    conversation=conversation, summary=WRONG)  # fmt: skip
    assert [note.quote for note in reported.errors] == ["refunded 39.90"]


@pytest.mark.parametrize(
    "text",
    [
        "The customer sent the text <think> to the bot.",
        "The bot wrote <think>hello</think> to the customer.",
        "The bot closed with </think> and the customer left.",
        "The log says <|channel|>final<|message|> twice.",
    ],
)
def test_a_draft_may_quote_a_mark_that_the_conversation_has(call, lm, conversation, text):
    assert draft(call, lm, saying(conversation, text), [text]) == text
    assert draft(call, lm, saying(conversation, text + "!"), [f"<think>Who?</think>\n{text}"]) == text


def test_a_mark_in_the_conversation_reaches_the_model(call, lm, conversation):
    draft(call, lm, saying(conversation, "I see <think> here."), [DRAFT])
    assert "I see <think> here." in scripted.calls("model")[0].prompt


def test_a_model_that_loops_over_line_ends_is_read_at_once():
    text = "{" + "\n" * 300_000 + "}"  # quadratic reading would take minutes
    assert answer_span(text) == (0, len(text))


def test_words_of_reasoning_are_no_marks(call, lm, conversation):
    text = "Analysis of the kettle: I think a < b > c, and [thinking] costs 3 < 5."
    assert draft(call, lm, conversation, [text]) == text


@given(reasoning=st.text(max_size=60), answer=st.text(max_size=60).filter(lambda text: not set(text) & set("<◁[|")))
def test_all_after_the_last_closing_mark_is_the_answer(reasoning, answer):
    text = f"<think>{reasoning}</think>{answer}"
    span = answer_span(text)
    if "<|" not in reasoning:
        assert span is not None and text[slice(*span)] == answer


@given(st.text(alphabet="<>/|[]thinkTHINK\n analysisassistantfinalchannelmessage◁▷"), st.text(alphabet="<think>/|"))
def test_any_text_has_an_answer_in_it_or_none(text, prompt):
    span = answer_span(text, prompt)
    assert span is None or 0 <= span[0] <= span[1] <= len(text)

"""The real SmolLM2 behind LiteLLM and DSPy; what the engine does in detail is tested on a tiny model."""

import asyncio
import json
from typing import Literal

import dspy
import pytest
from pydantic import BaseModel, Field

from arf_programs.models.providers.litellm import declare_model, import_litellm, register_providers

MODEL = "embedded/smollm2-135m"
litellm = import_litellm()


class Finding(BaseModel):
    turn: int = Field(ge=1, le=4)
    kind: Literal["invented", "left_out"]


class Report(BaseModel):
    findings: list[Finding] = Field(max_length=2)
    supported: Literal["yes", "no"]


@pytest.fixture(scope="module", autouse=True)
def providers():
    register_providers()
    declare_model(MODEL, json_schema=True)


def ask(text: str, **params):
    return litellm.completion(MODEL, messages=[{"role": "user", "content": text}], **({"max_tokens": 12} | params))


def test_it_answers_with_sense_and_the_same_each_time():
    response = ask("What is the capital of France?")
    assert "Paris" in response.choices[0].message.content
    assert response.choices[0].finish_reason == "stop"
    assert response.usage.prompt_tokens == 37
    assert response.usage.completion_tokens == 8
    assert litellm.completion_cost(response) == 0
    again = ask("What is the capital of France?")
    assert again.choices[0].message.content == response.choices[0].message.content
    assert again.usage.prompt_tokens_details.cached_tokens == 36


def test_concurrent_calls_answer_their_own_questions():
    async def ask_all():
        return await asyncio.gather(
            *(
                litellm.acompletion(MODEL, messages=[{"role": "user", "content": f"What is the capital of {c}?"}])
                for c in ("France", "Germany", "Japan")
            )
        )

    for response, city in zip(asyncio.run(ask_all()), ("Paris", "Berlin", "Tokyo"), strict=True):
        assert city in response.choices[0].message.content


def test_a_pydantic_class_comes_back_as_such():
    choice = ask("Report on this summary.", response_format=Report, max_tokens=60).choices[0]
    Report.model_validate_json(choice.message.content)
    assert "\n" not in choice.message.content


def test_log_probabilities_in_the_form_of_openai():
    choice = ask("Is Paris in France? Answer yes or no.", max_tokens=1, logprobs=True, top_logprobs=5).choices[0]
    (item,) = choice.logprobs.content
    assert {"Yes", "No"} <= {top.token for top in item.top_logprobs}
    assert bytes(item.bytes).decode() == item.token == choice.message.content
    assert choice.finish_reason == "length"


def test_dspy_sends_a_schema_and_gets_typed_outputs():
    class Check(dspy.Signature):
        """Say whether the conversation supports the sentence, and where it is."""

        conversation: str = dspy.InputField()
        sentence: str = dspy.InputField()
        report: Report = dspy.OutputField()

    lm = dspy.LM(MODEL, engine="litellm", temperature=0.0, seed=1, max_tokens=60, cache=False, num_retries=0)
    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        prediction = asyncio.run(dspy.Predict(Check).acall(conversation="[1] Customer: Hi.", sentence="He says hi."))
    assert isinstance(prediction.report, Report)
    assert json.loads(lm.history[-1]["outputs"][0]).keys() == {"report"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"frequency_penalty": 1.0}, "no parameter frequency_penalty"),
        ({"n": 2}, "n must be 1"),
        ({"max_tokens": 2, "response_format": Report}, "is too few"),
    ],
)
def test_what_cannot_be_honoured_is_a_bad_request(params, message):
    with pytest.raises(litellm.BadRequestError, match=message):
        ask("Hi", **params)


def test_a_prompt_beyond_the_context():
    with pytest.raises(litellm.ContextWindowExceededError, match="takes 8192"):
        ask("Hi " * 9000)

"""What ARF uses of DSPy beside its public interface still does what it is used for."""

import logging

import dspy
import litellm
import pydantic
import pytest
from conftest import stored_calls
from dspy.lm15 import Message, RateLimitError, Request, ServerError
from pydantic import BaseModel

from arf_programs.config import ModelConfig
from arf_programs.models import build_lm, scripted
from arf_programs.models.calls import dspy_internals
from arf_programs.models.calls.engine import quiet_about_cut_offs
from arf_programs.programs import TypedAnswers
from signatures.find_errors import FindErrors


class Answer(BaseModel):
    text: str


def test_a_request_becomes_the_arguments_of_litellms_completion():
    request = Request(model="m", messages=(Message.user("hi"),))
    assert dspy_internals.request_kwargs(request, "chat") == {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("error", "kind"), [(litellm.RateLimitError, RateLimitError), (litellm.InternalServerError, ServerError)]
)
def test_litellms_errors_become_those_that_pacing_knows(error, kind):
    raised = error(message="no", llm_provider="openai", model="m")
    assert isinstance(dspy_internals.to_lm15_error(raised, model="m", provider="openai"), kind)


def test_the_form_of_an_answer_is_made_once_and_no_call_changes_it(call, lm, conversation, monkeypatch):
    made = []
    create = pydantic.create_model

    def counted(*words, **fields):
        made.append(words)
        return create(*words, **fields)

    monkeypatch.setattr(pydantic, "create_model", counted)
    scripted.register("model", lambda messages, params: '{"errors": []}')
    predict = dspy.Predict(FindErrors.with_instructions("Find the errors."))
    predict.set_lm(lm)
    for summary in ("A kettle leaked.", "A lamp broke."):
        call(predict, conversation=conversation.as_text(), summary=summary, categories="none")
    first, second = (asked.params["response_format"] for asked in scripted.calls("model"))
    assert made == [("DSPyProgramOutputs",)]
    assert first == second
    forms: list[dict] = [{}, {}]
    for form in forms:
        TypedAnswers()._prepare_response_format(lm, form, predict.signature)
    forms[0]["response_format"].model_json_schema()["properties"].clear()  # as LiteLLM does
    assert set(forms[1]["response_format"].model_json_schema()["properties"]) == {"errors"}


def test_dspy_says_nothing_of_an_answer_that_is_cut_off(tmp_path, caplog, monkeypatch):
    scripted.register("model", [scripted.ScriptedAnswer(error="length", answer="The customer", times=2)])
    lm = build_lm(ModelConfig(model="scripted/model"), seed=1)
    logger = logging.getLogger(dspy_internals.TRUNCATION_LOGGER)
    monkeypatch.setattr(logger, "level", logging.WARNING)
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    with stored_calls(tmp_path):
        lm("one")
        assert caplog.messages[0].startswith(dspy_internals.TRUNCATION_MESSAGE)
        caplog.clear()
        with quiet_about_cut_offs():
            lm("two")
        assert not caplog.messages


def test_the_callback_of_a_model_is_told_what_the_request_leaves_out(tmp_path):
    """Rollouts are different questions, and the schema is sent as the type that was written."""
    scripted.register("model", lambda messages, params: '{"text": "fine"}')
    lm = build_lm(ModelConfig(model="scripted/model"), seed=1)
    with stored_calls(tmp_path):
        for rollout in (1, 2, 1):
            lm("hi", rollout_id=rollout, temperature=1.0, response_format=Answer)
    first, _ = scripted.calls("model")
    assert "Answer" in str(first.params["response_format"])
    assert isinstance(lm, dspy.LM)

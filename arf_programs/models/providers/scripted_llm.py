"""The LiteLLM provider of `scripted/NAME` models. `scripted` has the scripts, and does not need LiteLLM."""

from __future__ import annotations

from typing import Any

from litellm import Choices, ModelResponse, Usage
from litellm.exceptions import BadRequestError, InternalServerError, RateLimitError, Timeout
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import ChatCompletionTokenLogprob, ChoiceLogprobs, Message

from arf_programs.models.providers import scripted
from signatures.exceptions import ArfError

PROVIDER = "scripted"


class ScriptedLLM(CustomLLM):
    """Answers at once, for tests and for trials of a configuration. It counts words as tokens.

    Raises `litellm.BadRequestError`, which is not tried again, if there is no such script or no answer left.
    """

    def completion(  # LiteLLM passes everything by name
        self,
        model: str,
        messages: scripted.Messages,
        model_response: ModelResponse,
        optional_params: dict[str, Any],
        **_: Any,
    ) -> ModelResponse:
        call = scripted.ScriptedCall(messages, dict(optional_params))
        try:
            answer = scripted.answer(model, call)
        except ArfError as error:
            raise BadRequestError(message=str(error), model=model, llm_provider=PROVIDER) from error
        _raise_scripted_error(model, answer)
        return _response(model, call, answer, model_response)

    async def acompletion(
        self,
        model: str,
        messages: scripted.Messages,
        model_response: ModelResponse,
        optional_params: dict[str, Any],
        **_: Any,
    ) -> ModelResponse:
        return self.completion(model, messages, model_response, optional_params)


def _raise_scripted_error(model: str, answer: scripted.ScriptedAnswer) -> None:
    message = str(answer.answer) or f"{PROVIDER}/{model}: {answer.error}, as the script says"
    if answer.error == "rate_limit":
        raise RateLimitError(message=message, llm_provider=PROVIDER, model=model)
    if answer.error == "timeout":
        raise Timeout(message=message, model=model, llm_provider=PROVIDER)
    if answer.error == "server":
        raise InternalServerError(message=message, llm_provider=PROVIDER, model=model)


def _response(
    model: str, call: scripted.ScriptedCall, answer: scripted.ScriptedAnswer, response: ModelResponse
) -> ModelResponse:
    text = answer.text()
    prompt_tokens, completion_tokens = len(call.prompt.split()), len(text.split())
    finish_reason = answer.error if answer.error in ("length", "content_filter") else "stop"
    message = Message(content=text, role="assistant")
    logprobs = _logprobs(answer) if call.params.get("logprobs") else None
    response.choices = [Choices(finish_reason=finish_reason, index=0, message=message, logprobs=logprobs)]
    response.model = f"{PROVIDER}/{model}"
    usage = Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )
    response.usage = usage
    return response


def _logprobs(answer: scripted.ScriptedAnswer) -> ChoiceLogprobs | None:
    if answer.logprobs is None:
        return None
    return ChoiceLogprobs(content=[ChatCompletionTokenLogprob(**item.model_dump()) for item in answer.logprobs])

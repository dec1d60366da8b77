"""`embedded/NAME_OR_PATH` as a LiteLLM provider."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from litellm import Choices, ModelResponse, Usage
from litellm.exceptions import BadRequestError, ContextWindowExceededError, ServiceUnavailableError
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import (
    ChatCompletionTokenLogprob,
    ChoiceLogprobs,
    Message,
    PromptTokensDetailsWrapper,
    TopLogprob,
)

from arf_programs.models.embedded.params import plain_message, request_fields
from arf_programs.models.embedded.request import Completion, Request

if TYPE_CHECKING:
    from arf_programs.models.embedded.engine import Engine

PROVIDER = "embedded"


class EmbeddedLLM(CustomLLM):
    """Answers from the engine of the model named. A `timeout` does not apply: waiting for one's turn is no failure.

    Raises `litellm.BadRequestError` for a parameter or a schema that it cannot honour,
    `litellm.ContextWindowExceededError` for a prompt that leaves no room for an answer.
    """

    def completion(  # LiteLLM passes everything by name
        self,
        model: str,
        messages: list[dict[str, Any]],
        model_response: ModelResponse,
        optional_params: dict[str, Any],
        **_: Any,
    ) -> ModelResponse:
        engine = _engine(model)
        request = _request(engine, model, messages, optional_params)
        try:
            completion = engine.submit(request).result()
        except ValueError as error:
            raise _bad_request(model, str(error)) from error
        return _response(engine, model, completion, model_response)

    async def acompletion(
        self,
        model: str,
        messages: list[dict[str, Any]],
        model_response: ModelResponse,
        optional_params: dict[str, Any],
        **_: Any,
    ) -> ModelResponse:
        engine = await asyncio.to_thread(_engine, model)
        request = _request(engine, model, messages, optional_params)
        future = engine.submit(request)
        try:
            completion = await asyncio.wrap_future(future)
        except ValueError as error:
            raise _bad_request(model, str(error)) from error
        except CancelledError as error:
            raise ServiceUnavailableError(str(error), PROVIDER, model) from error
        return _response(engine, model, completion, model_response)


def _engine(model: str) -> Engine:
    # Here and not above: torch and transformers are imported by whoever uses an embedded model, and by no one else.
    from arf_programs.models.embedded.engine import get_engine

    return get_engine(model)


def _bad_request(model: str, message: str) -> BadRequestError:
    return BadRequestError(message=f"{PROVIDER}/{model}: {message}", model=model, llm_provider=PROVIDER)


def _request(engine: Engine, model: str, messages: list[dict[str, Any]], params: Mapping[str, Any]) -> Request:
    try:
        fields = request_fields(params)
        prompt = engine.tokenize([plain_message(message) for message in messages])
    except ValueError as error:
        raise _bad_request(model, str(error)) from error
    room = engine.model.context - len(prompt)
    if room < 1:
        raise ContextWindowExceededError(
            message=(
                f"The prompt has {len(prompt)} tokens; {PROVIDER}/{model} takes {engine.model.context}, "
                "its answer included."
            ),
            model=model,
            llm_provider=PROVIDER,
        )
    fields["max_tokens"] = min(fields["max_tokens"], room)
    return Request(prompt=prompt, **fields)


def _response(engine: Engine, model: str, completion: Completion, response: ModelResponse) -> ModelResponse:
    choice = Choices(
        finish_reason=completion.finish_reason,
        index=0,
        message=Message(content=completion.text, role="assistant"),
        logprobs=_logprobs(engine, completion),
    )
    response.choices = [choice]
    response.model = f"{PROVIDER}/{model}"
    usage = Usage(
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        total_tokens=completion.prompt_tokens + completion.completion_tokens,
        prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=completion.cached_tokens),
    )
    response.usage = usage
    return response


def _logprobs(engine: Engine, completion: Completion) -> ChoiceLogprobs | None:
    if completion.logprobs is None:
        return None
    return ChoiceLogprobs(
        content=[
            ChatCompletionTokenLogprob(
                **_spelled(engine, item.token),
                logprob=item.logprob,
                top_logprobs=[TopLogprob(**_spelled(engine, token), logprob=value) for token, value in item.top],
            )
            for item in completion.logprobs
        ]
    )


def _spelled(engine: Engine, token: int) -> dict[str, Any]:
    spelling = engine.token_bytes(token)
    return {"token": spelling.decode("utf-8", errors="replace"), "bytes": list(spelling)}

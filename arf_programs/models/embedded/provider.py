"""The LiteLLM provider of `embedded/NAME_OR_PATH` models: from OpenAI's parameters to a request of the engine."""

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
from pydantic import BaseModel

from arf_programs.models.calls.session import current_context, run_sync
from arf_programs.models.local.placement import AUTO

if TYPE_CHECKING:
    from arf_programs.models.embedded.engine import Engine
    from arf_programs.models.embedded.row import Completion, Request

PROVIDER = "embedded"
PLACE = ("device", "dtype")  # parameters of the engine, not of a request
_DEFAULT_MAX_TOKENS = 512
_TOP_LOGPROBS = 20  # OpenAI's limit
_MEANINGLESS = frozenset({"user", "max_retries", "stream_options"})  # they have no effect in this process


class EmbeddedLLM(CustomLLM):
    """Answers with the engine of the model. A `timeout` has no effect, since a wait in the queue is no failure.

    Raises `litellm.BadRequestError` for an unsupported parameter or schema, and `litellm.ContextWindowExceededError`
    for a prompt that leaves no tokens for an answer.
    """

    def completion(self, **arguments: Any) -> ModelResponse:  # LiteLLM passes everything by name
        return run_sync(self.acompletion(**arguments))

    async def acompletion(
        self,
        model: str,
        messages: list[dict[str, Any]],
        model_response: ModelResponse,
        optional_params: dict[str, Any],
        **_: Any,
    ) -> ModelResponse:
        engine = await asyncio.to_thread(_engine, model, optional_params)
        request = _request(engine, model, messages, optional_params)
        future = engine.submit(request)
        try:
            completion = await asyncio.wrap_future(future)
        except ValueError as error:
            raise _bad_request(model, str(error)) from error
        except CancelledError as error:
            raise ServiceUnavailableError(str(error), PROVIDER, model) from error
        return _response(engine, model, completion, model_response)


def _engine(model: str, params: Mapping[str, Any]) -> Engine:
    # Imported here, so that torch and transformers load only when an embedded model is used.
    from arf_programs.models.embedded.engine import get_engine

    context = current_context()
    device, dtype = (str(params.get(name) or AUTO) for name in PLACE)
    return get_engine(model, device, dtype, say=context.session.endpoints.say if context else None)


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
    from arf_programs.models.embedded.row import Request

    return Request(prompt=prompt, **fields)


def request_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turn OpenAI parameters into the fields of a `Request` except `prompt`. Raises ValueError for others."""
    given = {key: value for key, value in params.items() if value is not None and key not in (*_MEANINGLESS, *PLACE)}
    if given.pop("n", 1) != 1:
        raise ValueError("n must be 1: ask again with another seed.")
    if given.pop("stream", False):
        raise ValueError("it does not stream.")
    fields: dict[str, Any] = {
        "max_tokens": int(given.pop("max_completion_tokens", given.pop("max_tokens", _DEFAULT_MAX_TOKENS))),
        "temperature": float(given.pop("temperature", 0.0)),
        "top_p": float(given.pop("top_p", 1.0)),
        "seed": int(given.pop("seed", 0)),
        "stop": _stops(given.pop("stop", ())),
        "schema": _schema(given.pop("response_format", None)),
        "top_logprobs": _top_logprobs(given.pop("logprobs", False), given.pop("top_logprobs", 0)),
        "no_repeat_ngram_size": int(given.pop("no_repeat_ngram_size", 0)),
    }
    given.pop("max_tokens", None)
    if given:
        raise ValueError(f"it has no parameter {', '.join(sorted(given))}; it takes {', '.join(fields)}.")
    if fields["max_tokens"] < 1 or fields["temperature"] < 0 or not 0 < fields["top_p"] <= 1:
        raise ValueError("max_tokens must be at least 1, temperature at least 0, top_p above 0 and at most 1.")
    if fields["no_repeat_ngram_size"] < 0:
        raise ValueError("no_repeat_ngram_size must be at least 0, which is without effect.")
    return fields


def _stops(stop: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _top_logprobs(wanted: bool, number: int) -> int | None:
    if number > _TOP_LOGPROBS or number < 0:
        raise ValueError(f"top_logprobs must be from 0 to {_TOP_LOGPROBS}.")
    return number if wanted or number else None


def _schema(response_format: Any) -> dict[str, Any] | None:
    """Return the JSON schema of a `response_format`, which is OpenAI's dict or a pydantic class."""
    if isinstance(response_format, type) and issubclass(response_format, BaseModel):
        return response_format.model_json_schema()
    kind = response_format.get("type") if isinstance(response_format, dict) else response_format
    if kind is None or kind == "text":
        return None
    if kind == "json_object":
        return {}
    if kind == "json_schema":
        schema: dict[str, Any] = response_format["json_schema"]["schema"]
        return schema
    raise ValueError(f"response_format {response_format!r} is unknown: use json_schema, json_object or text.")


def plain_message(message: Mapping[str, Any]) -> dict[str, str]:
    """Return a chat message with its content as one text. Raises ValueError for images and other parts."""
    content = message.get("content") or ""
    if not isinstance(content, str):
        other = {part.get("type") for part in content} - {"text"}
        if other:
            raise ValueError(f"it reads text, not {', '.join(sorted(map(str, other)))}.")
        content = "".join(part["text"] for part in content)
    return {"role": message["role"], "content": content}


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
    spelling = engine.model.grammars.token_bytes(token)
    return {"token": spelling.decode("utf-8", errors="replace"), "bytes": list(spelling)}

"""Use an answer whose text is good although LiteLLM could not read what stands beside it, such as its usage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx

from arf_programs.models.answers import read_answer
from arf_programs.models.failures import errors_behind
from arf_programs.models.providers import import_litellm

# LiteLLM's errors do not hold the answer. Its functions that read one have it under these names.
_NAMES: Final = ("response_object", "completion_response", "raw_response")


def salvage(error: BaseException) -> Any:
    """Return LiteLLM's ModelResponse of the answer that raised `error`, without usage and log-probabilities.

    None if the answer has no text, or does not say in a word why it ended.
    """
    for body in _bodies(error):
        if read_answer(body).text and isinstance(body["choices"][0]["finish_reason"], str):
            with suppress(Exception):  # LiteLLM raises various exceptions for odd fields
                return import_litellm().ModelResponse(**body)
    return None


def _bodies(error: BaseException) -> Iterator[Mapping[str, Any]]:
    """Yield the answers among the variables of the functions that raised the error, as chat completions."""
    for one in errors_behind(error):
        trace = one.__traceback__
        while trace is not None:
            for name in _NAMES:
                body = _decoded(trace.tb_frame.f_locals.get(name))
                with suppress(AttributeError, LookupError, TypeError):  # an answer of another form
                    yield _completion(*_text_and_ending(body))
            trace = trace.tb_next


def _decoded(value: Any) -> Any:
    if isinstance(value, httpx.Response):
        with suppress(ValueError, RecursionError):
            return value.json()
    return value


def _text_and_ending(body: Any) -> tuple[Any, Any]:
    """Return text and ending of an answer in the form of OpenAI, Gemini, Anthropic or Ollama.

    Raises LookupError, TypeError or AttributeError for any other.
    """
    if "choices" in body:
        choice = body["choices"][0]
        return choice["message"]["content"], choice.get("finish_reason")
    if "candidates" in body:
        candidate = body["candidates"][0]
        parts = [part["text"] for part in candidate["content"]["parts"] if not part.get("thought")]
        return "".join(parts), candidate.get("finishReason")
    if isinstance(body.get("content"), list):
        texts = [part["text"] for part in body["content"] if part["type"] == "text"]
        return "".join(texts), body.get("stop_reason")
    return body["message"]["content"], body.get("done_reason")


def _completion(text: Any, ending: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"choices": [{"message": message, "finish_reason": "stop" if ending is None else ending}]}

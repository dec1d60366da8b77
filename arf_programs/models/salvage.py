"""Use an answer whose text is good although LiteLLM could not read what stands beside it, such as its usage."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from arf_programs.models.answers import read_answer, text_of_content
from arf_programs.models.providers import import_litellm


class Received:
    """Keeps the answer of one call as the provider sent it. It is LiteLLM's `logger_fn` of that call."""

    def __init__(self) -> None:
        self.body: Any = None

    def __call__(self, details: Mapping[str, Any]) -> None:
        response = details.get("original_response")
        with suppress(orjson.JSONDecodeError):  # no JSON is no answer
            self.body = orjson.loads(response) if isinstance(response, str) else self.body


def salvage(received: Received) -> Any:
    """Return LiteLLM's ModelResponse of an answer that LiteLLM refused, without usage and log-probabilities.

    None if the answer has no text, or does not say in a word why it ended.
    """
    try:
        body = _completion(*_text_and_ending(received.body))
    except (AttributeError, LookupError, TypeError):  # an answer of another form
        return None
    if read_answer(body).text and isinstance(body["choices"][0]["finish_reason"], str):
        with suppress(Exception):  # LiteLLM raises various exceptions for odd fields
            return import_litellm().ModelResponse(**body)
    return None


def _text_and_ending(body: Any) -> tuple[Any, Any]:
    """Return text and ending of an answer in the form of OpenAI, Gemini, Anthropic or Ollama.

    Raises LookupError, TypeError or AttributeError for any other.
    """
    if "choices" in body:
        choice = body["choices"][0]
        ending = "error" if choice.get("error") else choice.get("finish_reason")
        return text_of_content(choice["message"]["content"]), ending
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

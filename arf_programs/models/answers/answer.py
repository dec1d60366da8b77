"""Read an answer, whatever a provider has sent: its text without reasoning, why it ended, its log-probabilities.

Nothing here raises. What is no text becomes an empty answer with a problem, which is asked again. An answer whose text
is good is used although LiteLLM could not read what stands beside it, such as its usage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson

from arf_programs.models.answers.reasoning import answer_span
from arf_programs.models.providers.litellm import import_litellm

LENGTH: Final = "length"
CONTENT_FILTER: Final = "content_filter"
BROKEN_OFF: Final = "error"

_LONGEST: Final = 1_000_000  # characters; the longest answers of models have half as many
_LEAST_LOGPROB: Final = -9999.0  # OpenAI's value for a token that is next to impossible
# LiteLLM takes an ending that it does not know for "stop", and keeps the provider's own word beside it.
_ENDINGS: Final = (
    (CONTENT_FILTER, re.compile(r"filter|safety|block|refus|prohibit|guardrail|sensitive|recitation|spii|moderat")),
    (LENGTH, re.compile(r"length|max_?tokens|max_output_tokens|max_new_tokens|token_limit|context_window|compaction")),
    (
        BROKEN_OFF,
        re.compile(
            r"error|abort|cancel|fail|interrupt|insufficient|overload|time_?out|unavailable|malformed|incomplete|"
            r"disconnect|kill|unexpected|missing_thought|too_many"
        ),
    ),
)


@dataclass(frozen=True)
class Answer:
    """What counts of an answer.

    Attributes:
        text: the answer without reasoning; empty if there is none that can be used.
        ending: `length`, `content_filter` or `error` for an answer that is not whole, else empty.
        problem: why there is no text.
        logprobs: log-probabilities of the tokens of `text`, in OpenAI's form, if there are any that can be used.
    """

    text: str = ""
    ending: str = ""
    problem: str = ""
    logprobs: dict[str, Any] | None = None


def read_answer(body: Any, prompt: str = "") -> Answer:
    """Read a chat completion. `prompt` is what was asked: an answer may quote marks of reasoning from it."""
    choices = _field(body, "choices")
    if not isinstance(choices, list) or not choices:
        return Answer(problem="the answer has no choices")
    ending = _ending(choices[0])
    message = _field(choices[0], "message")
    content = text_of_content(_field(message, "content"))
    if _is_blank(content):
        return Answer(ending=ending, problem=_why_empty(message))
    if len(content) > _LONGEST:
        return Answer(ending=ending, problem=f"the answer has {len(content)} characters")
    span = answer_span(content, prompt)
    if span is None:
        return Answer(ending=ending, problem="the answer is all reasoning, so raise max_tokens if it was cut off there")
    text = content[slice(*span)].strip() if span != (0, len(content)) else content
    if _is_blank(text):
        return Answer(ending=ending, problem="nothing follows the reasoning")
    return Answer(text, ending, logprobs=_logprobs(_field(choices[0], "logprobs"), message, content, text))


def text_of(body: Any) -> str:
    """Return all text that a provider sent and will charge for, reasoning too."""
    parts = []
    choices = _field(body, "choices")
    for choice in choices if isinstance(choices, list) else ():
        message = _field(choice, "message")
        for name in ("reasoning_content", "content"):
            parts.append(text_of_content(_field(message, name)))
        if calls := _field(message, "tool_calls"):
            parts.append(str(calls))
    return "".join(parts)


def tool_calls_of(body: Any) -> dict[str, Any]:
    """Return the tool calls of an answer as a field of its message; nothing if it has none."""
    choices = _field(body, "choices")
    calls = _field(_field(choices[0], "message"), "tool_calls") if isinstance(choices, list) and choices else None
    return {"tool_calls": calls} if calls else {}


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _is_blank(text: str) -> bool:
    """Whether nothing in a text can be seen."""
    return not any(char.isprintable() and not char.isspace() for char in text)


def text_of_content(content: Any) -> str:
    """Return a content as text: as it is, or the joined texts of its parts. Any other is empty."""
    if isinstance(content, list):
        return "".join(
            part["text"] for part in content if _field(part, "type") in ("text", "output_text") and _is_text(part)
        )
    return content if isinstance(content, str) else ""


def _is_text(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str)


def _why_empty(message: Any) -> str:
    if _field(message, "tool_calls") or _field(message, "function_call"):
        return "the answer calls a tool and has no text"
    if _field(message, "reasoning_content") or _field(message, "reasoning"):
        return "the answer is all reasoning, so raise max_tokens if it was cut off there"
    return "the answer has no text"


def _ending(choice: Any) -> str:
    own = _field(_field(choice, "provider_specific_fields"), "native_finish_reason")
    given = _field(choice, "finish_reason")
    if _field(choice, "error") or _field(_field(choice, "provider_specific_fields"), "error"):
        return BROKEN_OFF
    for word in (given, own):
        name = re.sub(r"[\s-]+", "_", word.strip().lower()) if isinstance(word, str) else ""
        for ending, pattern in _ENDINGS:
            if pattern.search(name):
                return ending
    return ""


def _logprobs(given: Any, message: Any, content: str, text: str) -> dict[str, Any] | None:
    """Return the log-probabilities of the tokens of `text`. None if one of them is no log-probability."""
    tokens = _field(given, "content")
    if not isinstance(tokens, list) or not tokens:
        return None
    checked = [_token(token) for token in tokens]
    sound = [token for token in checked if token is not None]
    if len(sound) < len(checked):
        return None
    if text is not content or _field(message, "reasoning_content"):
        return _of_the_end(sound, content, text)
    return {"content": sound}


def _of_the_end(tokens: Sequence[dict[str, Any]], content: str, text: str) -> dict[str, Any] | None:
    """Return the tokens that make up `text`, where reasoning stands before it. None if they cannot be told."""
    whole = "".join(token["token"] for token in tokens)
    place = whole.rfind(content)
    place = whole.rfind(text, max(0, place))
    if place < 0:
        return None
    position, kept = 0, []
    for token in tokens:
        position += len(token["token"])
        if position > place:
            kept.append(token)
    return {"content": kept}


def _token(token: Any, *, alternative: bool = False) -> dict[str, Any] | None:
    """Return a token with its log-probability, and with the tokens that might have stood there. None if it is none."""
    text, value = _field(token, "token"), _field(token, "logprob")
    if not isinstance(text, str) or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if math.isnan(value) or value > 1e-3:  # rounding may take a certain token just above 0
        return None
    sound: dict[str, Any] = {"token": text, "logprob": min(0.0, max(_LEAST_LOGPROB, float(value)))}
    if alternative:
        return sound
    others = _field(token, "top_logprobs")
    checked = [_token(other, alternative=True) for other in others] if isinstance(others, list) else []
    if None in checked:
        return None
    return {**sound, "top_logprobs": checked}


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

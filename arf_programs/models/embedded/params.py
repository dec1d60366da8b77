"""OpenAI's parameters and messages as the engine takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_DEFAULT_MAX_TOKENS = 512
_TOP_LOGPROBS = 20  # OpenAI's limit
_MEANINGLESS = frozenset({"user", "max_retries", "stream_options"})  # nothing in this process for them to act on


def request_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI parameters as fields of a `Request`, all but `prompt`; raises `ValueError` for others."""
    given = {key: value for key, value in params.items() if value is not None and key not in _MEANINGLESS}
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
    }
    given.pop("max_tokens", None)
    if given:
        raise ValueError(f"it has no parameter {', '.join(sorted(given))}; it takes {', '.join(fields)}.")
    if fields["max_tokens"] < 1 or fields["temperature"] < 0 or not 0 < fields["top_p"] <= 1:
        raise ValueError("max_tokens must be at least 1, temperature at least 0, top_p above 0 and at most 1.")
    return fields


def _stops(stop: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _top_logprobs(wanted: bool, number: int) -> int | None:
    if number > _TOP_LOGPROBS or number < 0:
        raise ValueError(f"top_logprobs must be from 0 to {_TOP_LOGPROBS}.")
    return number if wanted or number else None


def _schema(response_format: Any) -> dict[str, Any] | None:
    """The JSON schema of a `response_format`: a dict as OpenAI takes it, or a pydantic class."""
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
    """A chat message whose content is one text; raises `ValueError` for images and the like."""
    content = message.get("content") or ""
    if not isinstance(content, str):
        other = {part.get("type") for part in content} - {"text"}
        if other:
            raise ValueError(f"it reads text, not {', '.join(sorted(map(str, other)))}.")
        content = "".join(part["text"] for part in content)
    return {"role": message["role"], "content": content}

"""Ask without a feature that an endpoint refuses, where an answer without it is as good or nearly so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dspy.lm15 import InvalidRequestError, UnsupportedFeatureError

from arf_programs.models.store import Body

_REFUSALS: Final = (InvalidRequestError, UnsupportedFeatureError)
_SYSTEM_REFUSED: Final = re.compile(
    r"(?:system|developer) (?:role|message|prompt|instruction)s?\b|role\W{0,3}system|only user(?:,| and) assistant|"
    r"roles must alternate",
    re.IGNORECASE,
)


def refused_feature(error: Exception, request: Mapping[str, Any]) -> str | None:
    """Return the feature of the request that the endpoint refuses by name; None if it refuses something else.

    Only refusals of the request count: a status such as 400 or 422, or LiteLLM's own table. The features are those of
    `ask_without`.
    """
    if not isinstance(error, _REFUSALS):
        return None
    text = str(error)
    format_ = request.get("response_format")
    if format_ is not None and re.search(
        r"response[ _]?format|json[ _-]?(?:object|schema|mode)|structured output", text, re.IGNORECASE
    ):
        return "response_format" if _is_json_mode(format_) else "json_schema"
    if "logprobs" in request and re.search(r"log[_ -]?prob", text, re.IGNORECASE):
        return "logprobs"
    if _SYSTEM_REFUSED.search(text) and any(item["role"] == "system" for item in request["messages"]):
        return "system"
    return None


def ask_without(features: Iterable[str], request: Body) -> Body:
    """Return the request without these features.

    - `json_schema`: JSON mode is asked for instead. The prompt describes the form of the answer in any case.
    - `response_format`: nothing but the prompt asks for JSON.
    - `logprobs`: a score is then the share of sampled answers, if `analyze.samples` is more than 1.
    - `system`: the system text stands before the first message of the user.
    """
    changed = dict(request)
    for feature in features:
        _CHANGES[feature](changed)
    return changed


def describe(feature: str) -> str:
    """Say in one sentence what the run does without the feature, and which key makes that lasting."""
    return _SENTENCES[feature]


def _is_json_mode(format_: Any) -> bool:
    return isinstance(format_, Mapping) and format_.get("type") == "json_object"


def _to_json_mode(request: Body) -> None:
    if not _is_json_mode(request.get("response_format", {"type": "json_object"})):
        request["response_format"] = {"type": "json_object"}


def _join_system(request: Body) -> None:
    messages = [dict(item) for item in request["messages"]]
    system = "\n\n".join(str(item["content"]) for item in messages if item["role"] == "system")
    rest = [item for item in messages if item["role"] != "system"]
    first = next((item for item in rest if item["role"] == "user"), None)
    if system and first is not None:
        first["content"] = f"{system}\n\n{first['content']}"
        request["messages"] = rest


def _drop(*names: str) -> Callable[[Body], None]:
    def drop(request: Body) -> None:
        for name in names:
            request.pop(name, None)

    return drop


_CHANGES: Final[dict[str, Callable[[Body], None]]] = {
    "json_schema": _to_json_mode,
    "response_format": _drop("response_format"),
    "logprobs": _drop("logprobs", "top_logprobs"),
    "system": _join_system,
}
_SENTENCES: Final = {
    "json_schema": "refuses a JSON schema, so it is asked for JSON without one. Set its `json_schema` to false.",
    "response_format": "refuses JSON mode, so the prompt alone asks for JSON. If its server can enforce a JSON schema, "
    "set its `json_schema` to true.",
    "logprobs": "refuses log-probabilities, so it is asked without them. Set its `logprobs` to false, and "
    "`analyze.samples` to more than 1 for scores.",
    "system": "refuses system messages, so the system text stands before the user's first message.",
}

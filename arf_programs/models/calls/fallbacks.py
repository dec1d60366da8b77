"""Ask without a feature that an endpoint refuses, where an answer without it is as good or nearly so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dspy.lm15 import AuthError, InvalidRequestError, ServerError, UnsupportedFeatureError

from arf_programs.models.answers.store import Body

_REFUSALS: Final = (InvalidRequestError, UnsupportedFeatureError)
_ALSO_REFUSALS: Final = (403, 500, 501)
"""Some servers refuse a feature with these: OpenAI log-probabilities, llama.cpp a role that its template lacks."""

_NOT: Final = (
    r"(?:\bnot\b|n't\b|unsupported|invalid|unexpected|unknown|unrecognized|disabled|unavailable|disallowed|\bno\b)"
)
_SYSTEM_REFUSED: Final = re.compile(
    rf"(?:system|developer)[ _]?(?:role|message|prompt|instruction)s?\b.{{0,60}}{_NOT}|"
    rf"{_NOT}[^.]{{0,40}}(?:system|developer)[ _]?(?:role|message|prompt|instruction)|"
    r"role\W{0,3}system|only user(?:,| and) assistant|roles must alternate|role\W{0,3} does not support\W{1,3}system|"
    r"(?:should be|must be|supported|permitted|allowed|expected)[^.]{0,30}\buser\W{1,6}(?:(?:and|or)\W{1,3})?assistant|"
    r"got\W{1,3}system\b|(?:first|1st) message (?:must|should|has to)\b[^.]{0,30}\buser|"
    r"(?:expected|expects)[^.]{0,20}\buser\b[^.]{0,20}\bsystem|\bsystem\W{1,3}is not one of",
    re.IGNORECASE | re.DOTALL,
)
_TEMPERATURE_REFUSED: Final = re.compile(
    r"temperature.{0,60}(?:unsupported|not (?:support|allowed|permitted|implement)|only|(?:must|should|has to) be|"
    r"deprecated|fixed|expected|greater than|unexpected|out of)|"
    r"(?:unsupported|n[o']t support|only|deprecated|unknown|unrecognized|unexpected|invalid)[^.]{0,60}temperature",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMA_REFUSED: Final = re.compile(
    r"schema\b.{0,80}(?:unsupported|not support|too many|exceeds|too complex)|(?:unsupported|invalid) schema|"
    r"n[o']t support[^.]{0,30}schema|guided[ _]?\w+|output_config|(?:constrained|structured) (?:decod|generat|output)|"
    r"grammar\b|\boutlines\b",
    re.IGNORECASE | re.DOTALL,
)
_JSON_REFUSED: Final = re.compile(
    r"response[ _]?format|json[ _-]?(?:object|schema|mode|output)|mime[ _]?type|only text (?:output|format)|"
    r"only supports? text|\btext\.format\b",
    re.IGNORECASE,
)
_LOGPROBS_REFUSED: Final = re.compile(r"log[_ -]?prob", re.IGNORECASE)
_FEWER_LOGPROBS: Final = re.compile(
    r"log[_ -]?probs?\b.{0,80}(?:less than|at most|max|<=|exceed|greater than|between|range|up to)|"
    r"too many log[_ -]?prob|"
    r"(?:at most|max\w*|up to)[^.]{0,40}log[_ -]?probs?",
    re.IGNORECASE | re.DOTALL,
)
_FEW_LOGPROBS: Final = 5  # the most that several servers give


def refused_feature(error: Exception, request: Mapping[str, Any]) -> str | None:
    """Return the feature of the request that the endpoint refuses by name; None if it refuses something else.

    Only refusals of the request count: a status such as 400 or 422, or LiteLLM's own table. The features are those of
    `ask_without`.
    """
    return feature_named(str(error), request) if isinstance(error, _REFUSALS) else None


def as_refusal(error: Exception, request: Mapping[str, Any]) -> Exception:
    """Return an error as a refusal of the request, if it names a feature of it with a status of `_ALSO_REFUSALS`."""
    status = getattr(error, "status", None)
    if isinstance(error, AuthError | ServerError) and status in _ALSO_REFUSALS and feature_named(str(error), request):
        refusal: Exception = InvalidRequestError(str(error), status=status)
        return refusal
    return error


def feature_named(text: str, request: Mapping[str, Any]) -> str | None:
    """Return the feature of the request that a refusal names in its text; None if it names none."""
    if "max_tokens" in request and "max_completion_tokens" in text:
        return "max_tokens"
    if "temperature" in request and _TEMPERATURE_REFUSED.search(text):
        return "temperature"
    format_ = request.get("response_format")
    if format_ is not None and (_JSON_REFUSED.search(text) or _SCHEMA_REFUSED.search(text)):
        return "response_format" if _is_json_mode(format_) else "json_schema"
    if "logprobs" in request and _LOGPROBS_REFUSED.search(text):
        more = int(request.get("top_logprobs") or 0) > _FEW_LOGPROBS
        return "top_logprobs" if more and _FEWER_LOGPROBS.search(text) else "logprobs"
    if _SYSTEM_REFUSED.search(text) and any(item["role"] == "system" for item in request["messages"]):
        return "system"
    if request.get("seed") is not None and re.search(r"\bseed\b", text):
        return "seed"
    return None


def ask_without(features: Iterable[str], request: Body) -> Body:
    """Return the request without these features.

    - `json_schema`: JSON mode is asked for instead. The prompt describes the form of the answer in any case.
    - `response_format`: nothing but the prompt asks for JSON.
    - `logprobs`: a score is then the share of sampled answers, if `analyze.samples` is more than 1.
    - `top_logprobs`: fewer log-probabilities of each token are asked for.
    - `seed`: the server draws as it likes.
    - `temperature`: the server takes its own.
    - `max_tokens`: it is sent as `max_completion_tokens`.
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


def _rename_max_tokens(request: Body) -> None:
    if "max_tokens" in request:
        request["max_completion_tokens"] = request.pop("max_tokens")


def _ask_fewer_logprobs(request: Body) -> None:
    if "top_logprobs" in request:
        request["top_logprobs"] = min(request["top_logprobs"], _FEW_LOGPROBS)


def _drop(*names: str) -> Callable[[Body], None]:
    def drop(request: Body) -> None:
        for name in names:
            request.pop(name, None)

    return drop


_CHANGES: Final[dict[str, Callable[[Body], None]]] = {
    "json_schema": _to_json_mode,
    "response_format": _drop("response_format"),
    "logprobs": _drop("logprobs", "top_logprobs"),
    "top_logprobs": _ask_fewer_logprobs,
    "seed": _drop("seed"),
    "temperature": _drop("temperature"),
    "max_tokens": _rename_max_tokens,
    "system": _join_system,
}
_SENTENCES: Final = {
    "json_schema": "refuses a JSON schema, so it is asked for JSON without one. Set its `json_schema` to false.",
    "response_format": "refuses JSON mode, so the prompt alone asks for JSON. If its server can enforce a JSON schema, "
    "set its `json_schema` to true.",
    "logprobs": "refuses log-probabilities, so it is asked without them. Set its `logprobs` to false, and "
    "`analyze.samples` to more than 1 for scores.",
    "top_logprobs": f"refuses so many log-probabilities of a token, so it is asked for {_FEW_LOGPROBS}.",
    "seed": "refuses a seed, so its answers may differ from run to run. Take `seed` out of its `parameters`.",
    "temperature": "refuses its temperature, so the server takes its own. Set its `temperature` to 1.",
    "max_tokens": "refuses `max_tokens`, so the longest answer is sent as `max_completion_tokens`.",
    "system": "refuses system messages, so the system text stands before the user's first message.",
}

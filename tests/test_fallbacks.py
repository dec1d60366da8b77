"""A run goes on without a feature that its endpoint refuses, says so once, and sends the feature no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from conftest import write_corpus
from model_server_faults import Faults
from odd_server import completion, serving_oddly
from served_team import answer, serving
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.models.calls.fallbacks import ask_without, feature_named
from arf_programs.runs import read_jsonl
from signatures.records import DraftErrors, Summary

REFUSALS = {
    "LM Studio": ("'response_format.type' must be 'json_schema' or 'text'", "response_format"),
    "Groq": ("This model does not support response format `json_object`.", "response_format"),
    "DeepSeek": ("This response_format type is unavailable now", "response_format"),
    "no logprobs": ("logprobs is not supported with this model", "logprobs"),
    "Gemma": ("System role not supported", "system"),
    "Mistral": ("Conversation roles must alternate user/assistant/user/assistant/...", "system"),
    "GPT-5 behind another name": (
        "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) is supported.",
        "temperature",
    ),
    "o1 behind another name": (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "max_tokens",
    ),
    "Bedrock": ("The model doesn't support the temperature field. Remove temperature and try again.", "temperature"),
    "TGI": ("Value error: temperature (0.0) has to be strictly greater than 0", "temperature"),
    "an endless JSON": ("This model does not support JSON output", "response_format"),
    "Gemini's JSON": (
        "Function calling with a response mime type: 'application/json' is unsupported",
        "response_format",
    ),
    "o1-mini": ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", "system"),
    "a server with pydantic": ("messages.0.role: Input should be 'user' or 'assistant'", "system"),
    "OpenRouter": ("No endpoints found that support response_format", "response_format"),
    "a server with a list of parts": ("Not implemented: response_format", "response_format"),
    "OpenAI's plan": ("You are not allowed to request logprobs from this model", "logprobs"),
    "llama.cpp": ("Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...", "system"),
    "Google": ("Developer instruction is not enabled for models/gemma-3-1b-it", "system"),
}


STATUS = {"OpenRouter": 404, "a server with a list of parts": 501, "OpenAI's plan": 403, "llama.cpp": 500}
"""Not all servers refuse with 400."""

JSON_MODE = {"response_format": {"type": "json_object"}}
SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {}}}
LOGPROBS = {"logprobs": True, "top_logprobs": 20}
FURTHER_REFUSALS = [
    ("Only text output is supported", JSON_MODE, "response_format"),
    ("body.response_format: Extra inputs are not permitted", JSON_MODE, "response_format"),
    ("'json_object' is not one of ['text']", JSON_MODE, "response_format"),
    ("This model does not support `output_config.format`", SCHEMA, "json_schema"),
    ("Failed to compile grammar: unsupported keyword minLength", SCHEMA, "json_schema"),
    ("top_logprobs must be less than or equal to 5", LOGPROBS, "top_logprobs"),
    (
        "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 8, but got 20.",
        LOGPROBS,
        "top_logprobs",
    ),
    ("Requested sample logprobs of 20, which is greater than max allowed: 5", LOGPROBS, "top_logprobs"),
    ("top_logprobs must be at most 3", {**LOGPROBS, "top_logprobs": 5}, "logprobs"),
    ("Unsupported parameter: top_logprobs", LOGPROBS, "logprobs"),
    ("Invalid temperature: 0.0; expected > 0", {"temperature": 0.0}, "temperature"),
    ("Unknown parameter: 'temperature'", {"temperature": 0.0}, "temperature"),
    ("messages: first message must use the user role", {}, "system"),
    ("messages[0]: expected role user, got system", {}, "system"),
    ("The 1st message should be a user message", {}, "system"),
    ("'system' is not one of ['user', 'assistant'] - 'messages.0.role'", {}, "system"),
    ("Unsupported parameter: seed", {"seed": 17}, "seed"),
    ("Constrained decoding is not enabled on this deployment", JSON_MODE, "response_format"),
    ("This model only supports text responses", JSON_MODE, "response_format"),
    ("xgrammar does not support this schema", SCHEMA, "json_schema"),
    ("Invalid value: 'system'. Supported values are: 'user' and 'assistant'.", {}, "system"),
    ("unknown variant `system`, expected `user` or `assistant`", {}, "system"),
    ("messages.0.role: unexpected value; permitted: 'user', 'assistant'", {}, "system"),
    ("system_instruction is not supported", {}, "system"),
    ("Expected last role User or Tool for serving but got system", {}, "system"),
    ("temperature out of range", {"temperature": 0.0}, "temperature"),
    ("The system is overloaded, please try again later", {}, None),
    ("content policy violation: system prompt leak", {}, None),
    ("The temperature of this topic is too hot for our policy", {"temperature": 0.0}, None),
    ("Maximum context length is 4096 tokens, you requested 5000", {**JSON_MODE, "temperature": 0.0}, None),
]


@pytest.mark.parametrize(("message", "asked", "feature"), FURTHER_REFUSALS)
def test_a_refusal_names_its_feature(message, asked, feature):
    messages = [{"role": "system", "content": "Rules."}, {"role": "user", "content": "One"}]
    assert feature_named(message, {"messages": messages, **asked}) == feature


def test_fewer_log_probabilities_are_asked_for_before_none():
    fewer = ask_without(["top_logprobs"], {"messages": [], **LOGPROBS})
    assert fewer == {"messages": [], "logprobs": True, "top_logprobs": 5}
    assert ask_without(["seed"], {"messages": [], "seed": 17}) == {"messages": []}


MODEL = "hosted_vllm/refusing"  # what LiteLLM knows of a model lasts for the process


def asks_for(feature: str, body: dict[str, Any]) -> bool:
    if feature == "system":
        return any(message["role"] == "system" for message in body["messages"])
    return feature in body if feature in ("temperature", "max_tokens") else bool(body.get(feature))


def analyze(tmp_path, server, *settings: str, model: str = "") -> Any:
    write_corpus(tmp_path / "conversations.jsonl", 12)
    config = tmp_path / "arf.yaml"
    config.write_text(
        f"run_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        f"models:\n  teacher: {{model: {MODEL}, api_base: '{server.url}', retries: 0, concurrency: 1{model}}}\n",
        encoding="utf-8",
    )
    return CliRunner().invoke(app, ["analyze", str(config), *(f"--set={item}" for item in settings)])


@pytest.fixture
def server(no_waiting):
    with serving_oddly() as odd:
        yield odd


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_feature_is_left_out_of_all_further_requests(tmp_path, server, name):
    message, feature = REFUSALS[name]

    def reply(_number: int, body: dict[str, Any]) -> Any:
        refused = asks_for(feature, body)
        server.status = STATUS.get(name, 400) if refused else 200
        return {"error": {"message": message}} if refused else completion(answer(body))

    server.answer = reply
    scores = ["analyze.strategy=sentencewise", "models.teacher.logprobs=true"] if feature == "logprobs" else []
    result = analyze(tmp_path, server, *scores)
    assert result.exit_code == 0, result.output
    assert result.output.count(f"{MODEL} at {server.url} refuses") == 1
    folder = tmp_path / "run"
    assert len(list(read_jsonl(folder / "drafts.jsonl", Summary))) == 12
    assert len(list(read_jsonl(folder / "errors.jsonl", DraftErrors))) == 10


def test_a_server_that_refuses_everything_is_asked_with_the_prompt_alone(tmp_path, server):
    def reply(_number: int, body: dict[str, Any]) -> Any:
        schema = (body.get("response_format") or {}).get("type") == "json_schema"
        asked = [name for name in ("response_format", "logprobs", "system") if asks_for(name, body)]
        server.status = 422 if asked else 200
        said = "json_schema is not supported" if schema else f"{(asked or [''])[0]} message is not supported"
        return {"error": {"message": said}} if asked else completion(answer(body))

    server.answer = reply
    result = analyze(tmp_path, server, model=", json_schema: true, logprobs: true")
    assert result.exit_code == 0, result.output
    for said in ("refuses a JSON schema", "refuses JSON mode", "refuses system messages"):
        assert result.output.count(said) == 1


@pytest.mark.parametrize("feature", ["response_format", "logprobs"])
def test_batch_mode_goes_on_without_a_refused_feature(tmp_path, feature):
    scores = ["analyze.strategy=sentencewise", "models.teacher.logprobs=true"] if feature == "logprobs" else []
    with serving(Faults(batch_refuses=feature)) as team:
        quick = ", json_schema: false, mode: batch, batch: {quiet: 0.05, poll: 0.05}"
        result = analyze(tmp_path, SimpleNamespace(url=team.base_url), *scores, model=quick)
    assert result.exit_code == 0, result.output
    assert result.output.count(f"{MODEL} at {team.base_url} refuses") == 1
    assert len(list(read_jsonl(tmp_path / "run" / "errors.jsonl", DraftErrors))) == 10


def test_another_refusal_is_a_counted_failure(tmp_path, server):
    server.status = 400
    server.answer = lambda *_: {"error": {"message": "this account may not use the model"}}
    result = analyze(tmp_path, server)
    assert result.exit_code == 1
    assert "this account may not use the model" in result.output
    assert "refuses" not in result.output


def test_the_system_text_stands_before_the_users_first_message():
    messages = [
        {"role": "system", "content": "Rules."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three"},
    ]
    request = {"messages": messages}
    assert ask_without(["system"], request)["messages"] == [
        {"role": "user", "content": "Rules.\n\nOne"},
        *messages[2:],
    ]
    assert request["messages"][0]["role"] == "system"

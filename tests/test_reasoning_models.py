"""Models that reason before they answer: their defaults, and what is refused before anything is sent."""

import pytest
from pydantic import ValidationError

from arf_programs.config.models import ModelConfig, ModelsConfig
from arf_programs.models.calls.lm import build_lm, check_provider
from arf_programs.runs.fingerprint import digest_model
from signatures.exceptions import ConfigError

OPENAIS = [
    "openai/gpt-5-mini",
    "openai/o3",
    "azure/o4-mini",
    "openrouter/openai/gpt-5.1",
    "openai/gpt-5-nano-2025-08-07",
    "openai/gpt-6-sol",
    "openai/ft:o4-mini-2025-04-16:me::1",
]
OTHERS = [
    "deepseek/deepseek-reasoner",
    "hosted_vllm/Qwen/QwQ-32B",
    "groq/openai/gpt-oss-120b",
    "gemini/gemini-2.5-pro",
    "hosted_vllm/Qwen/Qwen3-8B",
    "ollama_chat/qwen3:8b",
    "openrouter/qwen/qwen3-235b-a22b-thinking-2507",
    "openrouter/z-ai/glm-4.5-air",
    "hosted_vllm/zai-org/GLM-4.6",
    "moonshot/kimi-k2-thinking",
    "hosted_vllm/HuggingFaceTB/SmolLM3-3B",
]
ORDINARY = [
    "openai/gpt-4o-mini",
    "openai/gpt-5-chat-latest",
    "anthropic/claude-sonnet-4-5",
    "scripted/o3",
    "hosted_vllm/Qwen/Qwen3-4B-Instruct-2507",
    "openrouter/qwen/qwen3-coder",
    "hosted_vllm/THUDM/glm-4-9b-chat",
    "moonshot/kimi-k2-0905-preview",
    "embedded/Qwen/Qwen3-0.6B",
]


@pytest.mark.parametrize("name", OPENAIS)
def test_openais_reasoning_models_have_defaults_that_they_accept(name):
    config = ModelConfig(model=name)
    assert (config.temperature, config.max_tokens) == (1.0, 16_000)


@pytest.mark.parametrize("name", OTHERS)
def test_other_reasoning_models_have_room_to_reason(name):
    config = ModelConfig(model=name)
    assert (config.temperature, config.max_tokens) == (0.0, 8_000)


@pytest.mark.parametrize("name", ORDINARY)
def test_other_models_keep_their_defaults(name):
    config = ModelConfig(model=name)
    assert (config.temperature, config.max_tokens) == (0.0, 1024)


def test_what_a_user_sets_is_kept():
    assert ModelConfig(model="hosted_vllm/Qwen/QwQ-32B", max_tokens=700).max_tokens == 700
    assert ModelConfig(model="openai/o3", max_tokens=20_000).max_tokens == 20_000


def test_roles_that_share_a_model_share_its_defaults():
    models = ModelsConfig.model_validate({"teacher": "openai/gpt-5-mini"})
    assert models.judge.max_tokens == 16_000


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"temperature": 0.2}, "leave temperature out, or set it to 1"), ({"max_tokens": 512}, "leave max_tokens out")],
    ids=str,
)
def test_a_setting_that_the_model_refuses_is_named_in_our_words(setting, message):
    with pytest.raises(ValidationError) as refused:
        ModelConfig(model="openai/gpt-5-mini", **setting)
    assert message in str(refused.value)
    assert "dspy" not in str(refused.value)


def test_dspy_accepts_the_defaults_and_the_effort_is_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    lm = build_lm(ModelConfig(model="openai/gpt-5-mini", reasoning_effort="low"), seed=1)
    assert (lm.kwargs["temperature"], lm.kwargs["max_completion_tokens"]) == (1.0, 16_000)
    assert lm.engine.parameters["reasoning_effort"] == "low"


def test_an_effort_that_a_model_does_not_have_is_refused_before_anything_is_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    with pytest.raises(ConfigError, match="has no reasoning_effort"):
        check_provider(ModelConfig(model="openai/gpt-4o-mini", reasoning_effort="low"))


def test_an_effort_that_is_not_set_changes_no_fingerprint():
    assert digest_model(ModelConfig(model="a/b")) == "6c666e39f2038649"

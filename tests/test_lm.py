import pytest
from conftest import stored_calls

from arf_programs.config.models import ModelConfig
from arf_programs.models import scripted
from arf_programs.models.calls.lm import build_lm, check_provider
from arf_programs.models.providers.litellm import import_litellm, is_local, listed_model, listed_price
from signatures.exceptions import ConfigError


def test_settings_reach_the_model(monkeypatch):
    monkeypatch.setenv("MY_KEY", " sk-1 ")
    lm = build_lm(
        ModelConfig(
            model="openai/gpt-4o-mini",
            temperature=0.3,
            max_tokens=7,
            api_base="http://localhost:1",
            api_key_env="MY_KEY",
            timeout=9,
            retries=3,
            parameters={"top_p": 0.5},
        ),
        seed=17,
    )
    assert {"temperature": 0.3, "max_tokens": 7}.items() <= lm.kwargs.items()
    settings = {"api_base": "http://localhost:1", "api_key": "sk-1", "top_p": 0.5, "timeout": 9}
    assert settings.items() <= lm.engine.parameters.items()
    assert lm.engine.pace.retries == 3
    assert "seed" not in lm.engine.parameters


def test_a_seed_goes_to_embedded_models_unless_they_have_their_own():
    assert build_lm(ModelConfig(model="embedded/smollm2-135m"), seed=17).engine.parameters["seed"] == 17
    own = ModelConfig(model="embedded/smollm2-135m", parameters={"seed": 3})
    assert build_lm(own, seed=17).engine.parameters["seed"] == 3


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_is_named(monkeypatch, value):
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(ConfigError, match=r"openai/m: the environment variable MY_KEY is not set: `export MY_KEY=...`"):
        build_lm(ModelConfig(model="openai/m", api_key_env="MY_KEY"), seed=1)


@pytest.mark.parametrize("json_schema", [None, True])
def test_a_model_that_nobody_serves_is_refused(json_schema):
    with pytest.raises(ConfigError, match="nobody/m: LiteLLM knows no such model"):
        build_lm(ModelConfig(model="nobody/m", json_schema=json_schema), seed=1)


@pytest.mark.parametrize(
    ("model", "variable"), [("openai/gpt-4o-mini", "OPENAI_API_KEY"), ("gpt-4o-mini", "OPENAI_API_KEY")]
)
def test_the_providers_own_key_is_looked_for(monkeypatch, model, variable):
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"{variable} is not set: export it, or name another in api_key_env"):
        check_provider(ModelConfig(model=model))
    monkeypatch.setenv(variable, "sk-1")
    check_provider(ModelConfig(model=model))


@pytest.mark.parametrize(
    "model", ["bedrock/anthropic.claude-3-haiku-20240307-v1:0", "llamafile/llama", "ollama/llama3.1", "scripted/x"]
)
def test_models_without_a_key_of_one_name_pass(model):
    check_provider(ModelConfig(model=model))


def test_a_schema_is_sent_where_the_configuration_says_so():
    scripted.register("model", lambda messages, params: "{}")
    assert build_lm(ModelConfig(model="scripted/model"), seed=1).supports_response_schema
    assert not build_lm(ModelConfig(model="scripted/model", json_schema=False), seed=1).supports_response_schema
    assert build_lm(ModelConfig(model="ollama/llama-x", json_schema=True), seed=1).supports_response_schema


def test_what_is_local():
    assert [is_local(name) for name in ("embedded/x", "scripted/x", "openai/embedded/x")] == [True, True, False]


def test_each_sample_of_an_optimizer_has_a_seed_of_its_own(tmp_path):
    """DSPy's `rollout_id` only tells stored answers apart: a model that samples by seed would give the same ones."""
    scripted.register("model", lambda messages, params: "fine")
    lm = build_lm(ModelConfig(model="scripted/model", parameters={"seed": 17}), seed=17)
    with stored_calls(tmp_path):
        for rollout in (0, 1, 5):
            lm.copy(rollout_id=rollout, temperature=1.0)("hi")
    assert [call.params["seed"] for call in scripted.calls("model")] == [17, 18, 22]


def test_a_model_that_nobody_knows_stays_unknown_when_its_name_is_declared():
    model = "hosted_vllm/nobody-knows-it"
    assert listed_model(model) is None
    build_lm(ModelConfig(model=model, api_base="http://127.0.0.1:1/v1"), seed=17)
    assert import_litellm().get_model_info(model)["litellm_provider"] == "hosted_vllm", "found at once from now on"
    listed_model.cache_clear()
    assert listed_model(model) is None
    assert listed_price(model) is None

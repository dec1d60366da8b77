import pytest
import scripted_team

from arf_programs.cli.check import preflight
from arf_programs.config.models import ModelConfig
from arf_programs.models.providers.terms import TERMS, check_terms, terms_of, terms_warnings, trained_on
from arf_programs.pipeline import run_until
from signatures.exceptions import ConfigError

SERVER = "http://localhost:8000/v1"


def covering(model, **more):
    return [terms.name for terms in TERMS if terms.cover(ModelConfig(model=model, **more))]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-4o-mini", "openai"),
        ("gpt-4o-mini", "openai"),
        ("o3-mini", "openai"),
        ("openai/whatever-comes-next", "openai"),
        ("azure/my-deployment", "openai"),
        ("openrouter/openai/gpt-4.1", "openai"),
        ("ft:gpt-3.5-turbo:mine", "openai"),
        ("anthropic/claude-sonnet-4-6", "anthropic"),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", "anthropic"),
        ("bedrock/us.anthropic.claude-3-haiku-20240307-v1:0", "anthropic"),
        ("vertex_ai/claude-sonnet-4", "anthropic"),
        ("gemini/gemini-2.5-pro", "google"),
        ("vertex_ai/gemini-2.5-pro", "google"),
        ("xai/grok-4", "xai"),
    ],
)
def test_models_of_providers_whose_terms_restrict_training(model, name):
    assert covering(model) == [name]


@pytest.mark.parametrize(
    "model",
    [
        "embedded/smollm2-135m", "scripted/gpt-4", "ollama_chat/gpt-oss:20b", "hosted_vllm/meta-llama/Llama-3.1-70B",
        "openai/gpt-oss-120b", "gemini/gemma-3-27b-it", "together_ai/Qwen/Qwen3-32B", "mistral/mistral-large-latest",
        "hosted_vllm/our-claude-like", "huggingface/openai-community/gpt2",
    ],
)  # fmt: skip
def test_open_weights_and_local_models_are_free(model):
    assert covering(model) == []


def test_at_a_server_of_ones_own_the_name_of_the_model_decides():
    assert covering("openai/smollm2", api_base=SERVER) == []
    assert covering("openai/gpt-4o", api_base=SERVER) == ["openai"]


def test_the_words_of_teacher_and_editor_are_trained_on_and_those_of_the_judge_are_not(make_run):
    run = make_run("models.judge=openai/gpt-4o", "models.analyst=openai/gpt-4o", "models.editor=scripted/model")
    assert terms_of(run.config) == {}
    run = make_run("models.editor=openai/gpt-4o")
    assert {terms.name: roles for terms, roles in terms_of(run.config).items()} == {"openai": ["editor"]}
    run = make_run("models.editor=openai/gpt-4o", "train.arms=[teacher]")
    assert trained_on(run.config) == ("teacher",)
    assert terms_of(run.config) == {}
    run = make_run("train.arms=[teacher]", "train.preference={method: sigmoid, after: base}")
    assert trained_on(run.config) == ("teacher", "editor")
    run = make_run("models.editor=openai/gpt-4o", "revise.candidates=0")
    assert trained_on(run.config) == ("teacher",), "an editor that is not asked writes nothing"


def test_every_provider_that_is_not_acknowledged_is_named_with_the_mend(make_run):
    told = ("models.teacher=openai/gpt-4o", "models.editor=anthropic/claude-sonnet-4-6")
    with pytest.raises(ConfigError) as caught:
        check_terms(make_run(*told, "train.acknowledge_terms=[openai]").config)
    (problem,) = caught.value.problems
    assert problem.startswith("editor anthropic/claude-sonnet-4-6: Anthropic's terms say that ")
    assert problem.endswith("set train.acknowledge_terms: [openai, anthropic]")
    run = make_run(*told, "train.acknowledge_terms=[openai, anthropic]")
    check_terms(run.config)
    assert [text.endswith("acknowledged by train.acknowledge_terms") for text in terms_warnings(run.config)] == [
        True,
        True,
    ]


def test_training_stops_before_any_work_and_stages_before_it_do_not(make_run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    team = scripted_team.join()
    run = make_run("models.editor=openai/gpt-4o", "models.analyst=scripted/model")
    with pytest.raises(ConfigError, match=r"train\.acknowledge_terms: \[openai\]"):
        run_until(run, "train")
    assert not team.asked
    run_until(run, "analyze")
    assert team.asked["summary"] == 12


def test_a_check_refuses_what_training_will_refuse(make_run, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("arf_programs.models.local.weights.resolve_weights", lambda name: name)
    scripted_team.join()
    models = ("models.editor=openai/gpt-4o", "models.analyst=scripted/model")
    findings = preflight(make_run(*models))
    (problem,) = (text for text in findings.problems if "terms" in text)
    assert problem.startswith("editor openai/gpt-4o: OpenAI's terms")
    assert problem.endswith("set train.acknowledge_terms: [openai]")
    findings = preflight(make_run(*models, "train.acknowledge_terms=[openai]"))
    assert not any("terms" in text for text in findings.problems)
    assert any(text.endswith("acknowledged by train.acknowledge_terms") for text in findings.warnings)


def test_only_known_terms_can_be_acknowledged(make_run):
    with pytest.raises(ConfigError, match="acknowledge_terms"):
        make_run("train.acknowledge_terms=[opanai]")

"""The examples: each loads, and names models as LiteLLM and DSPy want them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from arf_programs.config.load import load_config
from arf_programs.config.models import ROLES, ModelConfig, Role
from arf_programs.models import build_lm, is_local
from arf_programs.models.providers.litellm import import_litellm
from arf_programs.text import split_sentences
from training.settings import TrainSettings

ROOT = Path(__file__).parent.parent
HOSTED = sorted((ROOT / "examples").glob("*.yaml"))
TEMPLATE = ROOT / "arf_programs" / "cli" / "templates" / "init" / "arf.yaml"
QUICKSTART, HUB = (ROOT / "examples" / name / "arf.yaml" for name in ("quickstart", "hub"))
ALL = [*HOSTED, QUICKSTART, HUB, TEMPLATE]
OWN_SERVER = ("hosted_vllm/", "ollama_chat/")
NO_KEY_TO_NAME = (*OWN_SERVER, "bedrock/")

examples = pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
hosted = pytest.mark.parametrize("path", HOSTED, ids=lambda path: path.name)
OF_A_RUN = [role for role in ROLES if role != "proposer"]  # no example has one, and none takes its place
roles = pytest.mark.parametrize("role", OF_A_RUN)


def model_of(path: Path, role: Role) -> ModelConfig:
    return load_config(path).models.of(role)


def test_every_common_provider_has_an_example():
    assert [path.name for path in HOSTED] == [
        "anthropic.yaml",
        "bedrock.yaml",
        "ollama.yaml",
        "openai.yaml",
        "paper.yaml",
    ]


@examples
def test_it_loads_and_trains_with_settings_that_training_takes(path: Path):
    config = load_config(path)
    settings = TrainSettings.model_validate(
        {**config.train.model_dump(mode="json", exclude={"arms"}), "arm": "arf", "seed": config.seed}
    )
    assert settings.base == config.train.base


@examples
def test_it_begins_with_a_comment_that_says_what_it_is(path: Path):
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("\nname:")]
    assert all(line.startswith("#") for line in head.splitlines())
    assert len(head) > 100
    if path in HOSTED:
        assert f"arf check examples/{path.name} --set corpus.path=" in head


@hosted
def test_its_corpus_is_a_file_of_the_users_own_and_says_so(path: Path):
    (line,) = re.findall(r"^  path: .*$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert "# your own file" in line
    assert not (path.parent / load_config(path).corpus.path).exists()


@hosted
def test_its_corpus_can_be_given_on_the_command_line(path: Path):
    config = load_config(path, ["corpus.path=/data/calls.jsonl"])
    assert config.corpus.path == "/data/calls.jsonl"


def test_quickstart_reads_the_sample_data():
    for path in (QUICKSTART, HUB):
        config = load_config(path)
        for name in (config.corpus.path, config.labeled.path):
            rows = (path.parent / str(name)).read_text(encoding="utf-8").splitlines()
            assert all(isinstance(json.loads(row), dict) for row in rows)
        assert all(is_local(model.model) for model in config.models.asked(ROLES).values())


def test_the_drafts_of_the_quickstart_are_in_step_with_its_labels():
    config = load_config(QUICKSTART)
    rows = {row["id"]: row for row in map(json.loads, lines_of(QUICKSTART.parent / config.corpus.path))}
    labeled = [json.loads(line) for line in lines_of(QUICKSTART.parent / str(config.labeled.path))]
    drafts = {name: row["draft"] for name, row in rows.items()}
    assert all(drafts[row["id"]] == row["summary"] for row in labeled)
    for row in rows.values():
        sentences = split_sentences(drafts[row["id"]])
        assert 2 <= len(sentences) <= 4, row["id"]
        assert drafts[row["id"]] not in row["references"]


@hosted
@roles
def test_litellm_and_dspy_accept_the_model(path: Path, role: Role, monkeypatch: pytest.MonkeyPatch):
    config = model_of(path, role)
    if config.api_key_env:
        monkeypatch.setenv(config.api_key_env, "not-a-key")
    lm = build_lm(config, seed=1)  # DSPy raises for limits or temperatures that a reasoning model refuses
    provider = import_litellm().get_llm_provider(config.model)[1]
    assert config.model.startswith(f"{provider}/")
    assert {"temperature", "max_tokens"} <= set(lm.supported_params)


@hosted
@roles
def test_the_model_is_in_litellms_table_unless_it_runs_on_a_server_of_ones_own(path: Path, role: Role):
    config = model_of(path, role)
    if config.model.startswith(OWN_SERVER):
        assert config.api_base, "a server of one's own has an address"
        assert config.json_schema is True, "LiteLLM cannot know it"
        return
    known = table_entry(config.model)
    assert known["mode"] == "chat"
    assert known.get("supports_sampling_params") is not False, "the temperature would be refused"
    assert config.max_tokens <= known["max_output_tokens"]
    assert config.json_schema is None, "LiteLLM knows it"


@hosted
@pytest.mark.parametrize("role", ["analyst", "editor", "judge"])
def test_typed_answers_are_asked_for_by_schema(path: Path, role: Role, monkeypatch: pytest.MonkeyPatch):
    config = model_of(path, role)
    if config.api_key_env:
        monkeypatch.setenv(config.api_key_env, "not-a-key")
    lm = build_lm(config, seed=1)
    assert lm.supports_response_schema
    assert "response_format" in lm.supported_params


@hosted
@roles
def test_the_key_is_named_as_litellm_names_it_and_never_given(path: Path, role: Role, monkeypatch: pytest.MonkeyPatch):
    config = model_of(path, role)
    if config.model.startswith(NO_KEY_TO_NAME):
        assert config.api_key_env is None
        return
    name = str(config.api_key_env)
    monkeypatch.delenv(name, raising=False)
    assert import_litellm().validate_environment(config.model)["missing_keys"] == [name]


@hosted
def test_the_longest_conversation_fits_into_context_and_training(path: Path):
    config = load_config(path)
    assert config.train.max_length > config.corpus.max_tokens
    for role in OF_A_RUN:
        model = config.models.of(role)
        window = model.parameters.get("num_ctx")
        if window is None and not model.model.startswith(OWN_SERVER):
            window = table_entry(model.model)["max_input_tokens"]
        assert window is None or int(window) > config.corpus.max_tokens + model.max_tokens  # type: ignore[arg-type]


def test_paper_has_the_models_and_the_form_of_the_paper():
    config = load_config(ROOT / "examples" / "paper.yaml")
    assert config.models.of("teacher").model == "openai/gpt-3.5-turbo"
    assert config.models.editor.model == "hosted_vllm/meta-llama/Llama-3.1-70B-Instruct"
    assert config.train.base == "meta-llama/Llama-3.1-8B-Instruct"
    assert config.revise.strategy == "taxonomy"


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def table_entry(model: str) -> dict:
    """What LiteLLM's own table says of a model, which stands there with or without its provider."""
    return price_table().get(model) or price_table()[model.partition("/")[2]]


@cache
def price_table() -> dict:
    """The table as LiteLLM ships it: `litellm.model_cost` also holds what other tests have declared."""
    folder = Path(str(import_litellm().__file__)).parent
    return json.loads((folder / "model_prices_and_context_window_backup.json").read_text("utf-8"))

"""Marks for Claude's prompt caching: what arrives at the provider, what is stored, and what is billed."""

import json

import dspy
import pytest
from anthropic_server import serving_anthropic
from conftest import stored_calls, write_corpus
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.config.models import ModelConfig
from arf_programs.models.calls.lm import build_lm, check_provider
from arf_programs.models.calls.sender import need_of
from arf_programs.programs.summarize import Summarize
from signatures.exceptions import ConfigError

MODEL = "anthropic/claude-sonnet-4-5"
MARK = {"type": "ephemeral"}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")


def asked(call, conversation, base_url, *, demos=(), **settings):
    """Ask for a summary through the sending path of a run."""
    program = Summarize("Summarize it.", retries=0)
    program.set_lm(build_lm(ModelConfig(model=MODEL, api_base=base_url, **settings), seed=1))
    program.summarize.demos = list(demos)
    with dspy.context(disable_history=True):
        return call(program, conversation=conversation)


def test_the_mark_ends_the_system_message(call, conversation):
    with serving_anthropic() as (base_url, bodies):
        asked(call, conversation, base_url, cache_marks=True)
    (body,) = bodies
    assert body["system"] == [{"type": "text", "text": "Summarize it.", "cache_control": MARK}]
    assert "cache_control" not in json.dumps(body["messages"])


def test_with_demonstrations_it_ends_the_last_of_them(call, conversation):
    with serving_anthropic() as (base_url, bodies):
        demos = [{"conversation": "Customer: hello", "summary": "They said hello."}]
        asked(call, conversation, base_url, demos=demos, cache_marks=True)
    _, demo, question = bodies[0]["messages"]
    assert demo["content"] == [{"type": "text", "text": "They said hello.", "cache_control": MARK}]
    assert json.dumps(bodies[0]).count("cache_control") == 1, "a mark on what is particular is paid for in vain"
    assert question["role"] == "user"


def test_calls_that_wait_are_marked_too(tmp_path, conversation):
    """The way in which DSPy's optimizers call a model, one call after another."""
    with serving_anthropic() as (base_url, bodies), stored_calls(tmp_path):
        for instruction in ("Summarize it.", "Summarize it again."):
            program = Summarize(instruction, retries=0)
            program.set_lm(build_lm(ModelConfig(model=MODEL, api_base=base_url, cache_marks=True), seed=1))
            program(conversation=conversation)
    assert [body["system"][0]["cache_control"] for body in bodies] == [MARK, MARK]


def test_without_the_setting_there_is_none(call, conversation):
    with serving_anthropic() as (base_url, bodies):
        asked(call, conversation, base_url)
    assert "cache_control" not in json.dumps(bodies)


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o-mini", "hosted_vllm/claude", "openrouter/openai/gpt-4o", "scripted/x", "claude-sonnet-4-5"]
)
def test_a_provider_that_does_not_take_marks_is_refused(model):
    with pytest.raises(ConfigError, match=f"{model}: cache_marks are for Claude models"):
        check_provider(ModelConfig(model=model, cache_marks=True))


def test_the_cap_on_money_reckons_with_what_is_written_to_the_cache():
    plain, marked = (
        need_of(
            {"model": MODEL, "messages": [{"content": "x" * 3000}], **lm.engine.parameters, "max_tokens": 0},
            with_usd=True,
        )
        for lm in (build_lm(ModelConfig(model=MODEL, cache_marks=marks), seed=1) for marks in (False, True))
    )
    assert plain.usd == pytest.approx(1000 * 3 / 1e6)
    assert marked.usd == pytest.approx(1000 * 3.75 / 1e6)
    assert marked.tokens == plain.tokens


def write_project(folder, base_url, *, cache_marks):
    folder.mkdir()
    write_corpus(folder / "conversations.jsonl", 4)
    marks = str(cache_marks).lower()
    config = folder / "arf.yaml"
    config.write_text(
        f"name: marked\nrun_dir: {folder / 'run'}\ncalls_dir: ../calls\ncorpus: {{path: conversations.jsonl}}\n"
        f"models: {{teacher: {{model: {MODEL}, api_base: '{base_url}', cache_marks: {marks}}}}}\n"
    )
    return config


def test_switched_on_later_it_asks_for_nothing_again(tmp_path):
    with serving_anthropic() as (base_url, bodies):
        for marks in (False, True):
            config = write_project(tmp_path / str(marks), base_url, cache_marks=marks)
            result = CliRunner().invoke(app, ["draft", str(config)])
            assert result.exit_code == 0, result.output + result.stderr
            assert len(bodies) == 4


def test_tokens_from_the_cache_cost_what_the_provider_takes_for_them(tmp_path):
    """Sonnet 4.5, by LiteLLM's table: 3 USD a million tokens, 0.30 of those read from the cache, 15 of an answer."""
    with serving_anthropic() as (base_url, _):
        config = write_project(tmp_path / "one", base_url, cache_marks=True)
        assert CliRunner().invoke(app, ["draft", str(config)]).exit_code == 0
        spent = json.loads(CliRunner().invoke(app, ["status", str(config), "--json"]).stdout)["spent"]
    assert spent["usd"] == pytest.approx(4 * (10 * 3 + 2000 * 0.3 + 2 * 15) / 1e6)

"""Which models are of one family, and what is said where the judge shares one."""

import pytest

from arf_programs.models.providers.terms import family, judge_notes


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-4o-mini", "gpt"),
        ("azure/gpt-5", "gpt"),
        ("openai/o3-mini", "gpt"),
        ("anthropic/claude-sonnet-4-6", "claude"),
        ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude"),
        ("gemini/gemini-2.5-pro", "gemini"),
        ("google/gemma-3-4b-it", "gemini"),
        ("embedded/smollm2-135m", "smollm"),
        ("hosted_vllm/meta-llama/Llama-3.1-70B-Instruct", "llama"),
        ("ollama_chat/qwen3:4b", "qwen"),
        ("Qwen/Qwen3-4B", "qwen"),
        ("ollama/mistral-nemo", "mistral"),
        ("deepseek/deepseek-chat", "deepseek"),
        ("scripted/gpt", ""),
        ("hosted_vllm/my-model", "hosted_vllm/my-model"),
    ],
)
def test_families(model, name):
    assert family(model) == name


def test_a_judge_of_the_family_of_editor_and_student_is_told(make_run):
    models = ("models.editor=openai/gpt-4o", "models.judge=openai/gpt-4o-mini", "models.analyst=scripted/model")
    (note,) = judge_notes(make_run(*models).config)
    assert note.startswith("models.judge: openai/gpt-4o-mini is of the same family as the editor (openai/gpt-4o), ")
    (note,) = judge_notes(make_run(*models, "models.judge=embedded/smollm2-135m").config)
    assert "the student's base (smollm2-135m)" in note and "editor" not in note
    assert judge_notes(make_run(*models, "models.judge=anthropic/claude-sonnet-4-6").config) == []
    assert judge_notes(make_run(*models, "evaluate.judge=false").config) == []
    assert judge_notes(make_run().config) == []

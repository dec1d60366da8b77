import json
from pathlib import Path

import pytest

from arf_programs.config.load import dump_config, load_config
from arf_programs.config.schema import DEFAULT_INSTRUCTION, Config
from signatures.exceptions import ConfigError

FIVE_LINES = """
corpus:
  path: conversations.jsonl
models:
  teacher: openai/gpt-4o-mini
name: small
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "arf.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text), overrides)
    return caught.value.problems


def test_five_lines_are_a_whole_configuration(tmp_path):
    config = load_config(write(tmp_path, FIVE_LINES))
    assert {config.models.of(role).model for role in ("teacher", "analyst", "editor", "judge")} == {
        "openai/gpt-4o-mini"
    }
    assert config.run_dir == Path("runs/small")
    assert config.summarize.instruction == DEFAULT_INSTRUCTION
    assert config.train.arms == ("arf", "teacher")
    assert config.revise.strategy == "edits"


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ("{teacher: a/t}", ["a/t", "a/t", "a/t", "a/t"]),
        ("{teacher: a/t, editor: a/e}", ["a/t", "a/e", "a/e", "a/e"]),
        ("{teacher: a/t, analyst: a/a}", ["a/t", "a/a", "a/t", "a/a"]),
        ("{teacher: a/t, editor: a/e, analyst: {model: a/a}, judge: a/j}", ["a/t", "a/a", "a/e", "a/j"]),
        ("{teacher: a/t, editor: null}", ["a/t", "a/t", "a/t", "a/t"]),
    ],
)
def test_roles_that_are_left_out_fall_back(tmp_path, models, expected):
    config = load_config(write(tmp_path, f"corpus: {{path: c.jsonl}}\nmodels: {models}\n"))
    assert [config.models.of(role).model for role in ("teacher", "analyst", "editor", "judge")] == expected


def test_all_problems_come_at_once_with_line_and_mend(tmp_path):
    text = """name: test
corpus:
  path: c.jsonl
  holdout: 1.5
models:
  teacher: a/t
train:
  epoch: 3
revise:
  strategy: edit
"""
    path = tmp_path / "arf.yaml"
    found = problems(tmp_path, text)
    assert len(found) == 3
    assert any(
        item.startswith(f"{path} line 4: corpus.holdout: ") and "less than 1 (it is 1.5)" in item for item in found
    )
    assert any(
        item.startswith(f"{path} line 8: train.epoch is not a known key: did you mean epochs?") for item in found
    )
    assert any(item.startswith(f"{path} line 10: revise.strategy: ") and "'taxonomy'" in item for item in found)


def test_an_unknown_key_that_is_like_no_other_lists_the_keys_of_its_section(tmp_path):
    (problem,) = problems(tmp_path, FIVE_LINES + "evaluate: {zzz: 1}\n")
    assert "evaluate.zzz is not a known key: the keys here are analyst, judge, pairwise, " in problem


def test_an_unknown_role_is_refused(tmp_path):
    (problem,) = problems(tmp_path, "corpus: {path: c}\nmodels: {teacher: a/t, edtior: a/e}\n")
    assert "line 2: models.edtior is not a known key: did you mean editor?" in problem


def test_a_problem_of_an_inherited_role_is_named_once(tmp_path):
    found = problems(tmp_path, "corpus: {path: c}\nmodels:\n  teacher: {model: a/t, temperature: 9}\n")
    assert len(found) == 1
    assert "line 3: models.teacher.temperature" in found[0]


def test_what_is_missing_is_named(tmp_path):
    found = problems(tmp_path, "name: test\n")
    assert len(found) == 2
    assert any("corpus is missing" in item for item in found)
    assert any("models is missing" in item for item in found)
    (problem,) = problems(tmp_path, "corpus: {path: c}\nmodels: {editor: a/e}\n")
    assert "models.teacher is missing" in problem


def test_a_key_given_twice_is_refused(tmp_path):
    (problem,) = problems(tmp_path, FIVE_LINES + "corpus: {path: other.jsonl}\n")
    assert "line 7: corpus is given twice, first at" in problem
    (problem,) = problems(tmp_path, "corpus:\n  path: a\n  path: b\nmodels: {teacher: a/t}\n")
    assert "line 3: corpus.path is given twice" in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected sections"),
        ("- a\n", "expected sections"),
        ("a: [1\n", "not valid YAML"),
        ("a: *b\n", "not valid"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path, text, said):
    (problem,) = problems(tmp_path, text)
    assert said in problem
    assert str(tmp_path / "arf.yaml") in problem


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file.*arf init"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_binary_file_and_a_folder_are_refused(tmp_path):
    path = tmp_path / "arf.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_set_overrides_nested_keys_and_parses_yaml(tmp_path):
    path = write(tmp_path, FIVE_LINES)
    config = load_config(
        path,
        [
            "train.lora.r=4",
            "train.arms=[arf]",
            "models.teacher.temperature=0.5",
            "models.editor=anthropic/claude",
            "models.judge={model: ollama/x, api_base: http://localhost:8000/v1}",
            "analyze.checks=false",
            "name=other",
        ],
    )
    assert config.train.lora.r == 4
    assert config.train.arms == ("arf",)
    assert config.models.of("teacher").model == "openai/gpt-4o-mini"
    assert config.models.of("teacher").temperature == 0.5
    assert config.models.editor.model == "anthropic/claude"
    assert config.analyze.checks is False
    assert config.run_dir == Path("runs/other")


def test_set_of_one_setting_of_a_role_that_falls_back_keeps_its_model(tmp_path):
    config = load_config(write(tmp_path, FIVE_LINES), ["models.judge.temperature=1"])
    assert (config.models.judge.model, config.models.judge.temperature) == ("openai/gpt-4o-mini", 1)
    assert config.models.of("teacher").temperature == 0


def test_only_systems_that_there_are_can_be_served_elsewhere(tmp_path):
    config = load_config(write(tmp_path, FIVE_LINES), ["evaluate.serve.student_arf=hosted_vllm/mine"])
    assert config.evaluate.serve["student_arf"].model == "hosted_vllm/mine"
    (problem,) = problems(tmp_path, FIVE_LINES, "evaluate.serve.studnet_arf=hosted_vllm/mine")
    assert "no system is called 'studnet_arf': name one of base, student_arf, student_teacher" in problem


def test_set_problems_name_the_option(tmp_path):
    for override, said in [
        ("train.epochs", "expected key=value"),
        ("=3", "expected key=value"),
        ("train..epochs=3", "expected key=value"),
        ("train.arms=[arf", "not valid YAML"),
        ("train.epochs=-1", "--set train.epochs=-1: train.epochs: "),
        ("train.epoch=1", "--set train.epoch=1: train.epoch is not a known key: did you mean epochs?"),
    ]:
        assert any(said in item for item in problems(tmp_path, FIVE_LINES, override)), override


def test_parameters_that_have_keys_of_their_own_are_refused(tmp_path):
    for key, mend in [
        ("api_key", "api_key_env"),
        ("temperature", "models.<role>.temperature"),
        ("num_retries", "retries"),
    ]:
        text = f"corpus: {{path: c}}\nmodels: {{teacher: {{model: a/t, parameters: {{{key}: x}}}}}}\n"
        (problem,) = problems(tmp_path, text)
        assert mend in problem


def test_prices_come_in_pairs_and_arms_once(tmp_path):
    assert "input_price and output_price" in problems(tmp_path, FIVE_LINES, "models.teacher.input_price=1")[0]
    for arms in ("[]", "[arf, arf]"):
        assert "each arm once" in problems(tmp_path, FIVE_LINES, f"train.arms={arms}")[0]


def test_edit_weights_and_packing_exclude_each_other(tmp_path):
    (problem,) = problems(tmp_path, FIVE_LINES, "train.packing=true", "train.edit_weight=2")
    assert "edit_weight does not go with packing" in problem
    assert load_config(write(tmp_path, FIVE_LINES), ["train.packing=true"]).train.packing


@pytest.mark.parametrize("name", ["../x", "a b", "", ".hidden"])
def test_a_name_cannot_leave_the_folder_of_runs(tmp_path, name):
    assert any("name" in item for item in problems(tmp_path, FIVE_LINES, f"name={json.dumps(name)}"))


def test_the_dump_is_the_same_configuration_and_holds_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    config = load_config(write(tmp_path, FIVE_LINES), ["models.teacher.api_key_env=MY_KEY"])
    dumped = dump_config(config)
    assert "sk-very-secret" not in dumped
    assert "MY_KEY" in dumped
    assert load_config(write(tmp_path, dumped)) == config


@pytest.mark.parametrize("path", sorted(Path("examples").rglob("*.yaml")), ids=str)
def test_every_example_is_valid(path):
    load_config(path)


def test_a_key_deep_below_a_role_is_set_for_that_role_alone(tmp_path):
    path = tmp_path / "arf.yaml"
    path.write_text(
        "corpus: {path: x.jsonl}\nmodels: {teacher: {model: openai/a, batch: {quiet: 1}}, judge: openai/b}\n"
    )
    config = load_config(path, ["models.editor.batch.poll=7", "models.judge.batch.poll=8"])
    assert (config.models.editor.model, config.models.editor.batch.quiet) == ("openai/a", 1)
    assert [config.models.of(role).batch.poll for role in ("teacher", "editor", "judge")] == [60, 7, 8]


def test_further_tries_are_a_setting_of_each_model_and_the_older_key_still_holds(tmp_path):
    models = "{teacher: {model: scripted/t, parse_retries: 5}, analyst: scripted/a}"
    older = write(tmp_path, f"corpus: {{path: c.jsonl}}\nmodels: {models}\nanalyze: {{parse_retries: 1}}\n")
    config = load_config(older)
    tries = {role: config.models.of(role).parse_retries for role in ("teacher", "editor", "analyst", "judge")}
    assert tries == {"teacher": 5, "editor": 5, "analyst": 1, "judge": 1}
    assert load_config(older, ["models.judge.parse_retries=7"]).models.judge.parse_retries == 7


@pytest.mark.parametrize(
    ("editor", "form"),
    [
        ("embedded/smollm2-135m", "one_by_one"),
        ("embedded/models/qwen2.5-7b", "one_by_one"),
        ("hosted_vllm/Qwen/Qwen2.5-1.5B-Instruct", "one_by_one"),
        ("ollama/llama3.2:3b", "one_by_one"),
        ("openai/SmolLM2-360M-Instruct", "one_by_one"),
        ("hosted_vllm/Qwen/Qwen3-30B-A3B", "together"),
        ("hosted_vllm/mistralai/Mixtral-8x7B", "together"),
        ("openai/gpt-5-mini", "together"),
        ("anthropic/claude-sonnet-4-5", "together"),
        ("hosted_vllm/meta-llama/Llama-3.1-70B-Instruct", "together"),
    ],
)
def test_a_small_editor_is_asked_for_one_sentence_at_a_time(editor, form):
    models = {"teacher": "scripted/model", "editor": editor}
    given = {"corpus": {"path": "x.jsonl"}, "models": models}
    assert Config.model_validate(given).edits_form() == form
    other = "together" if form == "one_by_one" else "one_by_one"
    assert Config.model_validate({**given, "revise": {"edits": other}}).edits_form() == other


@pytest.mark.parametrize(
    ("analyst", "form"),
    [
        ("embedded/smollm2-135m", "sentencewise"),
        ("hosted_vllm/Qwen/Qwen2.5-1.5B-Instruct", "sentencewise"),
        ("openai/gpt-5-mini", "holistic"),
    ],
)
def test_a_small_analyst_is_asked_about_each_sentence(analyst, form):
    given = {"corpus": {"path": "x.jsonl"}, "models": {"teacher": "scripted/model", "analyst": analyst}}
    assert Config.model_validate(given).analysis_form() == form
    chosen = {**given, "analyze": {"strategy": "holistic"}}
    assert Config.model_validate(chosen).analysis_form() == "holistic"


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({}, True),
        ({"models": {"teacher": "scripted/model", "analyst": "openai/gpt-5-mini"}}, False),
        ({"models": {"teacher": "scripted/model", "editor": "openai/gpt-5-mini"}}, True),  # the analyst is it too
        ({"revise": {"edits": "one_by_one"}}, False),
        ({"revise": {"strategy": "rewrite"}}, False),
        ({"programs": {"revise": "compiled"}}, False),
        ({"models": {"teacher": "embedded/smollm2-135m"}, "analyze": {"strategy": "holistic"}}, False),
        ({"analyze": {"strategy": "sentencewise"}}, False),
        ({"analyze": {"analyst": False}}, False),
        ({"labeled": {"path": "labels.jsonl", "demos": 2}}, False),
        ({"programs": {"analyze": "compiled"}}, False),
    ],
)
def test_an_able_analyst_is_asked_for_corrections_only_where_it_is_the_editor_too(changed, asked):
    given = {"corpus": {"path": "x.jsonl"}, "models": {"teacher": "scripted/model"}, **changed}
    assert Config.model_validate(given).analyst_corrects == asked


def test_a_checker_is_asked_about_each_sentence():
    given = {"corpus": {"path": "x.jsonl"}, "models": {"teacher": "scripted/model"}}
    checked = {**given, "analyze": {"checker": {"model": "someone/checker"}}}
    assert Config.model_validate(checked).analysis_form() == "sentencewise"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "name=bad name!",
            "name: use letters, digits, dots, _ and -, with a letter or a digit first (it is 'bad name!')",
        ),
        ("models.teacher.device=xx", "models.teacher.device: name auto, cpu, mps, cuda or cuda:N (it is 'xx')"),
        ("models.teacher.api_key_env=1-KEY", "models.teacher.api_key_env: use letters, digits and _"),
    ],
)
def test_a_text_of_a_wrong_form_is_told_in_words(tmp_path: Path, override: str, words: str):
    (tmp_path / "arf.yaml").write_text("corpus: {path: c.jsonl}\nmodels: {teacher: {model: a/b}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "arf.yaml", [override])
    assert words in str(caught.value) and "^" not in str(caught.value)

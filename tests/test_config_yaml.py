"""YAML that a person writes: read as ever, and refused at once if a few lines mean gigabytes or a value in itself."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.config.load import load_config, load_yaml
from arf_programs.corpus.taxonomy import read_taxonomy
from arf_programs.models.providers.scripted import read_answers
from arf_programs.runs import refuse_foreign_folder
from signatures.exceptions import ConfigError, DataError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
LEVELS = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
MERGED = [f"m{n}: &m{n} {{a{n}: *m{n - 1}, b{n}: *m{n - 1}, <<: *m{n - 1}}}" for n in range(1, 40)]
HOSTILE = {
    "lists that multiply": ("\n".join(["l0: &l0 [lol, lol]", *LEVELS]), "aliases multiply to more than"),
    "mappings that multiply": ("\n".join(["m0: &m0 {a: 1}", *MERGED]), "aliases multiply to more than"),
    "a list in itself": ("name: &a [1, *a]", "an alias holds itself"),
    "a mapping in itself": ("corpus: &a\n  path: c.jsonl\n  more: *a", "an alias holds itself"),
    "two lists in each other": ("name: &a [&b [*a], *b]", "an alias holds itself"),
    "the whole in itself": ("&a\nname: *a", "an alias holds itself"),
    "merged with itself": ("corpus: &a {<<: *a}", "an alias holds itself"),
    "deep brackets": ("name: " + "[" * 500 + "]" * 500, "nested too deeply"),
    "brackets deep enough for hours": ("name: " + "[" * 200_000, "nested too deeply"),
    "a number of base 8": ("budget: {calls: 010}", "YAML reads this number otherwise than it looks"),
    "a number of base 60": ("budget: {calls: 1:30}", "YAML reads this number otherwise than it looks"),
    "a fraction of base 60": ("budget: {usd: 1:30.5}", "YAML reads this number otherwise than it looks"),
    "very deep brackets": ("name: " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
}


@given(PLAIN)
def test_plain_values_are_read_as_they_were(value):
    assert load_yaml(yaml.safe_dump(value)) == value


def test_aliases_that_stay_small_are_read():
    text = "models:\n  teacher: &m {model: a/b, timeout: 5}\n  editor: *m\n  judge: {<<: *m, timeout: 9}\n"
    models = load_yaml(text)["models"]
    assert models["editor"] == models["teacher"]
    assert models["judge"] == {"model": "a/b", "timeout": 9}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_configuration_that_multiplies_or_holds_itself_is_refused(tmp_path, case):
    text, problem = HOSTILE[case]
    path = tmp_path / "arf.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"arf.yaml: not valid YAML: .*{problem}"):
        load_config(path)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_taxonomy_that_multiplies_or_holds_itself_is_refused(tmp_path, case):
    text, problem = HOSTILE[case]
    path = tmp_path / "taxonomy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"taxonomy.yaml.*: is not YAML \(.*{problem}"):
        read_taxonomy(path)


def test_the_line_of_an_alias_that_holds_itself_is_named(tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.write_text("categories:\n- id: a\n- &b [*b]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 3"):
        read_taxonomy(path)


@pytest.mark.parametrize("value", ["&a [*a]", "[" * 5_000, "2001-99-99", "0b_"])
def test_an_override_is_refused_like_the_file(tmp_path, value):
    path = tmp_path / "arf.yaml"
    path.write_text("corpus: {path: c.jsonl}\nmodels: {teacher: a/b}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="--set name="):
        load_config(path, [f"name={value}"])


@pytest.mark.parametrize("case", HOSTILE)
def test_a_script_of_answers_that_multiplies_or_holds_itself_is_refused(tmp_path, case):
    text, problem = HOSTILE[case]
    path = tmp_path / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"answers.yaml: .*{problem}"):
        read_answers(path)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_run_folder_whose_configuration_multiplies_or_holds_itself_is_refused(make_run, case):
    run = make_run()
    run.folder.config.parent.mkdir(parents=True, exist_ok=True)
    run.folder.config.write_text(HOSTILE[case][0], encoding="utf-8")
    with pytest.raises(ConfigError, match="not a configuration that arf wrote"):
        refuse_foreign_folder(run)


@pytest.mark.parametrize(
    "value",
    [
        "2001-99-99",
        "2001-12-31 25:00:00",
        "0b_",
        "!!timestamp soon",
        "!!bool perhaps",
        "!!int ''",
        "{[a]: b}",
        f"0x{5000 * 'f'}",
        f"1{3000 * ':1'}",
    ],
)
def test_a_date_or_number_that_is_none_is_refused(tmp_path, value):
    path = tmp_path / "arf.yaml"
    path.write_text(f"name: {value}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(path)

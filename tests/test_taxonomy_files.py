import pytest

from arf_programs.corpus.taxonomy import FORM_CATEGORIES, load_seed_taxonomy, read_taxonomy, write_taxonomy
from signatures.exceptions import ConfigError
from signatures.records import Category, Taxonomy

GOOD = "categories:\n- id: wrong_fact\n  name: Wrong fact\n  definition: A detail is wrong.\n"


def problems(tmp_path, text):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_taxonomy(path)
    assert all(str(path) in problem for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}") for problem in caught.value.problems]


def test_the_seed_is_whole():
    seed = load_seed_taxonomy()
    assert seed.ids()[:3] == ("wrong_fact", "fabricated", "wrong_speaker")
    assert seed.ids()[-3:] == FORM_CATEGORIES
    assert all(category.definition and category.example for category in seed.categories)


def test_what_is_written_is_read_again(tmp_path):
    odd = Category(id="tone", name="Tone: rude", definition='Says "no" – 3 #times', example="yes", count=4)
    taxonomy = Taxonomy(categories=(*load_seed_taxonomy().categories, odd))
    path = tmp_path / "taxonomy.yaml"
    write_taxonomy(path, taxonomy)
    write_taxonomy(path, taxonomy)
    assert read_taxonomy(path) == taxonomy
    assert [file.name for file in tmp_path.iterdir()] == ["taxonomy.yaml"]


def test_defaults_may_be_left_out(tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(GOOD, "utf-8")
    assert read_taxonomy(path).categories[0].severity == "major"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a mapping with the key `categories`"),
        ("- id: a", "must be a mapping with the key `categories`"),
        ("categories: []", "at least one category"),
        ("categories: [a", "line 1: is not YAML"),
        (GOOD + "owner: me\n", "unknown key 'owner'"),
        (GOOD + "- just text\n", "categories[1]: must be a mapping"),
        (GOOD + "  severty: minor\n", "(wrong_fact): unknown key 'severty'; did you mean `severity`?"),
        (GOOD + "  severity: huge\n", "severity: must be one of minor, major, critical, not 'huge'"),
        (GOOD + "  count: -1\n", "count: must be a whole number from 0"),
        (GOOD + "  example: 5\n", "example: must be text, not 5; put it in quotes"),
        (GOOD.replace("wrong_fact", "Wrong Fact"), "for example 'wrong_fact'"),
        (GOOD.replace("wrong_fact", "no"), "id: must be text, not False; put it in quotes"),
        (GOOD.replace("  name: Wrong fact\n", ""), "name: is missing; add `name: ...`"),
        (GOOD.replace("A detail is wrong.", "''"), "definition: is empty"),
        (GOOD + GOOD.removeprefix("categories:\n"), "'wrong_fact' is there more than once"),
        ("categories: !!python/object:os.system {}", "is not YAML"),
    ],
)
def test_problems_name_file_key_and_mend(tmp_path, text, problem):
    assert problem in "\n".join(problems(tmp_path, text))


def test_all_problems_come_at_once(tmp_path):
    text = GOOD + "  severity: huge\n  colour: red\n- id: Two\n"
    assert len(problems(tmp_path, text)) == 5


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_taxonomy(tmp_path / "none.yaml")

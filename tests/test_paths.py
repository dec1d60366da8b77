"""A path that can name nothing is a mistake of the configuration, found before any work."""

import json
import os

import pytest
import scripted_team
from conftest import write_corpus
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.config.load import load_config
from arf_programs.config.paths import cache_folder
from signatures.exceptions import ConfigError

IMPOSSIBLE = {
    "NUL": "a\0b",
    "a line break": "a\nb",
    "a control character": "a\x1bb",
    "half of a character": "a\udc80b",
    "nothing": "",
    "spaces alone": "  ",
    "a name that is too long": "a" * 300,
    "too many folders": "a/" * 3000,
}
KEYS = (
    "run_dir",
    "calls_dir",
    "corpus.path",
    "labeled.path",
    "labeled.embedding",
    "analyze.taxonomy",
    "analyze.calibration",
    "analyze.checker.model",
    "compile.dir",
    "checker.base",
    "checker.dir",
    "embed.base",
    "embed.dir",
    "programs.analyze",
    "programs.revise",
    "programs.judge",
    "programs.summarize",
    "evaluate.similarity",
    "train.base",
    "models.teacher.model",
    "models.judge.model",
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_corpus(tmp_path / "conversations.jsonl")
    (tmp_path / "arf.yaml").write_text("corpus: {path: conversations.jsonl}\nmodels: {teacher: scripted/model}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arf(*arguments):
    """The exit code and what is printed. Anything that is no exit is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("key", "path"),
    [*((key, "a\0b") for key in KEYS), *(("calls_dir", path) for path in IMPOSSIBLE.values())],
    ids=ascii,
)
def test_a_path_that_names_nothing_is_refused_with_its_key(project, key, path):
    with pytest.raises(ConfigError) as caught:
        load_config(project / "arf.yaml", [f"{key}={json.dumps(path)}"])
    (problem,) = caught.value.problems
    assert key in problem
    assert len(problem) < 800
    problem.encode()


@pytest.mark.parametrize("path", ["a\0b", "", "a" * 300])
def test_a_run_dir_that_names_nothing_ends_before_any_work(project, path):
    team = scripted_team.join()
    before = sorted(project.iterdir())
    for arguments in (("--run-dir", path), ("--set", f"calls_dir={json.dumps(path)}")):
        code, output = arf("draft", "arf.yaml", *arguments)
        assert code == 2, output
        assert "Traceback" not in output
    assert sorted(project.iterdir()) == before
    assert not team.asked


@pytest.mark.parametrize("key", ["run_dir", "calls_dir", "compile.dir", "checker.dir", "embed.dir"])
@pytest.mark.parametrize("below", ["", "/x/y"])
def test_a_file_where_a_folder_is_wanted(project, key, below):
    (project / "file").write_text("mine")
    code, output = arf("draft", "arf.yaml", "--set", f"{key}=file{below}")
    assert code == 2
    assert key in output
    assert "is no folder" in output
    assert (project / "file").read_text() == "mine"


@pytest.mark.parametrize("key", ["labeled.path", "analyze.taxonomy", "analyze.calibration"])
def test_a_folder_where_a_file_is_wanted(project, key):
    (project / "folder").mkdir()
    code, output = arf("draft", "arf.yaml", "--set", f"{key}=folder")
    assert (code, f"{key}: " in output, "is a folder" in output) == (2, True, True)


@pytest.mark.parametrize("path", ["a\nb", "  ", "a" * 300])
def test_an_odd_cache_folder_is_refused(project, monkeypatch, path):
    monkeypatch.setitem(os.environ, "ARF_CACHE_DIR", path)
    with pytest.raises(ConfigError, match="ARF_CACHE_DIR"):
        cache_folder()
    code, output = arf("draft", "arf.yaml")
    assert (code, "ARF_CACHE_DIR" in output) == (2, True)


def test_a_file_as_the_cache_folder_is_refused(project, monkeypatch):
    (project / "file").write_text("mine")
    monkeypatch.setenv("ARF_CACHE_DIR", str(project / "file"))
    assert arf("draft", "arf.yaml")[0] == 2


def test_all_impossible_paths_are_named_at_once(project):
    code, output = arf(
        "draft", "arf.yaml", "--set", 'run_dir="a\\0b"', "--set", "calls_dir=''", "--set", "train.base=' '"
    )
    assert code == 2
    assert all(key in output for key in ("run_dir", "calls_dir", "train.base"))

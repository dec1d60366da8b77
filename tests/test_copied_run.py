"""A run that was copied or is reached by another path goes on: nothing is asked again, and nothing is stale."""

import shutil
import unicodedata

import pytest
import scripted_team
from conftest import write_corpus
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.runs import RunFolder, saved_base_dir


def arf(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two folders: the one where each test finds the project, and one with the project as it was made, once for all."""
    place, kept = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("kept") / "here"
    folder = place / "here" / "project"
    folder.mkdir(parents=True)
    write_corpus(folder / "conversations.jsonl")
    (folder / "arf.yaml").write_text(
        "name: test\nrun_dir: run\ncorpus: {path: conversations.jsonl}\nmodels: {teacher: scripted/model}\n"
    )
    scripted_team.join()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(place / "here"))
        arf("revise", "arf.yaml")
    shutil.copytree(place / "here", kept)
    return place, kept


@pytest.fixture
def project(made, monkeypatch):
    """A folder with a configuration by relative paths, whose run has its revisions."""
    place, kept = made
    shutil.rmtree(place / "here", ignore_errors=True)
    shutil.copytree(kept, place / "here")
    monkeypatch.chdir(place / "here" / "project")
    monkeypatch.setenv("HOME", str(place / "here"))
    scripted_team.join()
    return place / "here" / "project"


def assert_goes_on(*arguments):
    """The same stages are whole, and a stage that has to be done again finds every answer in the store."""
    team = scripted_team.join()
    again = arf("revise", *arguments)
    assert again.stderr.count(": whole") == 5, again.stderr
    assert not team.asked
    assert "stale" not in arf("status", *arguments, "--json").stdout.split('"train"')[0]


def test_a_run_that_was_moved_to_another_machine_and_home(project, tmp_path, monkeypatch):
    other = tmp_path / "elsewhere" / "user" / "work"
    shutil.copytree(project, other)
    shutil.rmtree(project.parent)
    monkeypatch.chdir(other)
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere" / "user"))
    assert_goes_on("arf.yaml")


def test_a_run_folder_given_absolute_relative_or_from_another_folder(project, monkeypatch):
    assert_goes_on("arf.yaml", "--run-dir", project / "run")
    assert_goes_on("arf.yaml", "--run-dir", "./run/../run")
    assert_goes_on(project / "arf.yaml", "--run-dir", "run")
    monkeypatch.chdir(project.parent.parent)
    assert_goes_on("here/project/arf.yaml", "--run-dir", "here/project/run")
    monkeypatch.chdir(project / "run")
    assert_goes_on("../arf.yaml", "--run-dir", ".")


def test_a_run_folder_behind_a_link(project, tmp_path):
    (tmp_path / "linked-run").symlink_to(project / "run")
    (tmp_path / "linked-project").symlink_to(project)
    assert_goes_on("arf.yaml", "--run-dir", tmp_path / "linked-run")
    assert_goes_on(tmp_path / "linked-project" / "arf.yaml", "--run-dir", tmp_path / "linked-project" / "run")


def test_a_run_folder_copied_under_another_name(project):
    shutil.copytree(project / "run", project / "second")
    assert_goes_on("arf.yaml", "--run-dir", "second")
    shutil.rmtree(project / "run")
    assert_goes_on("arf.yaml", "--run-dir", "second")


def test_a_copied_store_answers_where_a_stage_is_done_again(project, tmp_path, monkeypatch):
    other = tmp_path / "other"
    shutil.copytree(project, other)
    monkeypatch.chdir(other)
    for name in ("manifests", "drafts.jsonl", "errors.jsonl", "revisions.jsonl"):
        path = other / "run" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = (project / "run" / "revisions.jsonl").read_bytes()
    team = scripted_team.join()
    arf("revise", "arf.yaml", "--run-dir", other / "run")
    assert not team.asked
    assert (other / "run" / "revisions.jsonl").read_bytes() == before


def test_a_copied_project_that_is_opened_by_its_run_reads_its_own_files(project, tmp_path, monkeypatch):
    other = tmp_path / "other"
    shutil.copytree(project, other)
    lines = (project / "conversations.jsonl").read_text().splitlines(keepends=True)
    (project / "conversations.jsonl").write_text("".join(lines[:6]))  # the original goes on with other files
    monkeypatch.chdir(tmp_path)
    assert_goes_on(other / "run")


def test_a_moved_project_whose_calls_dir_is_absolute(project, tmp_path, monkeypatch):
    config = (project / "arf.yaml").read_text()
    (project / "arf.yaml").write_text(f"{config}calls_dir: {project / 'answers'}\n")
    arf("revise", "arf.yaml", "--run-dir", "second")
    other = tmp_path / "other"
    shutil.move(project, other)
    monkeypatch.chdir(other)
    (other / "second" / "manifests" / "draft.json").unlink()
    assert_goes_on_from_the_store("arf.yaml", "--run-dir", "second")
    assert not project.exists()


def test_a_copied_project_with_a_corpus_of_the_hub_uses_its_own_answers(project, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(project, other)
    (other / "answers").mkdir()
    config = RunFolder(other / "run").config
    text = config.read_text().replace("path: conversations.jsonl", "path: someone/data-set")
    config.write_text(text.replace("calls_dir: null", "calls_dir: answers"))
    assert saved_base_dir(RunFolder(other / "run")) == other
    shutil.rmtree(project)
    assert saved_base_dir(RunFolder(other / "run")) == other


def test_a_run_alone_that_was_copied_reads_the_files_of_its_project(project, tmp_path, monkeypatch):
    shutil.copytree(project / "run", tmp_path / "backup" / "run")
    monkeypatch.chdir(tmp_path)
    assert_goes_on(tmp_path / "backup" / "run")


@pytest.mark.parametrize(("here", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_whose_accents_were_encoded_anew_by_the_copy(tmp_path, monkeypatch, here, there):
    names = ["gespr\u00e4che.jsonl", "l\u00e4ufe", "antw\u00f6rter"]
    before, after = ([unicodedata.normalize(form, name) for name in names] for form in (here, there))
    write_corpus(tmp_path / before[0])
    (tmp_path / "arf.yaml").write_text(
        f"name: test\nrun_dir: {before[1]}\ncalls_dir: {before[2]}\ncorpus: {{path: {before[0]}}}\n"
        "models: {teacher: scripted/model}\n"
    )
    monkeypatch.chdir(tmp_path)
    scripted_team.join()
    arf("revise", "arf.yaml")
    for old, new in zip(before, after, strict=True):
        (tmp_path / old).rename(tmp_path / new)
    assert_goes_on("arf.yaml")
    assert len(list(tmp_path.iterdir())) == 4, "a second folder was made"
    (tmp_path / after[1] / "manifests" / "draft.json").unlink()
    assert_goes_on_from_the_store("arf.yaml")


def assert_goes_on_from_the_store(*arguments):
    team = scripted_team.join()
    arf("revise", *arguments)
    assert not team.asked


def test_files_that_other_systems_leave_in_a_copied_run_do_no_harm(project):
    for folder in (project / "run", *(path for path in (project / "run").iterdir() if path.is_dir())):
        for name in (".DS_Store", "._draft.json", "drafts (1).jsonl", "Thumbs.db"):
            (folder / name).write_bytes(b"\0\5\x16\7junk")
    assert_goes_on("arf.yaml")
    arf("status", "arf.yaml")


def test_line_ends_that_a_copy_has_changed_ask_nothing_again(project):
    for path in (project / "arf.yaml", project / "conversations.jsonl", *(project / "run").glob("*.*l*")):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert_goes_on_from_the_store("arf.yaml")


def test_a_run_that_was_copied_without_its_corpus_says_what_is_missing(project, tmp_path, monkeypatch):
    shutil.copytree(project / "run", tmp_path / "alone")
    shutil.rmtree(project)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["revise", str(tmp_path / "alone")])
    assert result.exit_code == 2
    assert "not its corpus: set corpus.path" in result.stderr

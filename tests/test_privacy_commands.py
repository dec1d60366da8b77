"""`arf privacy audit`, `arf purge`, `arf forget` and `arf report --share`."""

import json
import shutil

import pytest
from private_project import find_originals, serving_team, write_project
from typer.testing import CliRunner

from arf_programs.cli.app import app


def arf(*arguments, ends=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == ends, result.output
    return result.stdout


@pytest.fixture(scope="module")
def revised(tmp_path_factory):
    """A run with pseudonyms, up to its revisions."""
    folder = tmp_path_factory.mktemp("commands")
    with serving_team() as server:
        write_project(folder, server.url, "{pseudonyms: true}", more=f"run_dir: {folder / 'run'}")
        arf("revise", folder / "arf.yaml")
    return folder


@pytest.fixture
def run(revised, tmp_path):
    return shutil.copytree(revised / "run", tmp_path / "run")


def test_the_audit_finds_nothing_in_what_was_sent(run):
    audited = json.loads(arf("privacy", "audit", run, "--calls", "--json"))
    assert audited["found"] == []
    assert audited["looked_for"] > 30
    assert audited["places"] > 20


def test_the_audit_lists_originals_with_kind_and_place_and_ends_with_one(run):
    lines = (run / "sent.jsonl").read_text(encoding="utf-8").splitlines()
    (run / "sent.jsonl").write_text(
        "\n".join([*lines, '{"key": "k", "messages": ["Xochitl: 48211"]}']), encoding="utf-8"
    )
    audited = json.loads(arf("privacy", "audit", run, "--calls", "--json", ends=1))
    place = f"sent.jsonl, line {len(lines) + 1}"
    assert {(item["kind"], item["value"], item["place"]) for item in audited["found"]} == {
        ("name", "Xochitl", place),
        ("account or order number", "48211", place),
    }


def test_the_audit_looks_at_files_to_share(run, tmp_path):
    (run / "train").mkdir(exist_ok=True)
    (run / "train" / "arf.jsonl").write_text('{"completion": "Write to dlamini.077@mail.test."}\n', encoding="utf-8")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "README.md").write_text("Thanks to Brightwater", encoding="utf-8")
    said = arf("privacy", "audit", run, "--also", tmp_path / "export", ends=1)
    assert "e-mail address: 'dlamini.077@mail.test' in arf.jsonl, line 1" in said
    assert "name: 'Brightwater' in README.md, line 1" in said


def test_the_audit_of_a_run_without_pseudonyms_recognises_values_itself(run):
    (run / "pseudonyms.jsonl").unlink()
    (run / "sent.jsonl").unlink()
    (run / "report.html").write_text("<p>Order 48211 of Jökull</p>", encoding="utf-8")
    said = arf("privacy", "audit", run, ends=1)
    assert "name: 'Jökull' in report.html, line 1" in said
    assert "has no sent.jsonl" in said


def test_purge_removes_conversations_or_answers(run):
    arf("purge", run, "--answers")
    assert not (run / "calls").exists() and not (run / "sent.jsonl").exists()
    assert (run / "drafts.jsonl").exists()
    arf("purge", run, "--conversations")
    assert not [path for path in run.glob("*.jsonl") if find_originals(path.read_text(encoding="utf-8"))]
    assert (run / "calls.jsonl").exists()
    assert (run / "config.yaml").exists()


def test_purge_removes_what_people_decided_too(run):
    (run / "reviews").mkdir()
    (run / "reviews" / "anna.jsonl").write_text('{"rewrite": "Okafor called."}\n', encoding="utf-8")
    arf("purge", run, "--conversations")
    left = [path for path in run.rglob("*") if path.is_file() and path.parts[-2] not in ("calls", "student")]
    texts = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in left if path.suffix != ".db"}
    assert not [name for name, text in texts.items() if "Okafor" in text and name != "sent.jsonl"]


def test_answers_that_other_runs_may_use_are_not_removed(run, tmp_path):
    shutil.move(run / "calls", tmp_path / "shared")
    config = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(
        config.replace("calls_dir: null", f"calls_dir: {tmp_path / 'shared'}"), encoding="utf-8"
    )
    told = CliRunner().invoke(app, ["purge", str(run), "--answers"])
    assert told.exit_code == 2
    assert "other runs may use it" in " ".join(told.output.split())
    assert (run / "sent.jsonl").exists() and list((tmp_path / "shared").iterdir())


def test_purge_has_to_be_told_what(run):
    arf("purge", run, ends=2)


def test_forget_removes_one_conversation_from_every_file(run):
    (run / "train").mkdir(exist_ok=True)
    (run / "train" / "arf.jsonl").write_text('{"conversation_id": "p1"}\n{"conversation_id": "p2"}\n', encoding="utf-8")
    before = {path: path.read_text(encoding="utf-8") for path in run.glob("*.jsonl")}
    told = json.loads(arf("forget", run, "p1", "--json"))
    assert told["train_again"] == ["arf"]
    assert told["answers"] > 0
    assert {"conversations.jsonl", "drafts.jsonl", "pseudonyms.jsonl", "train/arf.jsonl"} <= set(told["rows"])
    for path, text in before.items():
        after = path.read_text(encoding="utf-8") if path.exists() else ""
        assert "Okafor" not in after, path
        if "Dlamini" in text and path.exists():
            assert "Dlamini" in after, path


def test_forget_says_so_if_there_is_no_such_conversation(run):
    (run / "sent.jsonl").unlink()  # without it all answers go, but not for a wrong id
    before = json.loads(arf("privacy", "audit", run, "--calls", "--json"))["places"]
    arf("forget", run, "p99", ends=2)
    assert json.loads(arf("privacy", "audit", run, "--calls", "--json"))["places"] == before > 10


def test_the_report_to_share_has_figures_and_no_text(project):
    arf("report", project / "arf.yaml", "--run-dir", project / "run", "--share")
    page = (project / "run" / "report_shared.html").read_text(encoding="utf-8")
    for text in ("came broken on day", "gave back 95 euros", "in the queue gets"):
        assert text in (project / "run" / "report.html").read_text(encoding="utf-8")
        assert text not in page
    assert "student_arf" in page

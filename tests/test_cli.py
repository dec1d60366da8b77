import io
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import scripted_team
from conftest import write_corpus
from rich.console import Console
from tiny_model import save_tiny_model
from typer.testing import CliRunner

from arf_programs import __version__
from arf_programs.cli.app import app
from arf_programs.cli.output import systems_table
from arf_programs.metrics import METRICS
from arf_programs.models import scripted
from arf_programs.runs.jsonl import read_jsonl
from signatures.records import Summary

ROOT = Path(__file__).parents[1]
COMMANDS = ["init", "check", "status", "run", "draft", "taxonomy", "analyze", "revise", "train", "evaluate", "report"]


@pytest.fixture
def config(tmp_path):
    """An arf.yaml beside a small corpus; every role is `scripted/model`."""
    write_corpus(tmp_path / "conversations.jsonl")
    path = tmp_path / "arf.yaml"
    path.write_text(
        f"name: test\nrun_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        "models: {teacher: scripted/model}\n"
    )
    return path


def arf(*arguments):
    """The result of a command; whatever is not an exit with a code is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def test_help_names_every_command_and_option():
    text = arf("--help").output
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)
    options = re.sub(r"\x1b\[[0-9;]*m", "", arf("run", "--help").output)
    for option in ("--run-dir", "--set", "--limit", "--json", "--verbose", "-v"):
        assert option in options


def test_version():
    assert arf("--version").output.strip() == __version__


def test_without_a_command_there_is_help():
    assert "Usage" in arf().output


def test_init_writes_a_project_that_passes_check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scripted_team.join()
    result = arf("init", "project")
    assert result.exit_code == 0
    assert "Next: arf check project/arf.yaml" in result.output
    names = sorted(path.name for path in (tmp_path / "project").iterdir())
    assert names == [".gitignore", "arf.yaml", "conversations.jsonl", "labeled.jsonl"]
    options = ["--set", "models.teacher=scripted/model", "--set", f"train.base={save_tiny_model(tmp_path / 'base')}"]
    checked = arf("check", "project/arf.yaml", *options)
    assert checked.exit_code == 0, checked.output
    assert "Ready to run." in checked.output
    state = json.loads(arf("status", "project/arf.yaml", *options, "--json").output)
    assert {stage["state"] for stage in state["stages"].values()} == {"missing"}
    assert not (tmp_path / "runs").exists()


def test_init_overwrites_nothing(tmp_path):
    (tmp_path / "labeled.jsonl").write_text("mine")
    result = arf("init", tmp_path)
    assert result.exit_code == 2
    assert "labeled.jsonl: already there, and not overwritten" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["labeled.jsonl"]


def test_the_project_of_init_is_revised_to_the_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "The customer had a question, and it was answered to the end of the matter."
    scripted_team.join(summary=lambda _: text, find=lambda _: {"errors": []}, notes=lambda _: {"notes": []})
    arf("init", ".")
    result = arf("revise", "arf.yaml", "--set", "models.teacher=scripted/model")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "runs/my-run/revisions.jsonl").exists()


def test_a_stage_says_what_it_did(config, tmp_path):
    scripted_team.join()
    result = arf("analyze", config)
    assert result.exit_code == 0
    assert f"Done: {tmp_path / 'run'}" in result.stdout
    assert "12 drafts, 0 failed" in result.stderr
    again = arf("analyze", config)
    assert "draft: whole" in again.stderr


def test_json_is_all_there_is_on_stdout(config, tmp_path):
    scripted_team.join()
    result = arf("draft", config, "--json")
    told = json.loads(result.stdout)
    assert told == {
        "ok": True,
        "run_dir": str(tmp_path / "run"),
        "stage": "draft",
        "counts": {"drafts": 12, "failed": 0},
        "hosts": {},
    }
    assert result.stderr == ""
    stages = json.loads(arf("status", config, "--json").stdout)["stages"]
    assert [stages[name]["state"] for name in ("corpus", "draft", "taxonomy", "report")] == [
        "whole",
        "whole",
        "missing",
        "missing",
    ]
    checked = json.loads(
        arf("check", config, "--json", "--set", f"train.base={save_tiny_model(tmp_path / 'base')}").stdout
    )
    assert checked["ok"] is True


def test_json_of_wrong_input(config):
    for command in ("run", "check", "status"):
        result = arf(command, config, "--json", "--set", "train.epoch=1")
        told = json.loads(result.stdout)
        assert (result.exit_code, told["ok"], told["error"]) == (2, False, "ConfigError")
        assert "did you mean epochs?" in told["problems"][0]


def test_json_of_failed_work(config):
    scripted.register("model", [])
    result = arf("draft", config, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], told["error"]) == (1, False, "StageError")


def test_json_of_failed_checks(config, tmp_path):
    result = arf("check", config, "--json", "--set", f"train.base={save_tiny_model(tmp_path / 'base')}")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (2, False)
    assert "scripted/model does not answer" in told["problems"][0]


def test_a_model_that_cannot_be_loaded_stops_a_stage_at_its_first_row(config):
    result = arf("draft", config, "--set", "models.teacher=embedded/./nowhere/at/all")
    assert result.exit_code == 1
    assert "No model at './nowhere/at/all'" in result.output
    assert "rows all failed" not in result.output


def test_check_lists_every_problem_and_exits_with_2(config, tmp_path):
    (tmp_path / "conversations.jsonl").write_text("{broken\n")
    result = arf("check", config, "--set", "train.base=./nowhere/at/all")
    assert result.exit_code == 2
    assert "problem: conversations.jsonl line 1: not valid JSON" in result.output
    assert "problem: No model at './nowhere/at/all'" in result.output
    assert "problem: models.teacher and analyst and editor and judge: scripted/model does not answer" in result.output
    assert "3 problems to mend." in result.output


def test_an_interrupt_exits_with_130_and_is_resumable(config, tmp_path):
    def interrupt(fields):
        if "order 4035" in fields["conversation"]:
            raise KeyboardInterrupt
        return scripted_team.draft(fields)

    scripted_team.join(summary=interrupt)
    result = arf("draft", config, "--set", "models.teacher.concurrency=1")
    assert result.exit_code == 130
    assert "the same command goes on from there" in result.stderr
    team = scripted_team.join()
    assert arf("draft", config, "--set", "models.teacher.concurrency=1").exit_code == 0
    assert 7 <= team.asked["summary"] < 12


STRIKES = """
import os, signal, sys
moment = sys.argv.pop(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
class Strikes:
    def find_spec(self, name, *_):
        if name == moment:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Strikes())
from arf_programs.cli.start import main
main()
"""


@pytest.mark.parametrize(
    ("moment", "code", "said"),
    [
        ("arf_programs.cli.app", -signal.SIGINT, ""),
        ("arf_programs.cli.output", 130, "Interrupted. What was finished is kept"),
    ],
)
def test_an_interrupt_at_the_very_beginning_shows_no_traceback(moment, code, said, config):
    command = [sys.executable, "-c", STRIKES, moment, "status", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert said in done.stderr


def test_limit_reads_less(config, tmp_path):
    scripted_team.join()
    assert arf("draft", config, "--limit", "4").exit_code == 0
    assert len(list(read_jsonl(tmp_path / "run/drafts.jsonl", Summary))) == 4
    assert arf("draft", config, "--limit", "1").exit_code == 2


def test_run_dir_goes_before_the_configuration(config, tmp_path):
    scripted_team.join()
    elsewhere = tmp_path / "else where: #1"
    assert arf("draft", config, "--run-dir", elsewhere).exit_code == 0
    assert (elsewhere / "drafts.jsonl").exists()
    assert not (tmp_path / "run").exists()
    assert json.loads(arf("status", config, "--run-dir", elsewhere, "--json").stdout)["run_dir"] == str(elsewhere)


def test_set_reaches_every_key(config, tmp_path):
    team = scripted_team.join()
    result = arf("draft", config, "--set", "summarize.instruction=Say it in verse.", "--set", "corpus.limit=3")
    assert result.exit_code == 0
    assert team.asked["summary"] == 3
    assert "Say it in verse." in (tmp_path / "run/config.yaml").read_text()


def test_status_is_a_table(config):
    output = arf("status", config).output
    assert re.search(r"corpus\s+│ missing\s+│ it has not run to its end", output)


def test_verbose_shows_a_traceback(config):
    scripted.register("model", [])
    result = CliRunner().invoke(app, ["draft", str(config), "-v"])
    assert result.exit_code == 1
    assert "Traceback" in result.output


def test_the_table_says_when_checks_alone_counted_the_errors(project):
    scripted_team.join_troubled()
    options = ["--run-dir", project / "run", "--set", "evaluate.judge=false", "--set", "evaluate.analyst=false"]
    result = arf("run", project / "arf.yaml", *options)
    assert result.exit_code == 0
    assert "Errors are those that the automatic checks could see. No model and no person read" in result.stdout


def test_the_report_of_a_finished_run_is_shown_with_its_table(project):
    scripted_team.join_troubled()
    options = ["--run-dir", project / "run"]
    result = arf("run", project / "arf.yaml", *options)
    assert result.exit_code == 0
    for system in ("base", "teacher", "student_teacher", "student_arf"):
        assert system in result.stdout
    assert f"Report: {project / 'run' / 'report.html'}" in result.stdout
    assert "automatic checks" not in result.stdout
    told = json.loads(arf("report", project / "arf.yaml", *options, "--json").stdout)
    assert told["summary"] == json.loads((project / "run/summary.json").read_text())
    assert told["report"].endswith("report.html")


def test_a_finished_run_is_named_by_its_folder_from_anywhere(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scripted_team.join_troubled()
    assert arf("run", project / "arf.yaml", "--run-dir", project / "run").exit_code == 0
    state = json.loads(arf("status", project / "run", "--json").stdout)
    assert {stage["state"] for stage in state["stages"].values()} == {"whole"}
    report = project / "run" / "report.html"
    report.unlink()
    told = arf("report", project / "run")
    assert told.exit_code == 0 and f"Report: {report}" in told.stdout.replace("\n", "")
    assert report.is_file()
    assert arf("status", tmp_path).exit_code == 2


def test_a_run_that_was_copied_without_its_corpus_is_reported_by_its_folder(project, tmp_path):
    copied = shutil.copytree(project / "run", tmp_path / "elsewhere")
    (copied / "report.html").unlink()
    assert arf("report", copied, "--share").exit_code == 0
    assert (copied / "report.html").is_file() and (copied / "report_shared.html").is_file()


def test_a_run_that_is_not_evaluated_has_no_report(config, tmp_path):
    scripted_team.join()
    assert arf("draft", config).exit_code == 0
    result = arf("report", tmp_path / "run")
    assert result.exit_code == 2
    assert "nothing is evaluated yet" in result.output


def test_show_of_compile_looks_for_labels_first(config, tmp_path):
    result = arf("compile", "analyze", config, "--show")
    assert result.exit_code == 2
    assert "needs a labelled set" in result.output
    assert not (tmp_path / "run").exists()


def test_a_probe_after_the_run_stands_in_its_report_which_stays_whole(project):
    scripted_team.join_troubled()
    assert arf("run", project / "arf.yaml", "--run-dir", project / "run").exit_code == 0
    assert "Errors were planted" not in (project / "run" / "report.html").read_text()
    assert arf("probe", project / "run", "--checks-only").exit_code == 0
    states = json.loads(arf("status", project / "run", "--json").stdout)["stages"]
    assert states["report"]["state"] == "whole"
    assert "Errors were planted" in (project / "run" / "report.html").read_text()


def test_a_narrow_terminal_loses_no_figure_of_the_table():
    figures = {"value": 1.94, "low": 1.53, "high": 2.38}
    summary = {
        "name": "run",
        "corpus": {"holdout": 9},
        "evaluate": {"systems": {"student_arf": dict.fromkeys(METRICS, figures)}},
    }
    out = io.StringIO()
    Console(file=out, width=40).print(systems_table(summary, 0.9))
    assert "…" not in out.getvalue()
    assert "with 90% intervals" in " ".join(out.getvalue().split())

"""`bench/ablate.py` runs arms on seeds with equal optimiser steps, and compares them paired by conversation."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.config import dump_config, load_config
from arf_programs.metrics import Resampling
from arf_programs.runs import RunFolder
from signatures.records import Score

PATH = Path(__file__).parent.parent / "bench" / "ablate.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("ablate", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["ablate"] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    """A run with 10 rows of arm `arf` and 3 pairs, which is not trained yet."""

    def make(*settings):
        (tmp_path / "conversations.jsonl").touch()
        (tmp_path / "arf.yaml").write_text("corpus: {path: conversations.jsonl}\nmodels: {teacher: scripted/model}\n")
        config = load_config(tmp_path / "arf.yaml", [f"run_dir={tmp_path / 'run'}", *settings])
        run = RunFolder(tmp_path / "run")
        run.train.mkdir(parents=True, exist_ok=True)
        run.config.write_text(dump_config(config))
        (run.train / "arf.jsonl").write_text("{}\n" * 10)
        (run.train / "preference.jsonl").write_text("{}\n" * 3)
        return run

    return make


def scores(values, system="student_arf"):
    return {
        f"{seed} {name}": Score(conversation_id=name, channel="chat", system=system, words=words)
        for (seed, name), words in values.items()
    }


def test_an_arm_with_other_rows_gets_other_epochs(bench, folder):
    run = folder("train.batch_size=4", "train.epochs=2", "train.preference.method=sigmoid")
    assert bench.equal_steps(run, "student_arf", {"tuning": 6, "preference": 1}) == []
    longer = bench.equal_steps(run, "student_arf", {"tuning": 8, "preference": 5})
    assert [item.split("=")[0] for item in longer] == ["train.epochs", "train.preference.epochs"]
    again = folder("train.batch_size=4", "train.preference.method=sigmoid", *longer)
    assert bench.equal_steps(again, "student_arf_dpo", {"tuning": 8, "preference": 5}) == []
    assert bench.equal_steps(again, "student_rewrite", {"tuning": 8}) == [], "an arm without rows is left alone"


def test_students_with_other_steps_are_refused(bench, folder, monkeypatch):
    """Rows that were left out in training are not seen before."""
    run = folder()
    (run.student / "arf").mkdir(parents=True)
    (run.student / "arf" / "training_log.json").write_text('{"steps": 5}')
    monkeypatch.setattr(bench, "call", lambda *_: None)
    wanted: dict[str, int] = {}
    arm = bench.Arm("a", (), "student_arf")
    bench.run_arm(Path("arf.yaml"), run, arm, [], wanted)
    assert wanted == {"tuning": 5}, "the first run says how many"
    with pytest.raises(SystemExit, match="arf took 5 steps, and 6 are wanted"):
        bench.run_arm(Path("arf.yaml"), run, arm, [], {"tuning": 6})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([["a", "epochs"]], r"--arm a: give a name of letters, then KEY=VALUE ...: \['epochs'\]"),
        ([["a/b", "train.epochs=2"]], "--arm a/b"),
        ([["a"], ["a"]], "two arms have the same name"),
    ],
)
def test_a_wrong_arm_is_refused(bench, given, said):
    with pytest.raises(SystemExit, match=said):
        bench.read_arms(given, "student_arf")


def test_arms_are_compared_on_the_same_seed_and_conversation(bench):
    """Conversations differ much and the arms little: only the paired difference shows it."""
    base, other = bench.Outcome(), bench.Outcome()
    keys = [(seed, f"c{number}") for seed in (1, 2) for number in range(8)]
    base.scores = scores({(seed, name): 10 * int(name[1:]) + 10 for seed, name in keys})
    other.scores = scores({(seed, name): 10 * int(name[1:]) + 11 + seed for seed, name in keys})
    for outcome in (base, other):
        outcome.clusters = {f"{seed} {name}": name for seed, name in keys}
        outcome.steps = [{"arf": 4}, {"arf": 4}]
    outcomes = {"plain": base, "new": other}
    (row,) = bench.compare_arms(outcomes, ["words"], Resampling())
    assert (row.difference, row.low, row.high, row.n, row.clusters) == (2.5, 2.5, 2.5, 16, 8)
    assert row.p < 0.01
    shown = bench.table(outcomes, [row], ["words"], Resampling())
    assert "| words | `new` | 47.50 (" in shown and "| 47.00, 48.00 | +2.500 (+2.500 to +2.500) |" in shown
    assert shown.endswith("| arf 4 |")


def test_a_setting_runs_only_the_stages_that_it_changes(bench, finished_project, tmp_path, monkeypatch, capsys):
    """The first arm is whole, so the second begins as its copy, and is not trained or asked again."""
    out = tmp_path / "out"
    shutil.copytree(finished_project / "run", out / "plain-17")
    asked = []

    def call(module, *arguments):
        asked.append((module, *arguments[:1]))
        if module == "arf_programs.cli.app":
            result = CliRunner().invoke(app, list(arguments))
            assert result.exit_code == 0, result.output
            again.append(result.output.count(": whole"))

    again: list[int] = []
    monkeypatch.setattr(bench, "call", call)
    bench.main(
        [str(finished_project / "arf.yaml"), "--out", str(out), "--seeds", "17", "--metric", "words",
         "--arm", "plain", "--arm", "fewer", "evaluate.samples=200"]
    )  # fmt: skip
    assert [name for name, *_ in asked] == ["arf_programs.cli.app"] * 2 + ["training.build", "arf_programs.cli.app"]
    assert again[0] > again[2] >= 7, "the arm only made its report again"
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert figures["arms"]["plain"] == figures["arms"]["fewer"]
    assert figures["comparisons"][0]["difference"] == 0
    assert not list(out.glob("*.part"))


def test_a_long_comparison_shows_what_it_has_after_each_seed(bench, tmp_path, monkeypatch, capsys):
    def add(self, seed, folder, system):
        self.scores |= scores({(seed, f"c{number}"): 10 * number + seed for number in range(3)})
        self.steps.append({})

    monkeypatch.setattr(bench, "run_arm", lambda *_: None)
    monkeypatch.setattr(bench, "begin", lambda *_: None)
    monkeypatch.setattr(bench.Outcome, "add", add)
    bench.main(
        ["arf.yaml", "--out", str(tmp_path), "--seeds", "1", "2", "--metric", "words", "--arm", "a", "--arm", "b"]
    )
    told = capsys.readouterr()
    assert told.err.count("so far") == 1 and "so far, up to seed 1:" in told.err
    assert "| words | `a` | 11.00 (" in told.err and "| words | `a` | 11.50 (" in told.out

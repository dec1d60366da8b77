"""`arf compare`: runs side by side, on the same holdout or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.report.compare import compare_runs
from signatures.exceptions import ConfigError, DataError


def invoke(*arguments: object):
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["compare", *map(str, arguments)])


def rewrite(path: Path, change) -> None:
    rows = [change(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if row), encoding="utf-8")


@pytest.fixture
def runs(project: Path) -> tuple[Path, Path]:
    """Two runs on one holdout; in the second the students make one error more a summary."""
    second = shutil.copytree(project / "run", project / "second")

    def worse(row):
        if row["system"].startswith("student"):
            row["errors"].append({"id": "x", "category": "fabricated", "source": "lm"})
        return row

    rewrite(second / "scores.jsonl", worse)
    return project / "run", second


def test_same_named_systems_are_compared_by_conversation(runs: tuple[Path, Path]) -> None:
    result = compare_runs(runs)
    assert [run.label for run in result.runs] == ["run", "second"]
    found = {(row.system, row.metric): row for row in result.differences}
    student, teacher = found["student_arf", "errors_per_summary"], found["teacher", "errors_per_summary"]
    assert (student.a, student.b) == ("second", "run")
    assert (student.difference, student.low, student.high) == (1.0, 1.0, 1.0)
    assert student.losses == student.n == teacher.n == teacher.ties
    assert (teacher.difference, teacher.p, teacher.p_holm) == (0.0, 1.0, 1.0)
    assert {row.system for row in result.differences} == set(result.runs[0].systems)
    assert result.notes == ()


def test_the_command_prints_tables_or_one_object(runs: tuple[Path, Path]) -> None:
    shown = invoke(*runs)
    assert shown.exit_code == 0, shown.output
    assert "second less run, paired by conversation, 95% intervals" in shown.output
    assert "+1.00 to +1.00" in shown.output
    told = json.loads(invoke(*runs, "--json").stdout)
    assert told["ok"] and told["holdout"] == max(row["n"] for row in told["differences"])
    assert told["differences"][0]["system"] == "base"


def test_a_run_may_be_named_by_its_configuration(runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = runs
    config = first.parent / "arf.yaml"
    config.write_text(config.read_text(encoding="utf-8") + f"run_dir: {first}\n", encoding="utf-8")
    assert compare_runs([config, second]).differences == compare_runs(runs).differences


def test_different_holdouts_are_refused_with_what_differs(runs: tuple[Path, Path]) -> None:
    first, second = runs
    held = [
        row["conversation"]["id"]
        for row in map(json.loads, (first / "conversations.jsonl").read_text(encoding="utf-8").splitlines())
        if row["split"] == "holdout"
    ]

    def change(row):
        if row["conversation"]["id"] == held[0]:
            return None
        if row["conversation"]["id"] == held[1]:
            row["conversation"]["turns"][0]["text"] += " Really."
        return row

    rewrite(second / "conversations.jsonl", change)
    with pytest.raises(ConfigError) as caught:
        compare_runs(runs)
    assert f"1 only in run ({held[0]}); 1 in both, with different texts ({held[1]})" in str(caught.value)
    shown = invoke(*runs)
    assert shown.exit_code == 2 and "not scored on the same holdout" in shown.output


def test_other_measures_are_told(runs: tuple[Path, Path]) -> None:
    config = runs[1] / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("strategy: auto", "strategy: sentencewise", 1), encoding="utf-8")
    (runs[1] / "taxonomy.yaml").write_text("categories: []\n", encoding="utf-8")
    notes = compare_runs(runs).notes
    assert notes[0].startswith("analyze.strategy is auto in run and sentencewise in second")
    assert notes[1].startswith("taxonomy.yaml differs")
    assert "beware: analyze.strategy" in invoke(*runs).output


def test_runs_of_one_name_are_told_apart_and_one_run_is_no_comparison(runs: tuple[Path, Path], tmp_path: Path) -> None:
    namesake = shutil.copytree(runs[1], tmp_path / "elsewhere" / "run")
    assert [run.label for run in compare_runs([runs[0], namesake]).runs] == [str(runs[0]), str(namesake)]
    for paths in ([runs[0]], [runs[0], runs[0]]):
        with pytest.raises(ConfigError, match="two different runs"):
            compare_runs(paths)


def test_every_run_that_is_not_there_is_named(runs: tuple[Path, Path]) -> None:
    shown = invoke(runs[0], "nowhere", "gone.yaml")
    assert shown.exit_code == 2
    assert "nowhere: no such run" in shown.output and "gone.yaml: no such run" in shown.output


def test_a_run_that_was_not_evaluated_is_named(runs: tuple[Path, Path]) -> None:
    (runs[1] / "scores.jsonl").unlink()
    with pytest.raises(DataError, match=r"second: not a run that was evaluated"):
        compare_runs(runs)

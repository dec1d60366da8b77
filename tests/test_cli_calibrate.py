"""`arf calibrate`, as a user calls it."""

import json

import pytest
import scripted_team
from compile_project import make_project
from typer.testing import CliRunner

from arf_programs.cli.app import app


@pytest.fixture
def config(tmp_path):
    path = make_project(tmp_path, evaluate={"samples": 100})
    labeled = tmp_path / "labeled.jsonl"
    rows = [json.loads(line) for line in labeled.read_text(encoding="utf-8").splitlines()]
    rows = [{**row, "system": ("teacher", "student_arf")[n % 2]} for n, row in enumerate(rows)]
    labeled.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "rating": None}]))
    return path


def arf(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_agreement_and_bias_as_json_and_as_a_table(config):
    # The judge is right but for the flaw, which it does not mind enough.
    team = scripted_team.join(rate=lambda f: scripted_team.rating(3 if scripted_team.FLAW in f["summary"] else 5))
    result = arf("calibrate", config, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    flawed = found["agreement"]["n"] // 2
    assert (found["ok"], found["agreement"]["n"], found["failed"]) == (True, 12, 0)
    assert found["bias"]["value"] == pytest.approx(flawed / 12)
    assert 0.5 < found["agreement"]["kappa"] < 1
    assert found["agreement"]["spearman"] == pytest.approx(1)
    assert {item["group"] for item in found["by_system"]} == {"teacher", "student_arf"}
    assert found["length_bias"] > 0.5  # the flaw makes a summary longer
    assert found["model"] == "scripted/model" and found["prompt"].startswith("2-")
    asked = team.asked["rate"]
    shown = arf("calibrate", config)
    assert shown.exit_code == 0, shown.output
    assert "12 summaries rated by both." in shown.output
    assert "student_arf" in shown.output and "+0.50" in shown.output
    assert team.asked["rate"] == asked == 12, "the ratings are stored: a second look costs nothing"


def test_what_the_judge_cannot_rate_is_counted(config):
    scripted_team.join(rate=lambda f: "no" if "kettle" in f["conversation"] else scripted_team.rating(4))
    found = json.loads(arf("calibrate", config, "--json").stdout)
    assert (found["failed"], found["agreement"]["n"]) == (1, 11)
    assert found["agreement"]["spearman"] is None


def test_without_ratings_it_says_what_to_do(config):
    scripted_team.join()
    labeled = config.parent / "labeled.jsonl"
    rows = [json.loads(line) for line in labeled.read_text(encoding="utf-8").splitlines()]
    labeled.write_text("".join(json.dumps({**row, "rating": None}) + "\n" for row in rows))
    result = arf("calibrate", config)
    assert result.exit_code == 2
    assert "needs labelled summaries with a `rating`" in result.output

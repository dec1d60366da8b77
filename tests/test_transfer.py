"""`arf transfer`: a compiled program on other models beside the uncompiled one, and what `arf check` says from it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import scripted_team
from compile_project import CompileTeam, make_project
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.cli.check import Findings, _check_programs
from arf_programs.cli.session import open_run
from arf_programs.models import scripted
from arf_programs.tools.transfer import Transfer, read_program, transfer_notes
from signatures.exceptions import ConfigError


class Confused(scripted_team.Team):
    """Sees the invented refund only where no demonstration is shown."""

    def __call__(self, messages: scripted.Messages, params: dict[str, Any]) -> Any:
        kind, _ = scripted_team.read_question(messages)
        if kind == "find" and len(messages) > 2:
            return json.dumps({"errors": []})
        return super().__call__(messages, params)


def join() -> dict[str, scripted_team.Team]:
    """Models that learn from demonstrations, need none, and are confused by them. The first is compiled with."""
    teams = {"model": CompileTeam(), "apt": CompileTeam(), "able": scripted_team.Team(), "confused": Confused()}
    for name, team in teams.items():
        scripted.register(name, team)
    return teams


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a compiled analyst."""
    join()
    folder = tmp_path_factory.mktemp("transfer") / "project"
    arf("compile", "analyze", str(make_project(folder, count=24)), "--optimizer", "labeled_fewshot", "--force")
    return folder


@pytest.fixture
def config(made, tmp_path):
    """The configuration of a copy of that project."""
    shutil.copytree(made, tmp_path / "project")
    path = tmp_path / "project/arf.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(str(made), str(path.parent)), encoding="utf-8")
    return path


@pytest.fixture
def teams(made):
    return join()


def arf(*words: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == code, (result.stdout, result.exc_info)
    return json.loads(result.stdout)


def measure(config, *options, models="scripted/apt,scripted/able,scripted/confused", code=0):
    return arf("transfer", str(config.parent / "compiled/analyze"), "--models", models, *options, code=code)


def test_each_model_is_measured_with_the_program_and_without_it(config, teams):
    told = measure(config)
    rows = {row["model"].removeprefix("scripted/"): row["scores"] for row in told["rows"]}
    assert list(rows) == ["apt", "able", "confused"]
    assert rows["apt"]["before"]["value"] < rows["apt"]["after"]["value"] == 1
    assert rows["apt"]["difference"]["low"] > 0
    assert rows["able"]["before"]["value"] == rows["able"]["after"]["value"] == 1
    assert rows["confused"]["after"]["value"] < rows["confused"]["before"]["value"] == 1
    card = json.loads((config.parent / "compiled/analyze/card.json").read_text(encoding="utf-8"))
    assert told["cases"] == {side: card["split"][side] for side in ("dev", "test")}
    assert {scores["cases"] for scores in rows.values()} == {sum(told["cases"].values())}
    saved = Transfer.model_validate_json((config.parent / "compiled/analyze/transfer.json").read_text(encoding="utf-8"))
    assert saved.model_dump(mode="json") == {key: told[key] for key in saved.model_dump()}


def test_no_case_is_one_that_the_program_shows(config, teams):
    measure(config, models="scripted/able")
    shown = (config.parent / "compiled/analyze/program.json").read_text(encoding="utf-8")
    asked = {fields["conversation"] for fields in teams["able"].fields["find"]}
    assert asked and not [text for text in asked if json.dumps(text)[1:-1] in shown]


def test_the_same_command_asks_nothing_anew_and_another_model_joins_the_table(config, teams):
    first = measure(config, models="scripted/apt")
    teams["apt"].forget()
    assert measure(config, models="scripted/apt") == first
    assert not teams["apt"].asked
    both = measure(config, models="scripted/able")
    assert [row["model"] for row in both["rows"]] == ["scripted/apt", "scripted/able"]
    assert both["rows"][0] == first["rows"][0]
    program = config.parent / "compiled/analyze/program.json"
    program.write_text(program.read_text(encoding="utf-8") + "\n", encoding="utf-8")  # another program
    assert [row["model"] for row in measure(config, models="scripted/able")["rows"]] == ["scripted/able"]


def test_a_table_is_printed(config, teams):
    result = CliRunner().invoke(
        app, ["transfer", str(config.parent / "compiled/analyze/program.json"), "--models", "scripted/apt"]
    )
    assert result.exit_code == 0
    assert "compiled with scripted/model by labeled_fewshot" in " ".join(result.stdout.split())
    assert "scripted/apt" in result.stdout and "better" in result.stdout
    assert "transfer.json" in result.stdout


def notes(config, analyst):
    return transfer_notes(open_run(config, overrides=swapped(analyst)))


def swapped(analyst):
    return ["programs.analyze=compiled/analyze", f"models.analyst={analyst}"]


def test_after_a_swap_check_says_whether_to_compile_again(config, teams):
    assert notes(config, "scripted/apt") == ([], [])  # no table, no word
    measure(config)
    assert notes(config, "{model: scripted/model, concurrency: 2}") == ([], [])  # not swapped
    (apt,), warnings = notes(config, "scripted/apt")
    assert warnings == [] and "no need to compile again" in apt
    assert apt.startswith("programs.analyze: on scripted/apt the compiled program less the uncompiled one scores +")
    good, (able,) = notes(config, "scripted/able")
    assert good == [] and "+0.000 (+0.000 to +0.000), which holds 0: compile again by `arf compile analyze`" in able
    _, (confused,) = notes(config, "scripted/confused")
    assert "set programs.analyze to null until then" in confused
    _, (unknown,) = notes(config, "scripted/other")
    assert "no figures for scripted/other: `arf transfer" in unknown
    findings = Findings()
    _check_programs(open_run(config, overrides=swapped("scripted/apt")), findings)
    assert [apt] == findings.good
    program = config.parent / "compiled/analyze/program.json"
    program.write_text(program.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    _, (stale,) = notes(config, "scripted/apt")
    assert "about an earlier program" in stale


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("compiled/judge", "no compiled program"),
        ("compiled", "but in compiled/analyze"),
        ("compiled/analyze/card.json", "no compiled program"),
    ],
)
def test_what_is_no_program_is_named(made, program, told, monkeypatch):
    monkeypatch.chdir(made)
    with pytest.raises(ConfigError, match=told):
        read_program(Path(program))


@pytest.mark.parametrize(
    ("models", "options", "told"),
    [
        ("scripted/able,", (), "name each model once"),
        ("scripted/able,scripted/able", (), "name each model once"),
        ("openai/gpt-4o-mini", (), "OPENAI_API_KEY"),
        ("nobody/knows", (), "nobody/knows"),
        ("scripted/able", ("--set", "labeled.path=null"), "labeled.path"),
        ("scripted/able", ("--config", "other.yaml"), "other.yaml"),
    ],
)
def test_bad_input_is_named_before_any_call(made, teams, models, options, told, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    answer = arf("transfer", str(made / "compiled/analyze"), "--models", models, *options, code=2)
    assert told in " ".join(answer["problems"]), answer
    assert not teams["able"].asked


def test_a_broken_program_or_table_is_named(config, teams, tmp_path):
    folder = config.parent / "compiled/analyze"
    (folder / "transfer.json").write_text("{}", encoding="utf-8")
    assert "remove it and measure again" in measure(config, code=2)["problems"][0]
    (folder / "program.json").write_text("{", encoding="utf-8")
    assert "compile again" in measure(config, code=2)["problems"][0]
    shutil.copytree(folder, tmp_path / "away")
    answer = arf("transfer", str(tmp_path / "away"), "--models", "scripted/able", code=2)
    assert "compile again" in answer["problems"][0]


def test_a_program_that_was_not_adopted_has_a_table_of_its_own(config, teams):
    folder = config.parent / "compiled/analyze"
    for name, candidate in (("program.json", "candidate.json"), ("card.json", "candidate-card.json")):
        (folder / name).rename(folder / candidate)
    assert "was not adopted" in measure(config, code=2)["problems"][0]
    answer = arf("transfer", str(folder / "candidate.json"), "--models", "scripted/able")
    assert answer["table"].endswith("candidate-transfer.json")


def test_a_spent_budget_is_said_and_the_same_command_goes_on(config, teams):
    answer = measure(config, "--set", "budget.calls=3", "--set", "budget.usd=null", models="scripted/able", code=3)
    assert "the budget is spent" in answer["problems"][0]
    assert len(measure(config, models="scripted/able")["rows"]) == 1


def test_a_model_of_the_configuration_is_asked_with_its_settings_there(config, teams):
    measure(config, "--set", "models.judge={model: scripted/able, max_tokens: 77}", models="scripted/able")
    assert {params["max_tokens"] for params in teams["able"].params["find"]} == {77}


def test_the_editor_is_measured_in_the_form_that_it_was_compiled_for(config, teams):
    arf(
        "compile",
        "revise",
        str(config),
        "--optimizer",
        "labeled_fewshot",
        "--force",
        "--set",
        "revise.edits=one_by_one",
    )
    program = str(config.parent / "compiled/revise")
    answer = arf("transfer", program, "--models", "scripted/able", "--set", "revise.edits=together")
    assert answer["rows"][0]["scores"]["cases"] == sum(answer["cases"].values())
    assert teams["able"].asked["sentence"] and not teams["able"].asked["edits"]

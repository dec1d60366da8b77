"""A teacher whose drafts stand in a column of the corpus: nobody is asked for them, and all else is as usual."""

from __future__ import annotations

import json

import pytest
import scripted_team
from typer.testing import CliRunner

from arf_programs import pipeline
from arf_programs.cli.app import app
from arf_programs.cli.check import preflight
from arf_programs.config.models import DraftColumn, ModelConfig
from arf_programs.models.providers.terms import check_terms
from arf_programs.pipeline import run_until
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.tools.estimating.estimate import estimate_run
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Summary
from training.model_card import _roles

COLUMN = "models={teacher: {column: summary, name: openai/gpt-4o, license: by contract}, editor: scripted/model}"
OTHERWISE = COLUMN.replace("license: by contract", "otherwise: scripted/second")


@pytest.fixture
def drafted(make_run, tmp_path):
    """Gives each row of the corpus a draft but those whose number is in `lacking`; returns `make_run`."""

    def write(*lacking, text=lambda n, row: scripted_team.draft({"conversation": row["conversation"][0]["text"]})):
        path = tmp_path / "conversations.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for number, row in enumerate(rows):
            row["summary"] = None if number in lacking else text(number, row)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return make_run

    return write


def drafts_of(run) -> dict[str, Summary]:
    return {draft.conversation_id: draft for draft in read_jsonl(run.folder.drafts, Summary)}


def states(run) -> dict[str, str]:
    return {name: state.state for name, state in pipeline.status(run).items()}


def test_the_drafts_are_those_of_the_corpus_and_nobody_is_asked_for_them(drafted):
    team = scripted_team.join()
    run = drafted()(COLUMN)
    run_until(run, "revise")
    assert not team.asked["summary"]
    assert team.asked["find"]
    drafts = drafts_of(run)
    assert len(drafts) == 12
    assert all(draft.system == "teacher" and draft.model == "openai/gpt-4o" for draft in drafts.values())
    assert drafts["c01"].text.endswith(scripted_team.FLAW)
    assert not run.folder.read_failures()


def test_they_are_the_same_drafts_as_a_teacher_would_have_written(drafted, tmp_path):
    scripted_team.join()
    make = drafted()
    read, asked = make(COLUMN, f"run_dir={tmp_path / 'read'}"), make(f"run_dir={tmp_path / 'asked'}")
    for run in (read, asked):
        run_until(run, "revise")
    for name in ("errors.jsonl", "revisions.jsonl", "taxonomy.yaml"):
        assert (read.folder / name).read_bytes() == (asked.folder / name).read_bytes()


def test_a_row_without_a_draft_is_a_counted_failure_with_its_mend(drafted):
    scripted_team.join()
    run = drafted(0, 4, text=lambda n, _: f"  A draft of {n}, of which nobody says more. " if n != 5 else "  ")(COLUMN)
    run_until(run, "draft")
    failures = run.folder.read_failures()
    assert [(failure.conversation_id, failure.stage) for failure in failures] == [
        ("c00", "draft"),
        ("c04", "draft"),
        ("c05", "draft"),
    ]
    assert "no draft in column 'summary'" in failures[0].reason
    assert "models.teacher.otherwise" in failures[0].reason
    assert drafts_of(run)["c01"].text == "A draft of 1, of which nobody says more."
    assert len(drafts_of(run)) == 9


def test_many_first_rows_without_a_draft_do_not_stop_the_stage(drafted, tmp_path):
    from conftest import write_corpus

    write_corpus(tmp_path / "conversations.jsonl", 40)
    run = drafted(*range(30))(COLUMN)
    run_until(run, "draft")
    assert len(drafts_of(run)) == 10
    assert len(run.folder.read_failures()) == 30


@pytest.mark.parametrize("more", [(), ("workers=2",)], ids=str)
def test_a_second_model_drafts_the_rows_without_one(drafted, more):
    team = scripted_team.join("second")
    run = drafted(0, 4)(OTHERWISE, *more)
    run_until(run, "draft")
    assert team.asked["summary"] == 2
    models = {name: draft.model for name, draft in drafts_of(run).items()}
    assert {name for name, model in models.items() if model == "scripted/second"} == {"c00", "c04"}
    assert set(models.values()) == {"scripted/second", "openai/gpt-4o"}
    assert not run.folder.read_failures()


def test_what_the_second_model_fails_on_is_tried_again_alone(drafted):
    scripted_team.join(
        "second", summary=lambda fields: "" if "order 4028" in fields["conversation"] else "It is a short draft."
    )
    run = drafted(0, 4)(OTHERWISE)
    run_until(run, "draft")
    assert [failure.conversation_id for failure in run.folder.read_failures()] == ["c04"]
    team = scripted_team.join("second")
    run_until(run, "draft", retry_failed=True)
    assert team.asked["summary"] == 1
    assert len(drafts_of(run)) == 12


def test_a_changed_draft_reruns_what_depends_on_it(drafted):
    team = scripted_team.join()
    make = drafted()
    run_until(make(COLUMN), "revise")
    assert states(make(COLUMN))["revise"] == "whole"
    team.forget()
    drafted(text=lambda n, row: f"The customer wrote about an order that came broken. It is row {n}.")
    run = make(COLUMN)
    assert states(run)["corpus"] == "stale"
    run_until(run, "revise")
    assert team.asked["find"]
    assert drafts_of(run)["c01"].text.endswith("It is row 1.")


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("{column: other}", {"corpus", "draft"}),
        ("{name: people}", {"draft"}),
        ("{license: none}", set()),
        ("{otherwise: scripted/second}", {"draft"}),
    ],
    ids=["column", "name", "license", "otherwise"],
)
def test_a_changed_setting_makes_stale_what_depends_on_it(drafted, tmp_path, changed, stale):
    import yaml

    from arf_programs.stages.stage import state_of

    base = {"column": "summary", "name": "a", "license": "b"}
    assert set(DraftColumn.model_fields) == {*base, "otherwise"}

    def project(teacher):
        return drafted()(f"models={json.dumps({'teacher': teacher, 'editor': 'scripted/model'})}")

    scripted_team.join()
    run_until(project(base), "draft")
    run = project({**base, **yaml.safe_load(changed)})
    found = {stage.name for stage in pipeline.STAGES[:2] if state_of(stage, run).state != "whole"}
    assert found == stale - ({"draft"} if changed == "{column: other}" else set())


def test_a_corpus_without_the_column_is_refused_and_its_columns_are_named(drafted):
    with pytest.raises(DataError, match=r"no column 'sumary' of drafts \(there are: .*summary.*\): set models.teacher"):
        run_until(drafted()(COLUMN.replace("summary", "sumary")), "corpus")


def test_a_column_without_any_draft_is_refused(drafted):
    run = drafted(*range(12))(COLUMN)
    with pytest.raises(DataError, match="no row has a draft in column 'summary'"):
        run_until(run, "draft")
    assert not run.folder.drafts.exists()
    assert "no row has a draft in column 'summary'" in " ".join(preflight(run).problems)


def test_a_draft_that_is_no_text_is_refused_with_its_line(drafted):
    with pytest.raises(DataError, match=r"line 2.*the draft is a list, not a text"):
        run_until(drafted(text=lambda n, _: ["a", "list"] if n == 1 else "A draft.")(COLUMN), "corpus")


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        (
            "{teacher: {column: summary}}",
            "models.editor is missing: add it, since the teacher is a column of the corpus",
        ),
        ("{teacher: {column: summary, mode: batch}, editor: a/b}", "models.teacher.mode is not a known key: the keys"),
        ("{teacher: {column: summary, licence: x}, editor: a/b}", "models.teacher.licence is not a known key: did you"),
        ("{teacher: {column: ''}, editor: a/b}", "models.teacher.column: string should have at least 1 character"),
        ("{teacher: {name: x}, editor: a/b}", "models.teacher.model is missing"),
        (
            "{teacher: {column: x, otherwise: {model: embedded/x, mode: batch}}, editor: a/b}",
            "models.teacher.otherwise",
        ),
        (
            "{teacher: {model: x, timeuot: 3}, editor: a/b}",
            "models.teacher.timeuot is not a known key: did you mean timeout?",
        ),
    ],
)
def test_wrong_settings_are_refused_with_their_key(make_run, models, problem):
    with pytest.raises(ConfigError) as caught:
        make_run(f"models={models}")
    assert problem in " ".join(caught.value.problems)
    assert "ModelConfig" not in str(caught.value)
    assert "DraftColumn" not in str(caught.value)


def test_the_second_model_may_be_asked_in_batches_and_not_on_a_cluster(make_run):
    batched = "{teacher: {column: x, otherwise: {model: openai/x, mode: batch}}, editor: scripted/model}"
    assert make_run(f"models={batched}").config.models.of("teacher").mode == "batch"
    with pytest.raises(ConfigError, match=r"does not go with `mode: batch` \(models.teacher\)"):
        make_run(f"models={batched}", "engine=ray")


def test_the_written_configuration_can_be_read_again(drafted):
    from arf_programs.config import dump_config, load_config

    for models in (COLUMN, OTHERWISE):
        run = drafted()(models)
        copy = run.folder.path.parent / "copy.yaml"
        copy.write_text(dump_config(run.config), encoding="utf-8")
        assert load_config(copy) == run.config


def test_terms_and_card_go_by_the_name_and_the_licence(drafted):
    config = drafted()(COLUMN).config
    with pytest.raises(ConfigError, match="teacher openai/gpt-4o: OpenAI's terms"):
        check_terms(config)
    (note,) = _roles(config, "teacher")
    assert (note.name, note.model, note.license) == ("teacher", "openai/gpt-4o", "by contract")
    check_terms(drafted()(COLUMN.replace("openai/gpt-4o", "agents of our own")).config)
    with pytest.raises(ConfigError, match="teacher OpenAI GPT-4o mini: OpenAI's terms"):
        check_terms(drafted()(COLUMN.replace("openai/gpt-4o", "OpenAI GPT-4o mini")).config)


def test_terms_and_card_name_the_second_model_too(drafted):
    models = OTHERWISE.replace("scripted/second", "anthropic/claude-sonnet-4-6").replace("openai/gpt-4o", "people")
    config = drafted()(models).config
    with pytest.raises(ConfigError, match="teacher anthropic/claude-sonnet-4-6: Anthropic's terms"):
        check_terms(config)
    assert [note.model for note in _roles(config, "teacher")] == ["people", "anthropic/claude-sonnet-4-6"]


def test_arf_check_counts_the_drafts_and_asks_only_the_others(drafted, monkeypatch):
    monkeypatch.setattr("arf_programs.cli.check._check_base", lambda *_, **__: None)
    team = scripted_team.join()
    findings = preflight(drafted(3)(COLUMN.replace("name: openai/gpt-4o, ", "")))
    assert not findings.problems
    assert "models.teacher: 11 of 12 rows have a draft in column 'summary'" in findings.good
    told = " ".join(findings.warnings)
    assert "1 of 12 rows have no draft in column 'summary'" in told
    assert "models.teacher.name" in told
    assert team.asked["ping"] == 1
    assert not findings.hosts


def test_the_hosts_of_the_second_model_are_listed(drafted, monkeypatch):
    monkeypatch.setattr("arf_programs.cli.check._check_base", lambda *_, **__: None)
    scripted_team.join()
    hosted = OTHERWISE.replace(
        "scripted/second", "{model: hosted_vllm/x, api_base: 'http://127.0.0.1:9/v1', retries: 0}"
    )
    assert preflight(drafted(3)(hosted)).hosts == {"127.0.0.1:9": ["hosted_vllm/x"]}


def test_an_estimate_counts_calls_for_rows_without_a_draft_alone(drafted):
    scripted_team.join()
    lines = {line.stage: line for line in estimate_run(drafted()(COLUMN)).lines}
    assert "draft" not in lines or not lines["draft"].calls.high
    assert lines["analyze"].calls.high
    estimated = estimate_run(drafted(*range(6))(OTHERWISE), sample=12)
    (line,) = [line for line in estimated.lines if line.stage == "draft"]
    assert (line.model, line.calls.low, line.calls.high) == ("scripted/second", 6, 6)


def test_a_program_of_the_teacher_cannot_be_compiled_without_a_model(drafted, tmp_path):
    scripted_team.join()
    drafted()
    result = CliRunner().invoke(
        app, ["compile", "summarize", str(tmp_path / "arf.yaml"), "--optimizer", "gepa", "--set", COLUMN]
    )
    assert result.exit_code == 2
    assert "models.teacher is a column of the corpus, and no model to ask" in result.stderr


def test_a_conversation_without_a_draft_is_stored_as_before():
    conversation = {"id": "a", "channel": "default", "turns": [{"speaker": "A", "text": "b"}]}
    assert "draft" not in Conversation.model_validate(conversation).model_dump()
    assert Conversation.model_validate({**conversation, "draft": "x"}).model_dump()["draft"] == "x"


def test_a_teacher_that_is_a_model_is_one_still(make_run):
    assert isinstance(make_run().config.models.teacher, ModelConfig)
    assert make_run().config.models.draft_column is None

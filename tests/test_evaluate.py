"""Stage `evaluate`: which systems are scored, by what, and what a second look costs."""

import json

import pytest
import scripted_team
from conftest import open_project
from test_cli import arf

from arf_programs.pipeline import run_until
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.ledger import read_ledger
from arf_programs.stages.evaluation import evaluate, systems
from arf_programs.stages.evaluation import scoring as reference_similarity
from arf_programs.stages.evaluation.scoring import with_similarity
from signatures.exceptions import ConfigError
from signatures.records import PairVerdict, Score, Summary

NONE = ("evaluate.analyst=false", "evaluate.judge=false", "evaluate.reviser=false")


def scores_of(run) -> list[Score]:
    return list(read_jsonl(run.folder.scores, Score))


def verdicts_of(run) -> list[PairVerdict]:
    return list(read_jsonl(run.folder.comparisons, PairVerdict))


def test_the_reviser_mends_the_holdout_drafts_of_the_teacher(finished_project):
    run = open_project(finished_project)
    drafts = {row.conversation_id: row.text for row in run.drafts("holdout")}
    revised = {row.conversation_id: row for row in read_jsonl(run.folder.predictions, Summary)
               if row.system == "reviser"}  # fmt: skip
    # The analyst has no answer about one conversation, which may be held out: its failure is a record.
    failed = {row.conversation_id for row in run.folder.read_failures() if row.system == "reviser"}
    assert set(revised) == set(drafts) - failed
    assert any(scripted_team.FLAW in text for text in drafts.values())
    for name, row in revised.items():
        assert row.text == drafts[name].replace(scripted_team.FLAW, "").strip()
        assert row.model == "scripted/model"


def test_every_summary_is_rated_by_aspect(finished_project):
    rated = [score.rating for score in scores_of(open_project(finished_project))]
    assert rated and all(item.faithful == item.rating and item.complete == 5 and item.concise == 4 for item in rated)
    assert {(item.model, item.prompt) for item in rated} == {("scripted/model", rated[0].prompt)}
    assert rated[0].prompt.startswith("2-")
    summary = json.loads((finished_project / "run" / "summary.json").read_text(encoding="utf-8"))
    assert {"faithful", "complete", "concise"} <= set(summary["evaluate"]["systems"]["teacher"])


def test_students_are_compared_with_their_teacher(finished_project):
    run = open_project(finished_project)
    found = verdicts_of(run)
    assert {(row.a, row.b) for row in found} == {("student_arf", "teacher"), ("student_teacher", "teacher")}
    assert len(found) == 2 * len(list(run.drafts("holdout")))
    flawed = {row.conversation_id for row in run.drafts("holdout") if scripted_team.FLAW in row.text}
    assert flawed
    assert {row.winner for row in found if row.conversation_id in flawed} == {"a"}
    # Where nothing tells them apart, this judge takes what stands first: a tie.
    assert {row.winner for row in found if row.conversation_id not in flawed} == {"tie"}


def test_a_second_evaluation_sends_no_call(project):
    """Ratings and preferences are stored by content: lost files are made again from them."""
    run = open_project(project)
    before = {path: path.read_bytes() for path in (run.folder.scores, run.folder.comparisons)}
    for path in evaluate.outputs(run):
        path.unlink()
    team = scripted_team.join_troubled()
    known = len(read_ledger(run.folder.ledger))
    run_until(run, "evaluate")
    # What never was answered in form, and so never stored, is asked again: the one conversation of `join_troubled`.
    assert set(team.asked) <= {"find"}
    assert all("order 8888" in fields["conversation"] for fields in team.fields.get("find", []))
    # The students in this process have moved with the folder, and answer anew; every other answer is replayed.
    again = [call for call in read_ledger(run.folder.ledger)[known:] if call.model == "scripted/model"]
    assert sum(call.cached for call in again) > 20
    assert sum(not call.cached for call in again) == team.asked["find"]
    assert {path: path.read_bytes() for path in before} == before


def test_students_answer_alone_and_the_judge_is_asked_later(project, monkeypatch):
    team = scripted_team.join_troubled()
    other = scripted_team.join("other", summary=lambda fields: "The customer wrote about a thing.")
    options = ["--run-dir", project / "run", "--set", "evaluate.systems={frontier: scripted/other}"]
    told = arf("evaluate", project / "arf.yaml", *options, "--answers-only")
    run = open_project(project, "evaluate.systems={frontier: scripted/other}")
    holdout = len(run.conversations("holdout"))
    assert told.exit_code == 0
    assert f"{4 * holdout} summaries of the holdout are kept: `arf evaluate` scores them." in told.stdout
    assert not team.asked and other.asked == {"summary": holdout}
    loaded = []
    monkeypatch.setattr("arf_programs.models.embedded.engine.open_weights", lambda name, _: loaded.append(name))
    assert arf("evaluate", project / "arf.yaml", *options).exit_code == 0
    assert loaded == []
    assert other.asked == {"summary": holdout}
    assert {"base", "student_arf", "frontier", "reviser"} <= {score.system for score in scores_of(run)}


def test_further_systems_and_pairs_are_scored_and_cost_just_themselves(project):
    team = scripted_team.join_troubled()
    other = scripted_team.join("other", summary=lambda fields: "The customer wrote about a thing.")
    run = open_project(
        project,
        "evaluate.systems={frontier: scripted/other}",
        "evaluate.pairs=[[frontier, teacher], [reviser, teacher]]",
    )
    run_until(run, "report")
    holdout = len(run.conversations("holdout"))
    assert other.asked == {"summary": holdout}
    assert "summary" not in team.asked
    scored = [score for score in scores_of(run) if score.system == "frontier"]
    assert len(scored) + sum(row.system == "frontier" for row in run.folder.read_failures()) == holdout
    assert {("frontier", "teacher"), ("reviser", "teacher")} <= {(row.a, row.b) for row in verdicts_of(run)}
    # A draft that was not revised is the same text, about which nobody is asked.
    same = [row for row in verdicts_of(run) if row.a == "reviser" and row.a_first is None]
    assert same and all(row.winner == "tie" for row in same)


def test_what_is_switched_off_is_not_asked(project):
    team = scripted_team.join()
    run = open_project(project, *NONE)
    run_until(run, "report")
    assert not team.asked
    assert {score.rating for score in scores_of(run)} == {None}
    assert "reviser" not in {score.system for score in scores_of(run)}
    assert verdicts_of(run) == []
    assert evaluate.asks(run.config) == ()


def test_a_comparison_that_fails_is_a_record(project):
    better = {"reasons": "r", "better": "first"}
    scripted_team.join(compare=lambda fields: better if "mirror" in fields["conversation"] else "no")
    run = open_project(project, "models.judge.temperature=0.3", "evaluate.reviser=false", "evaluate.analyst=false")
    run_until(run, "evaluate")
    failed = [row for row in run.folder.read_failures() if row.system == "student_arf against teacher"]
    assert len(failed) + len([row for row in verdicts_of(run) if row.a == "student_arf"]) == len(
        list(run.drafts("holdout"))
    )
    assert failed and "no usable answer" in failed[0].reason


def test_pairs_are_made_once(make_run):
    run = make_run("evaluate.pairs=[[teacher, student_arf], [student_arf, base], [student_arf, base]]")
    assert systems.pairs_to_compare(run) == [
        ("student_arf", "teacher"),
        ("student_teacher", "teacher"),
        ("student_arf", "base"),
    ]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("evaluate.systems={teacher: scripted/x}", "'teacher' is a system of every run"),
        ("evaluate.systems={My-Model: scripted/x}", "'My-Model' is no name for a system"),
        ("evaluate.pairs=[[frontier, teacher]]", "no system is called 'frontier': name two of base, "),
        ("evaluate.pairs=[[base, base]]", "'base' cannot be compared with itself"),
    ],
)
def test_wrong_systems_and_pairs_are_told_at_once(make_run, override, problem):
    with pytest.raises(ConfigError, match=problem):
        make_run(override)


def test_similarity_is_measured_where_a_model_is_found(project, monkeypatch):
    scripted_team.join_troubled()
    monkeypatch.setattr(reference_similarity, "find_model", lambda name, base_dir: project)
    monkeypatch.setattr(
        reference_similarity, "load_embedder", lambda folder: lambda texts: [[1.0, len(text)] for text in texts]
    )
    run = open_project(project, "evaluate.similarity=mine")
    scores = list(with_similarity(run, run.folder.scores))
    references = {name: item.references for name, item in run.conversations("holdout").items()}
    assert scores
    for score in scores:
        assert (score.similarity is None) == (not references[score.conversation_id])
        assert score.similarity is None or 0 <= score.similarity <= 1


def test_similarity_that_cannot_be_measured_is_said(project, monkeypatch):
    said = []
    monkeypatch.setattr("arf_programs.metrics.similarity.offline_model", lambda: None)
    run = open_project(project)
    monkeypatch.setattr(type(run.progress), "say", lambda self, text: said.append(text))
    assert list(with_similarity(run, run.folder.scores)) == scores_of(run)
    assert "embedding similarity is left out" in said[0] and "pip install" in said[0]

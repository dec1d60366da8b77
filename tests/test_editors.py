"""Several editors: each revises every draft, and of the verified revisions those are kept whose facts differ."""

import pytest
import scripted_team
from conftest import write_corpus
from scripted_team import FLAW

from arf_programs.config.load import validate
from arf_programs.models.providers.terms import terms_of
from arf_programs.pipeline import run_until, status
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.stages.revise import STAGE
from arf_programs.stages.stage import state_of
from arf_programs.stages.train import fingerprint
from arf_programs.stages.variants import choose_distinct
from arf_programs.tools.estimating.estimate import estimate_run
from signatures.exceptions import ConfigError
from signatures.records import Revision, TrainingExample, Verdict
from training.build import build
from training.loop.loss_weights import are_weighted

EDITORS = "models.editors=[scripted/second, scripted/third]"
ALONE = ("revise.edits=together", "analyze.checks=false", "train.arms=[arf, teacher]")


def revision(after, verdict=Verdict.VERIFIED, model="m"):
    return Revision(
        conversation_id="a", before="B", after=after, strategy="edits", model=model, verdict=verdict, attempts=1
    )


MAIN = revision("The agent refunded 40 euros on 3 May.")


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ("A refund of 40 euros came on 3 May, the agent wrote.", False),  # the same facts in other words
        ("A refund of €40 came on May 3rd.", False),  # in another form
        ("The agent refunded 45 euros on 3 May.", True),
        ("The agent refunded 40 euros on 4 May.", True),
        ("The agent refunded 40 euros on 3 May, code AB-1234.", True),
        ("The agent Brigitte refunded 40 euros on 3 May.", True),
        ("The agent refunded 40 euros.", True),
    ],
)
def test_a_revision_is_kept_for_its_facts_and_not_for_its_words(after, kept):
    assert choose_distinct(MAIN, [revision(after)]) == [revision(after)] * kept


def test_of_the_same_facts_the_farthest_is_kept_in_whatever_order_they_come():
    near = revision("The agent refunded 45 euros on 3 May.")
    far = revision("It took 45 euros, paid out by 3 May, to settle this.")
    assert choose_distinct(MAIN, [near, far]) == choose_distinct(MAIN, [far, near]) == [far]
    other = revision("Nobody was paid.")
    assert choose_distinct(MAIN, [near, other, far]) == [far, other]


def test_a_rejected_main_revision_takes_no_place():
    twin = revision("A refund of 40 euros came on 3 May, the agent wrote.")
    rejected = MAIN.model_copy(update={"verdict": Verdict.REJECTED})
    assert choose_distinct(rejected, [twin]) == choose_distinct(None, [twin]) == [twin]


def says(sentence):
    """An editor that writes this sentence in the place of the flaw."""
    edit = {"mends": ["e1"], "op": "replace", "quote": FLAW, "replacement": sentence, "evidence": [2]}
    return lambda _: {"edits": [edit]}


NEAR, FAR = "The agent will write in 3 weeks.", "Within 3 weeks somebody gets in touch about the parcel again."


@pytest.fixture
def teams():
    """The main editor deletes the flaw; two others write something with a fact, the third in other words."""
    return [
        scripted_team.join(),
        scripted_team.join("second", edits=says(NEAR)),
        scripted_team.join("third", edits=says(FAR)),
    ]


def rows(run, name, model):
    return list(read_jsonl(run.folder / name, model))


def test_all_kept_revisions_are_examples_of_arm_arf_and_weigh_as_one(make_run, teams):
    run = make_run(*ALONE, EDITORS)
    run_until(run, "revise")
    flawed = [row.conversation_id for row in rows(run, "revisions.jsonl", Revision) if row.errors]
    kept = rows(run, "revisions_samples.jsonl", Revision)
    assert [row.conversation_id for row in kept] == flawed
    assert {row.model for row in kept} == {"scripted/third"}  # the second's has its facts, and is nearer to the main
    assert all(FAR in row.after for row in kept)
    build(run.folder, None)
    examples = rows(run, "train/arf.jsonl", TrainingExample)
    weights: dict[str, list[float]] = {}
    for example in examples:
        weights.setdefault(example.conversation_id, []).append(example.weight)
    assert {name for name, own in weights.items() if own == [0.5, 0.5]} == set(flawed)
    assert all(sum(own) == 1 for own in weights.values())
    assert are_weighted(examples, 1.0)
    assert {example.weight for example in rows(run, "train/teacher.jsonl", TrainingExample)} == {1.0}


def test_a_second_run_asks_nothing_and_one_more_editor_asks_itself_alone(make_run, teams):
    run_until(make_run(*ALONE), "revise")
    for team in teams:
        team.forget()
    run_until(make_run(*ALONE, "models.editors=[scripted/second]"), "revise")
    flawed = sum(bool(row.errors) for row in rows(make_run(), "revisions.jsonl", Revision))
    assert dict(teams[1].asked) == {"edits": flawed}
    assert set(teams[0].asked) == {"check"}  # the analyst verifies; the main editor's answers are kept
    for team in teams:
        team.forget()
    run_until(make_run(*ALONE, EDITORS), "revise")
    assert (dict(teams[1].asked), dict(teams[2].asked)) == ({}, {"edits": flawed})
    teams[2].forget()
    run_until(make_run(*ALONE, EDITORS), "revise")
    assert not teams[2].asked


def test_each_editor_samples_as_often_as_the_main_one(make_run, teams):
    run = make_run(*ALONE, EDITORS, "revise.samples=2")
    run_until(run, "revise")
    flawed = sum(bool(row.errors) for row in rows(run, "revisions.jsonl", Revision))
    for team in teams:
        assert team.asked["edits"] == 2 * flawed
    assert sorted({params["temperature"] for params in teams[2].params["edits"]}) == [0.0, 0.7]


def test_an_editor_that_fails_is_counted_and_costs_the_others_nothing(make_run, teams):
    tried = []

    def fails_once(fields):
        tried.append(fields["summary"])
        return "no" if fields["summary"] == tried[0] else says(FAR)(fields)

    scripted_team.join("third", edits=fails_once)
    run = make_run(*ALONE, EDITORS)
    run_until(run, "revise")
    (failure,) = run.folder.read_failures()
    assert failure.system == "edits by editor 2"
    kept = {row.conversation_id: row.model for row in rows(run, "revisions_samples.jsonl", Revision)}
    assert kept.pop(failure.conversation_id) == "scripted/second"
    assert set(kept.values()) == {"scripted/third"}


def test_without_editors_a_run_is_as_it_was(make_run, teams):
    run = make_run(*ALONE)
    run_until(run, "revise")
    assert not (run.folder / "revisions_samples.jsonl").exists()
    assert not {"models.editors"} & {*STAGE.fingerprint(run), *fingerprint(run)}
    for settings in ([EDITORS], ["models.editors=[{model: scripted/second, temperature: 0.5}]"]):
        other = make_run(*ALONE, *settings)
        assert state_of(STAGE, other).state != "whole"
        assert "models.editors" in STAGE.fingerprint(other)
        assert status(other)["analyze"].state == "whole"
    swapped = make_run(*ALONE, "models.editors=[scripted/third]")
    assert STAGE.fingerprint(swapped) != STAGE.fingerprint(make_run(*ALONE, "models.editors=[scripted/second]"))


def test_the_estimate_counts_the_calls_of_each_editor(make_run, teams, tmp_path):
    write_corpus(tmp_path / "conversations.jsonl", 12)
    settings = (*ALONE, EDITORS, "revise.samples=2", "models.analyst=scripted/model", "revise.attempts=1")
    run_until(make_run(*settings), "analyze")
    made = {line.model: line for line in estimate_run(make_run(*settings)).lines if line.stage == "revise"}
    for team in teams:
        team.forget()
    run_until(make_run(*settings), "revise")
    for team, name in zip(teams[1:], ("second", "third"), strict=True):
        assert made[f"scripted/{name}"].calls.mid == pytest.approx(team.asked["edits"], abs=0.01)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"models": {"editors": ["scripted/model"]}}, "scripted/model is there twice, or is models.editor"),
        ({"models": {"editors": ["scripted/a", "scripted/a"]}}, "scripted/a is there twice"),
        ({"models": {"editors": ["scripted/a"]}, "revise": {"candidates": 0}}, "no editor is asked"),
        ({"models": {"editors": ["scripted/a"]}, "train": {"packing": True}}, "set train.packing to false"),
        ({"models": {"editors": "scripted/a"}}, "models.editors"),
        ({"models": {"editors": [{"model": "a", "temprature": 1}]}}, "temprature is not a known key"),
    ],
)
def test_editors_that_cannot_be_are_refused(settings, told):
    models = {"teacher": "scripted/model", **settings.pop("models")}
    places: dict[tuple[str | int, ...], str] = {("models", "editors"): "arf.yaml line 3"}
    with pytest.raises(ConfigError, match="editors") as caught:
        validate({"corpus": {"path": "x"}, "models": models, **settings}, places, source="arf.yaml")
    assert told in str(caught.value)


def test_the_terms_of_a_further_editor_bind_too():
    models = {"teacher": "scripted/model", "editors": ["openai/gpt-4o"]}
    config = validate({"corpus": {"path": "x"}, "models": models}, {}, source="arf.yaml")
    assert [terms.name for terms in terms_of(config)] == ["openai"]

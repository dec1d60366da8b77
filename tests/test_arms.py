"""All arms, sampled revisions and the preference stage in one run, from a corpus to the report, really trained."""

import json
import shutil
from collections import Counter

import pytest
import scripted_team
from conftest import made_once, open_project, write_corpus
from tiny_model import save_tiny_model

from arf_programs.config.schema import Config
from arf_programs.pipeline import run_until, status
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.ledger import read_ledger
from arf_programs.stages.evaluation import systems
from arf_programs.stages.stage import state_of
from arf_programs.stages.train import STAGE as TRAIN
from arf_programs.stages.train import training_log
from arf_programs.stages.variants import distinct_verified, further_strategies
from arf_programs.tools.estimating.estimate import estimate_run
from signatures.exceptions import ConfigError
from signatures.records import PairVerdict, PreferencePair, Revision, TrainingExample, Verdict
from training.model_card import gather

ALL = "train.arms=[arf, teacher, rewrite, taxonomy]"
STUDENTS = ("arf", "teacher", "rewrite", "taxonomy", "arf_dpo")


def rewording():
    """An editor whose every further rewrite of a draft is worded in another way."""
    seen: dict[str, int] = {}

    def rewrite(fields):
        number = seen[fields["summary"]] = seen.get(fields["summary"], 0) + 1
        agent = ("put a new", "then put a new", "then put one more")[min(number, 3) - 1]
        return {"revised": fields["summary"].replace(scripted_team.FLAW, "").replace("put a new", agent).strip()}

    return rewrite


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with everything in it."""
    return open_project(made_once(tmp_path_factory, "arms", finish))


def finish(project):
    base = save_tiny_model(project / "tiny")
    write_corpus(project / "conversations.jsonl")
    (project / "arf.yaml").write_text(
        f"""
name: arms
corpus: {{path: conversations.jsonl, holdout: 0.25}}
models: {{teacher: scripted/model}}
revise: {{samples: 3}}
train:
  base: {base}
  arms: [arf, teacher, rewrite, taxonomy]
  epochs: 1
  edit_weight: 3
  lora: {{r: 2}}
  preference: {{method: sigmoid}}
evaluate: {{max_tokens: 16, samples: 100}}
""",
        encoding="utf-8",
    )
    team = scripted_team.join(rewrite=rewording())
    run_until(open_project(project), "report")
    sampled = [params for params in team.params["rewrite"] if params["temperature"] == 0.7]
    told = {**team.asked, "sampled rewrites": len(sampled)}
    (project / "asked.json").write_text(json.dumps(told), encoding="utf-8")


def asked(run):
    """How often the team was asked what."""
    return json.loads((run.base_dir / "asked.json").read_text(encoding="utf-8"))


def rows(run, name, model):
    return list(read_jsonl(run.folder / name, model))


def test_one_run_gives_the_ablation(finished):
    run = finished
    summary = json.loads(run.folder.summary.read_text(encoding="utf-8"))
    assert tuple(summary["train"]) == STUDENTS
    students = {f"student_{name}" for name in STUDENTS}
    assert set(summary["evaluate"]["systems"]) == {"base", "teacher", "reviser", *students}
    pairs = {(item["a"], item["b"]) for item in summary["evaluate"]["comparisons"]}
    assert {("student_arf", "student_rewrite"), ("student_arf", "student_taxonomy")} <= pairs
    assert {("student_arf_dpo", "student_arf"), ("student_arf_dpo", "teacher")} <= pairs
    page = run.folder.report.read_text(encoding="utf-8")
    for label in ("Student on rewrites", "Student (taxonomy)", "Student (ARF, DPO)"):
        assert label in page
    # A strategy's calls are those for its revisions, samples included, and for the analysis.
    files = [run.folder.revisions, run.folder / "revisions_rewrite.jsonl", run.folder / "revisions_taxonomy.jsonl"]
    made = [row for path in (*files, run.folder.revision_samples) for row in read_jsonl(path, Revision)]
    paid = Counter((call.stage, call.strategy) for call in read_ledger(run.folder.ledger) if call.paid)
    assert set(summary["costs"]) == {"edits", "rewrite", "taxonomy"}
    for strategy, costs in summary["costs"].items():
        verified = [row for row in made if row.verdict == "verified" and row.strategy == strategy]
        assert costs["verified"] == len(verified) > 0
        assert costs["calls"] == paid["analyze", ""] + paid["revise", strategy]
        assert paid["revise", strategy] > 0
    # Sampled and further revisions are no part of the funnel, which is that of the main ones.
    assert summary["revise"]["failed"] == 0
    assert sum(summary["revise"].values()) == sum(1 for _ in run.drafts("train"))


def test_each_arm_is_revised_by_its_own_strategy_and_verified(finished):
    run = finished
    for name, strategy in (
        ("revisions", "edits"),
        ("revisions_rewrite", "rewrite"),
        ("revisions_taxonomy", "taxonomy"),
    ):
        revisions = rows(run, f"{name}.jsonl", Revision)
        assert {row.strategy for row in revisions} == {strategy}
        assert [row.conversation_id for row in revisions] == [row.conversation_id for row in run.drafts("train")]
        assert sum(row.verdict is Verdict.VERIFIED for row in revisions) == sum(bool(row.errors) for row in revisions)
    # The paper's form is asked about every draft, the others about those with errors.
    assert asked(run)["by_taxonomy"] >= sum(1 for _ in run.drafts("train")) > 4


def test_the_arms_are_trained_alike_on_their_own_revisions(finished):
    run = finished
    settings = [json.loads((run.folder.train / f"{arm}.json").read_text()) for arm in STUDENTS[:4]]
    assert all({**one, "arm": ""} == {**settings[0], "arm": ""} for one in settings)
    assert not {"arms", "preference", "acknowledge_terms"} & set(settings[0])
    for arm in ("rewrite", "taxonomy"):
        examples = rows(run, f"train/{arm}.jsonl", TrainingExample)
        assert {example.arm for example in examples} == {arm}
        assert {example.provenance["strategy"] for example in examples} == {arm}
        assert not any(scripted_team.FLAW in example.completion for example in examples)
    prompts = [
        list(dict.fromkeys(example.messages for example in rows(run, f"train/{arm}.jsonl", TrainingExample)))
        for arm in STUDENTS[:4]
    ]
    assert all(each == prompts[0] for each in prompts)


def test_distinct_verified_samples_are_examples_too(finished):
    run = finished
    samples = rows(run, "revisions_samples.jsonl", Revision)
    # The editor of sentences only ever deletes the flaw, so nothing that it says is new; the rewriter rewords.
    assert {row.strategy for row in samples} == {"rewrite"}
    assert {row.verdict for row in samples} == {Verdict.VERIFIED}
    flawed = [row for row in rows(run, "revisions.jsonl", Revision) if row.errors]
    assert len(samples) == 2 * len(flawed)
    examples = rows(run, "train/rewrite.jsonl", TrainingExample)
    assert len(examples) == sum(1 for _ in run.drafts("train")) + len(samples)
    assert len({(example.conversation_id, example.completion) for example in examples}) == len(examples)
    assert len(rows(run, "train/arf.jsonl", TrainingExample)) == sum(1 for _ in run.drafts("train"))
    assert asked(run)["sampled rewrites"] == 2 * len(flawed)


def test_what_a_rewrite_changed_is_marked_and_weighs_more(finished):
    run = finished
    marked = {
        example.completion[slice(*place)]
        for example in rows(run, "train/rewrite.jsonl", TrainingExample)
        for place in example.edited
    }
    assert marked == {"then", "one more"}
    assert json.loads((run.folder.student / "rewrite/training_log.json").read_text())["settings"]["edit_weight"] == 3


def test_a_pair_is_a_verified_revision_and_its_draft(finished):
    run = finished
    drafts = {draft.conversation_id: draft.text for draft in run.drafts("train")}
    verified = {
        row.conversation_id: row.after
        for row in rows(run, "revisions.jsonl", Revision)
        if row.verdict is Verdict.VERIFIED
    }
    pairs = rows(run, "train/preference.jsonl", PreferencePair)
    assert {pair.conversation_id: pair.chosen[0].content for pair in pairs} == verified
    assert all(pair.rejected[0].content == drafts[pair.conversation_id] for pair in pairs)
    log = json.loads((run.folder.student / "arf_dpo/training_log.json").read_text())
    assert (log["examples"], log["arm"], log["settings"]["preference"]["method"]) == (len(pairs), "arf_dpo", "sigmoid")


def test_the_judge_compares_the_student_of_the_preference_stage_with_the_teacher(finished):
    assert ("student_arf_dpo", "teacher") in systems.pairs_to_compare(finished)
    verdicts = rows(finished, "comparisons.jsonl", PairVerdict)
    assert {row.a for row in verdicts} == {f"student_{name}" for name in STUDENTS}


def test_the_card_of_a_preference_student_tells_of_its_pairs(finished):
    card = gather(finished.folder, "arf_dpo", form="LoRA adapter")
    pairs = len(rows(finished, "train/preference.jsonl", PreferencePair))
    assert (card.examples, card.made_of) == (pairs, (("revision verified", pairs),))
    assert ("preference.method", "sigmoid") in card.training
    assert {row.other for row in card.differences} == {"student_arf", "teacher"}
    assert any("preference.jsonl" in name for name, _ in card.lineage)


def test_an_estimate_counts_the_revisions_of_every_strategy_and_sample(make_run):
    def edits_and_rewrites(*settings):
        made = estimate_run(make_run(*settings), sample=3)
        return sum(line.calls.high for line in made.lines if line.stage == "revise")

    assert edits_and_rewrites() < edits_and_rewrites("train.arms=[arf, rewrite]")
    assert edits_and_rewrites() < edits_and_rewrites("revise.samples=2")


def test_a_second_run_does_nothing_and_a_further_arm_is_no_matter_of_drafts(finished):
    run = finished
    team = scripted_team.join(rewrite=rewording())
    run_until(run, "report")
    assert not team.asked
    fewer = open_project(run.base_dir, "train.arms=[arf, teacher]", "revise.samples=1")
    states = {name for name, state in status(fewer).items() if state.state == "whole"}
    assert {"corpus", "draft", "taxonomy", "analyze"} <= states
    told = open_project(run.base_dir, "train.acknowledge_terms=[openai]")
    assert state_of(TRAIN, told).state == "whole"
    other = open_project(run.base_dir, "train.preference.beta=0.2")
    assert state_of(TRAIN, other).state == "stale"


def test_other_losses_and_starts_are_students_of_their_own(finished, tmp_path):
    project = shutil.copytree(finished.base_dir, tmp_path / "project", ignore=shutil.ignore_patterns("tiny"))
    run = open_project(project, "train.preference={method: apo_zero, after: base}", "train.arms=[teacher]")
    assert run.config.train.students() == ("teacher", "arf_apo")
    scripted_team.join(rewrite=rewording())
    run_until(run, "train")
    log = training_log(run.folder, "arf_apo")
    assert log["losses"][0]["loss"] == pytest.approx(1, abs=1e-3)  # that of APO-zero where nothing is learnt yet
    assert set(systems.models_of_systems(run)) == {"base", "student_teacher", "student_arf_apo"}
    with pytest.raises(ConfigError, match=r"add arf to train\.arms, or use after: base"):
        open_project(project, "train.arms=[teacher]")


@pytest.mark.parametrize(
    ("strategy", "further"),
    [("edits", ("rewrite", "taxonomy")), ("rewrite", ("taxonomy",)), ("taxonomy", ("rewrite",))],
)
def test_the_configured_strategy_is_not_asked_for_twice(make_run, strategy, further):
    run = make_run(f"revise.strategy={strategy}", ALL)
    assert further_strategies(run.config) == further
    assert further_strategies(make_run(f"revise.strategy={strategy}").config) == ()
    assert isinstance(run.config, Config)


def test_where_nothing_is_wrong_nothing_is_sampled(make_run):
    team = scripted_team.join(
        summary=lambda fields: scripted_team.draft(fields).replace(scripted_team.FLAW, "").strip()
    )
    run = make_run("revise.samples=2", "train.arms=[arf, rewrite]")
    run_until(run, "revise")
    assert "rewrite" not in team.asked
    assert (run.folder.revision_samples).read_bytes() == b""
    assert {row.verdict for row in rows(run, "revisions_rewrite.jsonl", Revision)} == {Verdict.UNCHANGED}


def test_what_fails_by_a_further_strategy_is_counted_under_its_name_and_costs_the_others_nothing(make_run):
    rewrite = rewording()
    flawed = []

    def fails_once(fields):
        flawed.append(fields["summary"])
        return "no" if fields["summary"] == flawed[0] else rewrite(fields)

    scripted_team.join(rewrite=fails_once)
    run = make_run("train.arms=[arf, rewrite]")
    run_until(run, "revise")
    (failure,) = run.folder.read_failures()
    assert (failure.stage, failure.system) == ("revise", "rewrite")
    assert "no usable answer" in failure.reason
    everything = {draft.conversation_id for draft in run.drafts("train")}
    assert {row.conversation_id for row in rows(run, "revisions.jsonl", Revision)} == everything
    revised = {row.conversation_id for row in rows(run, "revisions_rewrite.jsonl", Revision)}
    assert revised == everything - {failure.conversation_id}
    team = scripted_team.join(rewrite=rewording())
    more_tries = make_run("train.arms=[arf, rewrite]", "analyze.parse_retries=3")
    run_until(more_tries, "revise", retry_failed=True)
    assert dict(team.asked) == {"rewrite": 1}  # what was verified before is not asked about again
    assert not run.folder.read_failures()
    in_order = [row.conversation_id for row in rows(run, "revisions_rewrite.jsonl", Revision)]
    assert in_order == [draft.conversation_id for draft in run.drafts("train")]


def test_samples_of_a_rejected_or_known_text_are_left_out():
    def row(name, after, verdict=Verdict.VERIFIED):
        return Revision(
            conversation_id=name, before="B", after=after, strategy="edits", model="m", verdict=verdict, attempts=1
        )

    known = [row("a", "One."), row("b", "One.", Verdict.REJECTED)]
    made = [row("a", "One. "), row("a", "Two."), row("a", "Two."), row("b", "One."), row("b", "X", Verdict.REJECTED)]
    assert list(distinct_verified(made, known)) == [made[1], made[3]]

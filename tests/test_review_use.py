"""What people's decisions change: training rows, preference pairs, fingerprints, and the report."""

from __future__ import annotations

import io
import json

import pytest
import scripted_team
from conftest import open_project
from reviewed_run import DRAFT, HOSTILE, revision, write_run
from rich.console import Console

from arf_programs import pipeline
from arf_programs.config import load_config
from arf_programs.pipeline import STAGES
from arf_programs.report.data import ReportData, RevisionCase, RunSummary
from arf_programs.report.page.render import render_report
from arf_programs.review import gather_review, read_reviews
from arf_programs.review.decisions import WHOLE, open_reviews
from arf_programs.review.outcomes import shown_of
from arf_programs.runs import Progress, Run, RunFolder, SplitConversation, read_jsonl, write_text_atomic
from arf_programs.stages import revise, train
from arf_programs.stages.stage import state_of
from signatures.records import PreferencePair, Revision, TrainingExample
from training.build import build

FIXED = DRAFT.replace("lamp", "kettle").replace("Friday", "Thursday")
HALF = DRAFT.replace("lamp", "kettle")
MINE = FIXED.replace("Thursday", "Wednesday")


def decide(folder: RunFolder, number: int, *choices: str, text: str = "") -> None:
    row = revision(number)
    with open_reviews(folder, "anna") as file:
        for edit, choice in enumerate(choices):
            about = {"job": "revision", "conversation_id": row.conversation_id, "shown": shown_of(row)}
            rewrite = text if choice == "rewrite" else ""
            file.append(file.new_line({**about, "edit": edit, "choice": choice, "rewrite": rewrite}))


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A run whose revision 1 was rejected in part, 2 rewritten, and 4 accepted."""
    folder = write_run(tmp_path / "run")
    decide(folder, 1, "accept", "reject")
    decide(folder, 2, "accept", "rewrite", text="Wednesday")
    decide(folder, 4, "accept", "accept")
    return folder


def completions(folder: RunFolder, *settings: str) -> dict[str, TrainingExample]:
    text = folder.config.read_text() + "".join(line + "\n" for line in settings)
    write_text_atomic(folder.config, text)
    build(folder, io.StringIO())
    return {row.conversation_id: row for row in read_jsonl(folder.train / "arf.jsonl", TrainingExample)}


def test_accepted_and_rewritten_texts_are_trained_on(folder):
    rows = completions(folder)
    assert len(rows) == 12
    assert rows["kettle-02"].completion == MINE  # the verifier had rejected it
    assert rows["kettle-02"].provenance["human"] == "rewritten"
    assert rows["kettle-04"].provenance["human"] == "accepted"
    assert rows["kettle-01"].completion == HALF
    assert "human" not in rows["kettle-07"].provenance
    edited = [rows["kettle-02"].completion[start:end] for start, end in rows["kettle-02"].edited]
    assert edited == ["kettle", "Wednesday."]


def test_only_trains_on_what_people_left_standing(folder):
    assert set(completions(folder, "revise: {human: only}")) == {"kettle-02", "kettle-04"}


def test_ignore_trains_on_what_the_verifier_says(folder):
    rows = completions(folder, "revise: {human: ignore, on_reject: drop}")
    assert rows["kettle-01"].completion == FIXED
    assert "kettle-02" not in rows


def test_a_rejected_revision_gives_nothing_with_drop(folder):
    assert "kettle-01" not in completions(folder, "revise: {on_reject: drop}")


def test_rejected_and_rewritten_texts_become_pairs(folder):
    completions(folder)
    pairs = [
        (row.conversation_id, row.chosen[0].content, row.rejected[0].content)
        for row in read_jsonl(folder.train / "preference.jsonl", PreferencePair)
    ]
    assert ("kettle-01", HALF, FIXED) in pairs
    assert ("kettle-02", MINE, FIXED) in pairs
    assert ("kettle-02", MINE, DRAFT) in pairs
    assert ("kettle-04", FIXED, DRAFT) in pairs
    assert ("kettle-01", FIXED, DRAFT) not in pairs


def run_of(folder: RunFolder, *overrides: str) -> Run:
    config = load_config(folder.config, list(overrides))
    return Run(config, folder.path, folder, Progress(Console(stderr=True), quiet=True))


def test_training_is_stale_after_a_decision_and_after_nothing_else(tmp_path):
    folder = write_run(tmp_path / "run")
    before = train.fingerprint(run_of(folder))
    assert "reviews" not in before
    with open_reviews(folder, "anna") as file:
        about = {"job": "label", "conversation_id": "kettle-01", "system": "teacher", "shown": "x"}
        file.append(file.new_line({**about, "label": {"done": True}}))
    assert train.fingerprint(run_of(folder)) == before
    decide(folder, 1, "accept")
    assert train.fingerprint(run_of(folder)) == before  # the second edit is still open
    decide(folder, 1, "accept", "accept")
    after = train.fingerprint(run_of(folder))
    assert set(after) - set(before) == {"reviews"}
    decide(folder, 1, "accept", "reject")
    assert train.fingerprint(run_of(folder))["reviews"] != after["reviews"]
    assert train.fingerprint(run_of(folder, "revise.human=ignore")) == before
    assert revise.fingerprint(run_of(folder)) == revise.fingerprint(run_of(folder, "revise.human=only"))


def test_the_report_says_how_often_people_agree_with_the_verifier(folder):
    figures = gather_review(folder, read_reviews(folder), seed=17)
    rows = {item.conversation.id: item.conversation for item in read_jsonl(folder.conversations, SplitConversation)}
    data = ReportData(
        name="kettles",
        summary=RunSummary(review=figures),
        revisions=(RevisionCase(conversation=rows["kettle-01"], revision=revision(1)),),
        review_command="arf review runs/kettles",
    )
    page = render_report(data)
    assert "Precision of “verified”" in page and "1 person has decided about 3 revisions" in page
    assert "50%<small>9% to 91%</small>" in page  # Wilson's interval of 1 of 2
    assert "arf review runs/kettles --row=kettle-01" in page
    assert HOSTILE not in page
    assert "What people say" not in render_report(data.model_copy(update={"summary": RunSummary()}))


def test_a_run_is_trained_on_accepted_and_rewritten_revisions(project):
    run = open_project(project)
    good = [row for row in read_jsonl(run.folder.revisions, Revision) if row.verdict == "verified"][:3]
    wanted = ("accept", "reject", "rewrite")
    with open_reviews(run.folder, "anna") as file:
        for row, choice in zip(good, wanted, strict=True):
            about = {"job": "revision", "conversation_id": row.conversation_id, "shown": shown_of(row)}
            rewrite = "A person wrote this summary." if choice == "rewrite" else ""
            file.append(file.new_line({**about, "edit": WHOLE, "choice": choice, "rewrite": rewrite}))
    assert {stage.name: state_of(stage, run).why for stage in STAGES if state_of(stage, run).state == "stale"} == {
        "train": "changed since: reviews",
        "report": "changed since: reviews",
    }
    raw = (run.folder.student / "teacher" / "training_log.json").read_bytes()
    scripted_team.join_troubled()
    pipeline.run_until(run, "report")
    rows = {row.conversation_id: row for row in read_jsonl(run.folder.train / "arf.jsonl", TrainingExample)}
    assert rows[good[0].conversation_id].provenance["human"] == "accepted"
    assert rows[good[2].conversation_id].completion == "A person wrote this summary."
    assert good[1].conversation_id not in rows
    assert (run.folder.student / "teacher" / "training_log.json").read_bytes() == raw  # nobody trained it again
    review = json.loads(run.folder.summary.read_text(encoding="utf-8"))["review"]
    assert review["outcomes"] == {"accepted": 1, "rejected": 1, "rewritten": 1}
    assert "What people say" in run.folder.report.read_text(encoding="utf-8")

"""The calibration that a run makes for itself, on errors that it plants."""

import json
import re

import pytest
import scripted_team

from arf_programs.metrics.detectors.self_calibration import ScoredSentence, fit_self_calibration, is_hopeless
from arf_programs.metrics.detectors.separation import area_under_curve
from arf_programs.pipeline import run_until, status
from arf_programs.planting.choose import RightSummary
from arf_programs.planting.pairs import plant_sentences
from arf_programs.runs import write_record
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.progress import Progress
from arf_programs.stages.analyze import build_analyzer
from signatures.exceptions import ConfigError
from signatures.records import Conversation, DraftErrors, Turn

SENTENCEWISE = ("analyze.strategy=sentencewise", "analyze.calibration_questions=60")


RIGHT = (
    r"The customer's (\w+) came broken and the agent sent a new \1\.",
    r"The customer wrote that the (\w+) from order \d+ came broken\.",
    r"The agent put a new (\w+) in line\.",
)


def planted(fields):
    """Whether a sentence is none of those that references and drafts of `write_corpus` have about its conversation."""
    order = re.search(r"from order (\d+)", fields["sentence"])
    if order and f"from order {order[1]} came" not in fields["conversation"]:
        return True
    return not any(
        (found := re.fullmatch(words, fields["sentence"])) and f"My {found[1]} from" in fields["conversation"]
        for words in RIGHT
    )


def sees(fields):
    return scripted_team.yes(0.4 if planted(fields) else 0.9)


def blind(fields):
    return scripted_team.yes(0.6 + len(fields["conversation"]) % 7 / 100)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(Progress, "say", lambda self, text: lines.append(text))
    return lines


def calibration_of(run):
    return json.loads(run.folder.calibration.read_text(encoding="utf-8"))


def test_a_model_that_sees_errors_gets_a_threshold_and_the_report_says_what_to_expect(make_run, said):
    scripted_team.join(support=sees)
    run = make_run(*SENTENCEWISE)
    run_until(run, "analyze")
    made = calibration_of(run)
    assert made["outcome"] == "fitted" and made["auc"]["value"] == 1.0
    assert made["asked"] == made["wanted"] > 30
    assert made["false_alarm_rate"]["value"] <= 0.05 and made["recall"]["value"] == 1.0
    assert set(made["recall_by_kind"]) >= {"unsupported", "speaker"}
    assert any("expected to find 100%" in line and "speaker 100%" in line for line in said)
    support = build_analyzer(run).analysis.support
    assert support.calibration.threshold == made["calibration"]["threshold"]
    assert status(run)["analyze"].state == "whole"


def test_a_model_that_cannot_tell_is_not_asked_and_costs_few_questions(make_run, said):
    team = scripted_team.join(support=blind)
    run = make_run("analyze.strategy=sentencewise")
    run_until(run, "analyze")
    made = calibration_of(run)
    assert (made["outcome"], made["calibration"]) == ("cannot_tell", None)
    assert team.asked["support"] == made["asked"] < 100
    assert team.asked["describe"] == team.asked["omissions"] == 0
    assert any("cannot tell wrong sentences from right ones" in line and "larger model" in line for line in said)
    assert build_analyzer(run).analysis is None
    assert len(list(read_jsonl(run.folder.errors, DraftErrors))) == 9


def test_a_model_without_probabilities_is_asked_one_conversation_and_then_by_the_word(make_run, said):
    team = scripted_team.join()
    run = make_run(*SENTENCEWISE)
    run_until(run, "analyze")
    assert calibration_of(run)["outcome"] == "no_scores"
    assert any("gives no probabilities" in line and "models.analyst.logprobs" in line for line in said)
    flagged = [row for row in read_jsonl(run.folder.errors, DraftErrors) if row.errors]
    assert flagged and team.asked["describe"]


def test_a_sentence_without_a_usable_answer_takes_nothing_from_the_others(make_run):
    scripted_team.join(support=lambda fields: "Hm." if "did not send" in fields["sentence"] else sees(fields))
    run = make_run(*SENTENCEWISE)
    run_until(run, "analyze")
    made = calibration_of(run)
    assert made["outcome"] == "fitted" and 0 < made["asked"] < made["wanted"]


def test_a_second_command_asks_nothing_again_and_another_model_is_calibrated_anew(make_run):
    team = scripted_team.join(support=sees)
    run_until(make_run(*SENTENCEWISE), "analyze")
    first = calibration_of(make_run(*SENTENCEWISE))
    asked = team.asked["support"]
    run_until(make_run(*SENTENCEWISE), "analyze")
    assert team.asked["support"] == asked
    other = scripted_team.join("other", support=blind)
    run = make_run(*SENTENCEWISE, "models.analyst=scripted/other")
    run_until(run, "analyze")
    assert calibration_of(run)["outcome"] == "cannot_tell" != first["outcome"]
    assert other.asked["support"] == calibration_of(run)["asked"]


def test_an_interrupted_calibration_goes_on_with_the_stored_answers(make_run):
    seen = []

    def fails_late(fields):
        seen.append(fields["sentence"])
        if len(seen) > 20:
            raise KeyboardInterrupt
        return sees(fields)

    scripted_team.join(support=fails_late)
    run = make_run(*SENTENCEWISE, "models.analyst={model: scripted/model, concurrency: 1}")
    with pytest.raises(BaseException):  # noqa: B017 - whatever the event loop makes of an interruption
        run_until(run, "analyze")
    assert not run.folder.calibration.exists()
    team = scripted_team.join(support=sees)
    run_until(run, "draft")
    from arf_programs.stages.analyze import calibrate

    calibrate(run)
    made = calibration_of(run)
    assert made["outcome"] == "fitted"
    assert 0 < team.asked["support"] <= made["asked"] - 15


def test_the_figures_do_not_depend_on_order_or_concurrency(make_run, tmp_path):
    def noisy(fields):
        shift = len(fields["sentence"]) % 11 / 40
        return scripted_team.yes((0.45 if planted(fields) else 0.65) + shift)

    scripted_team.join(support=noisy)
    run_until(make_run(*SENTENCEWISE, "models.analyst={model: scripted/model, concurrency: 1}"), "analyze")
    one = calibration_of(make_run(*SENTENCEWISE))
    corpus = tmp_path / "conversations.jsonl"
    corpus.write_text("\n".join(reversed(corpus.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    run = make_run(*SENTENCEWISE, f"run_dir={tmp_path / 'second'}")
    run_until(run, "analyze")
    other = calibration_of(run)
    assert one["auc"]["value"] < 1
    assert {**one, "fingerprint": ""} == {**other, "fingerprint": ""}


def test_without_references_the_teachers_least_suspect_sentences_are_taken(make_run, tmp_path):
    scripted_team.join(support=sees)
    corpus = tmp_path / "conversations.jsonl"
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    corpus.write_text("".join(json.dumps({**row, "references": []}) + "\n" for row in rows), encoding="utf-8")
    run = make_run(*SENTENCEWISE)
    run_until(run, "analyze")
    assert calibration_of(run)["source"] == "drafts"


def test_a_calibration_for_another_model_or_wording_is_refused(make_run, tmp_path):
    from arf_programs.metrics import fit_calibration

    scripted_team.join()
    made = fit_calibration([0.1, 0.9], [False, True], model="scripted/model", prompt="another")
    write_record(tmp_path / "mine.json", made)
    run = make_run("analyze.strategy=sentencewise", "analyze.calibration=mine.json")
    with pytest.raises(ConfigError, match="another wording"):
        run_until(run, "analyze")


def test_the_file_of_one_run_serves_another(make_run, tmp_path):
    scripted_team.join(support=sees)
    run = make_run(*SENTENCEWISE)
    run_until(run, "analyze")
    threshold = calibration_of(run)["calibration"]["threshold"]
    given = f"analyze.calibration={run.folder.calibration}"
    other = make_run("analyze.strategy=sentencewise", given, f"run_dir={tmp_path / 'second'}")
    run_until(other, "taxonomy")
    assert build_analyzer(other).analysis.support.calibration.threshold == threshold
    assert not other.folder.calibration.exists()


def rows(right, wrong):
    """Scores of right and wrong sentences, two conversations for each pair."""
    both = zip(right, wrong, strict=True)
    return [
        ScoredSentence(f"c{n}", score, kind)
        for n, pair in enumerate(both)
        for score, kind in zip(pair, ("", "action"), strict=True)
    ]


def test_at_most_the_wished_share_of_right_sentences_is_flagged():
    right = [n / 200 for n in range(100)]
    made = fit_self_calibration(
        rows(right, [n / 100 for n in range(100)]), false_alarms=0.1, model="m", prompt="p", seed=1
    )
    assert made.false_alarm_rate.value == pytest.approx(0.1)
    assert made.recall.value == pytest.approx(0.55, abs=0.01)  # the tenth highest right score is 0.445
    assert made.recall_by_kind["action"] == made.recall


def test_few_sentences_are_too_few():
    made = fit_self_calibration(rows([0.1] * 5, [0.9] * 5), false_alarms=0.05, model="m", prompt="p", seed=1)
    assert (made.outcome, made.calibration) == ("too_few", None)


def test_a_model_at_chance_is_given_up_early_and_one_that_sees_is_not():
    mixed = [(n * 37 % 100) / 100 for n in range(40)]
    assert is_hopeless(rows(mixed, mixed[::-1]), 240, seed=1)
    assert not is_hopeless(rows(mixed, [score + 0.4 for score in mixed]), 240, seed=1)
    assert not is_hopeless(rows(mixed[:10], mixed[:10]), 240, seed=1)


def test_the_area_under_the_curve_draws_whole_conversations():
    labels = [True, False] * 20
    scores = [0.9, 0.1] * 10 + [0.1, 0.9] * 10
    apart = area_under_curve(scores, labels, [str(n // 2) for n in range(40)])
    together = area_under_curve(scores, labels, ["a"] * 20 + ["b"] * 20)
    assert apart.value == together.value == 0.5
    assert together.low < apart.low < 0.5 < apart.high < together.high
    assert area_under_curve([0.1], [True], ["a"]) is None
    assert area_under_curve([0.5, 0.5], [True, False], ["a", "a"]).value == 0.5


TALK = Conversation(
    id="a",
    turns=(
        Turn(speaker="Customer", text="I paid $40 on 3 March and $9 on 5 March."),
        Turn(speaker="Agent", text="I refund it within 5 days."),
    ),
)
TEXT = "The customer paid $40 on 3 March. The agent refunded it within 5 days."


def test_each_sentence_is_asked_about_as_it_is_and_with_one_planted_error():
    (talk,) = plant_sentences([RightSummary(TALK, TEXT, "references")], seed=17, most=4)
    right = [item.sentence for item in talk.sentences if item.kind is None]
    wrong = [item for item in talk.sentences if item.kind is not None]
    assert right == ["The customer paid $40 on 3 March.", "The agent refunded it within 5 days."]
    assert len(wrong) == 2 and all(item.sentence not in TEXT for item in wrong)


def test_more_errors_are_planted_where_sentences_are_few_but_no_value_from_outside():
    talks = plant_sentences([RightSummary(TALK, TEXT, "references")], seed=17, most=100)
    items = [item for talk in talks for item in talk.sentences]
    assert len({item.sentence for item in items}) == len(items) > 4
    assert {item.sentence for item in items if item.kind == "amount"} <= {"The customer paid $9 on 3 March."}


def test_an_estimate_counts_the_questions(make_run):
    from arf_programs.tools.estimating import estimate_run

    scripted_team.join(support=sees)
    run = make_run(*SENTENCEWISE)
    without = make_run("analyze.strategy=sentencewise", "analyze.calibration=null")
    (line,) = [line for line in estimate_run(run).lines if line.stage == "analyze"]
    (less,) = [line for line in estimate_run(without).lines if line.stage == "analyze"]
    assert 18 <= line.calls.mid - less.calls.mid <= 60


@pytest.mark.parametrize(
    "setting", ["analyze.false_alarms=0.1", "analyze.calibration_questions=50", "analyze.subtract_prior=true"]
)
def test_a_changed_setting_of_the_calibration_makes_the_analysis_stale(make_run, setting):
    scripted_team.join(support=sees)
    run_until(make_run(*SENTENCEWISE), "analyze")
    assert status(make_run(*SENTENCEWISE))["analyze"].state == "whole"
    assert status(make_run(*SENTENCEWISE, setting))["analyze"].state == "stale"

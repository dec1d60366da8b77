"""Several scores of a sentence, stacked by a logistic regression that is fitted on planted and labelled errors."""

import json
from random import Random

import numpy as np
import pytest
import scripted_team
from test_self_calibration import SENTENCEWISE, blind, calibration_of, said, sees  # noqa: F401 - said is a fixture

from arf_programs.metrics import ScoredSentence, StackedCalibration, fit_self_calibration, read_calibration
from arf_programs.metrics.detectors.self_calibration import fit_stack
from arf_programs.pipeline import run_until
from arf_programs.programs import SIGNS, SentenceSupport, read_signs
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.stages.analyze import build_analyzer
from signatures.records import Conversation, DraftErrors, Turn

STACK = (*SENTENCEWISE, "analyze.stack=true")


def sentences(count=200, *, score=True, seed=1):
    """Sentences whose score and whose two signs each say a little about an error."""
    rng = Random(seed)
    made = []
    for number in range(count):
        wrong = number % 2
        signs = {"words": rng.gauss(wrong, 1.0), "values": rng.gauss(wrong, 1.0)}
        raw = min(0.99, max(0.01, rng.gauss(0.4 + 0.2 * wrong, 0.2))) if score else None
        made.append(ScoredSentence(f"c{number // 4}", raw, "number" if wrong else "", signs))
    return made


def fitted(items, **more):
    return fit_self_calibration(items, false_alarms=0.05, model="m", prompt="p", seed=1, **more)


def test_together_they_tell_more_than_each_by_itself():
    made = fitted(sentences())
    assert made.outcome == "fitted"
    assert set(made.parts) == {"score", "words", "values"}
    assert made.auc.value > max(area.value for area in made.parts.values())
    assert made.calibration.uses_score
    assert made.false_alarm_rate.value <= 0.05
    assert 0 < made.recall_by_kind["number"].value < 1


def test_the_weights_give_the_probability_of_the_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    items = sentences(score=False)
    stack, _ = fit_stack(items, model="m", prompt="p", false_alarms=0.05, score=False)
    rows = np.array([[item.signs["words"], item.signs["values"]] for item in items])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, [item.wrong for item in items])
    for item, expected in zip(items, model.predict_proba(rows)[:, 1], strict=True):
        assert stack.weigh(None, item.signs) == pytest.approx(expected)


def test_a_score_that_cannot_tell_is_left_out():
    rng = Random(3)
    items = [item._replace(score=rng.random()) for item in sentences()]
    made = fitted(items)
    assert made.outcome == "fitted"
    assert not made.calibration.uses_score
    assert made.calibration.weigh(0.99, items[0].signs) == made.calibration.weigh(0.01, items[0].signs)


def test_a_stack_that_cannot_tell_is_not_used():
    rng = Random(3)
    items = [item._replace(score=None, signs={"words": rng.random()}) for item in sentences()]
    made = fitted(items)
    assert made.outcome == "cannot_tell"
    assert made.calibration is None


def test_what_it_finds_is_measured_on_other_conversations():
    """With many signs that say nothing, a regression looks good on what it was fitted on, and only there."""
    rng = Random(5)
    items = [
        item._replace(score=None, signs={f"s{n}": rng.random() for n in range(30)}) for item in sentences(count=80)
    ]
    stack, elsewhere = fit_stack(items, model="m", prompt="p", false_alarms=0.05, score=False)
    known = [stack.weigh(None, item.signs) for item in items]

    def difference(values):
        wrong = [value for value, item in zip(values, items, strict=True) if item.wrong]
        right = [value for value, item in zip(values, items, strict=True) if not item.wrong]
        return sum(wrong) / len(wrong) - sum(right) / len(right)

    assert difference(known) > difference(elsewhere) + 0.1


TALK = Conversation(
    id="c",
    turns=(
        Turn(speaker="Customer", text="The kettle from order 5512 leaks. I paid 40 dollars on 3 May."),
        Turn(speaker="Agent", text="Sorry. We cannot refund it, but a new kettle arrives on 9 May."),
        Turn(speaker="Customer", text="Fine, and the toaster for 25 dollars works."),
        Turn(speaker="Agent", text="Great. Is there anything else?"),
        Turn(speaker="Customer", text="My neighbour is happy with a lamp."),
    ),
)


@pytest.mark.parametrize(
    ("sign", "right", "wrong"),
    [
        ("checks", "The kettle cost 40 dollars.", "The kettle cost 77 dollars."),
        ("scattered", "A new kettle arrives on 9 May.", "The neighbour leaks with a happy kettle."),
        ("unsupported", "A new kettle arrives.", "The toaster leaks, arrives and works."),
        ("negation", "The agent cannot refund it.", "The agent will refund it."),
        ("apart", "The toaster cost 25 dollars.", "The refund of 25 dollars arrives."),
    ],
)
def test_a_sign_is_stronger_in_a_wrong_sentence(sign, right, wrong):
    assert read_signs(TALK, wrong)[sign] > read_signs(TALK, right)[sign]


def test_every_sentence_has_every_sign():
    for sentence in ("", "?", "The kettle leaks.", "5512"):
        assert tuple(read_signs(TALK, sentence)) == SIGNS


def test_a_blind_analyst_is_not_asked_and_the_signs_flag_sentences(make_run, said):  # noqa: F811
    team = scripted_team.join(support=blind)
    run = make_run(*STACK)
    run_until(run, "analyze")
    made = calibration_of(run)
    assert made["outcome"] == "fitted"
    assert made["calibration"]["a"] == 0
    assert team.asked["support"] < made["asked"], "it is given up early, and not asked about drafts"
    assert team.asked["describe"] == team.asked["omissions"] == 0
    assert any("so it is not asked" in line for line in said)
    analyzer = build_analyzer(run)
    assert isinstance(analyzer.analysis.support.calibration, StackedCalibration)
    assert any(note.score for row in read_jsonl(run.folder.errors, DraftErrors) for note in row.errors)


def test_an_analyst_that_sees_is_stacked_with_the_signs(make_run, said):  # noqa: F811
    team = scripted_team.join(support=sees)
    run = make_run(*STACK)
    run_until(run, "analyze")
    made = calibration_of(run)
    assert made["calibration"]["a"] > 0
    assert set(made["parts"]) == {"score", *SIGNS}
    assert team.asked["support"] > made["asked"], "drafts are asked about, too"
    assert team.asked["omissions"]


def test_the_coefficients_are_plain_json_and_are_read_again(make_run):
    scripted_team.join(support=sees)
    run = make_run(*STACK)
    run_until(run, "analyze")
    written = calibration_of(run)["calibration"]
    assert all(isinstance(weight, float) for weight in written["weights"].values())
    assert read_calibration(run.folder.calibration) == StackedCalibration.model_validate(written)
    support = SentenceSupport(calibration=read_calibration(run.folder.calibration))
    assert support.threshold == written["threshold"]


def test_labelled_sentences_count_unless_the_analyst_is_shown_them(make_run, tmp_path):
    scripted_team.join(support=sees)
    note = {"category": "wrong_fact", "quote": "caught fire", "source": "human", "id": "e1"}
    rows = [
        {
            "conversation": f"Customer: lamp {n} broke\nAgent: sorry",
            "summary": f"Lamp {n} caught fire.",
            "errors": [note],
        }
        for n in range(3)
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run = make_run(*STACK, "labeled.path=labels.jsonl")
    run_until(run, "analyze")
    assert "labelled" in calibration_of(run)["recall_by_kind"]


def test_without_the_key_nothing_is_stacked(make_run):
    scripted_team.join(support=sees)
    run = make_run(*SENTENCEWISE)
    run_until(run, "analyze")
    made = calibration_of(run)
    assert made["parts"] == {}
    assert "weights" not in made["calibration"]

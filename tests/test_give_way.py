"""The check of names gives way to a calibrated model that is sure; other checks, and other models, do not."""

import pytest
import scripted_team

from arf_programs.checks import run_checks
from arf_programs.metrics import fit_calibration
from arf_programs.programs.analysis.reported_errors import SURE, give_way
from signatures.records import Conversation, SentenceScore, Turn

TALK = Conversation(
    id="c", turns=(Turn(speaker="Customer", text="my lamp broke"), Turn(speaker="Agent", text="ok, $5"))
)
SUMMARY = "The agent Marek helped. The agent of Lumora paid $7."


def left(*scores):
    sentences = ["The agent Marek helped.", "The agent of Lumora paid $7."]
    given = [
        SentenceScore(sentence=text, flagged=False, score=score) for text, score in zip(sentences, scores, strict=True)
    ]
    return [note.quote for note in give_way(run_checks(TALK, SUMMARY), SUMMARY, given)]


@pytest.mark.parametrize(
    ("scores", "quotes"),
    [
        ((0.5, 0.5), ["Marek", "Lumora", "$7"]),
        ((SURE, 0.5), ["Lumora", "$7"]),
        ((0.5, 0.01), ["Marek", "$7"]),
        ((None, None), ["Marek", "Lumora", "$7"]),
    ],
)
def test_a_name_goes_where_the_model_is_sure_and_a_number_stays(scores, quotes):
    assert left(*scores) == quotes


@pytest.mark.parametrize(
    ("sure", "calibrated", "quotes"),
    [(0.99, True, []), (0.6, True, ["Marek"]), (0.99, False, ["Marek"])],
)
def test_only_a_calibrated_model_that_is_sure_overrules_the_check(call, lm, sure, calibrated, quotes):
    made = fit_calibration([0.01, 0.02, 0.9, 0.95] * 20, [False, False, True, True] * 20, model="m", prompt="p")
    scripted_team.join(support=lambda _: scripted_team.yes(sure), omissions=lambda _: {"omissions": []})
    program = scripted_team.analyzer_of(
        lm, strategy="sentencewise", checks=True, logprobs=True, calibration=made if calibrated else None
    )
    answer = call(program, conversation=TALK, summary="The agent Marek helped.")
    assert [note.quote for note in answer.errors if note.source == "check"] == quotes

import pytest

from arf_programs.models import scripted
from arf_programs.programs.judge import JudgeSummary
from signatures.exceptions import ModelError
from signatures.records import Rating


def judge(lm, retries: int = 1) -> JudgeSummary:
    program = JudgeSummary(retries=retries)
    program.set_lm(lm)
    return program


@pytest.mark.parametrize("given", [2, "2"])
def test_a_rating_has_its_reasons(call, lm, conversation, given):
    scripted.register("model", [{"reasons": "The refund is\n wrong.", "rating": given}])
    answer = call(judge(lm), conversation=conversation, summary="The agent refunded 39.90.")
    assert answer.rating == Rating(rating=2, reasons="The refund is wrong.")
    (asked,) = scripted.calls("model")
    assert "[4] Agent: Done. It arrives by Thursday." in asked.prompt


@pytest.mark.parametrize("given", [0, 6, 3.5, "good", None])
def test_a_rating_outside_the_scale_is_asked_for_again(call, lm, conversation, given):
    scripted.register("model", [{"reasons": "r", "rating": given}, {"reasons": "r", "rating": 4}])
    assert call(judge(lm), conversation=conversation, summary="s").rating.rating == 4


def test_a_judge_without_a_rating_fails(call, lm, conversation):
    scripted.register("model", [{"reasons": "r", "rating": 9}, {"reasons": "r"}])
    with pytest.raises(ModelError, match="2 tries"):
        call(judge(lm), conversation=conversation, summary="s")

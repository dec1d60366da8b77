from arf_programs.models import scripted
from arf_programs.programs.analysis.taxonomy import TakeNotes


def test_notes_are_asked_with_numbered_turns_and_come_back_tidy(call, lm, conversation):
    scripted.register("model", [{"notes": ["The refund\nis invented.", " ", "The refund is invented.", "No outcome."]}])
    program = TakeNotes(retries=0)
    program.set_lm(lm)
    answer = call(program, conversation=conversation, summary="The agent refunded 39.90.")
    assert answer.notes == ["The refund is invented.", "No outcome."]
    (asked,) = scripted.calls("model")
    assert "[3] Customer: A replacement, please." in asked.prompt
    assert "The agent refunded 39.90." in asked.prompt


def test_nothing_wrong_is_no_notes(call, lm, conversation):
    scripted.register("model", [{"notes": []}])
    program = TakeNotes(retries=0)
    program.set_lm(lm)
    assert call(program, conversation=conversation, summary="Fine.").notes == []

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError

from arf_programs.models import scripted
from arf_programs.programs.summarize import PlainAdapter, Summarize
from arf_programs.text.student_prompt import build_messages, build_user_text
from signatures.summarize import Summarize as SummarizeSignature

INSTRUCTION = """
    Summarize this conversation.
      Be brief.
"""


def test_a_teacher_is_asked_with_the_very_prompt_that_a_student_is_trained_on(call, lm, conversation):
    scripted.register("model", ["A summary."])
    program = Summarize(INSTRUCTION, retries=0)
    program.set_lm(lm)
    call(program, conversation=conversation)
    (asked,) = scripted.calls("model")
    assert asked.messages == [message.model_dump() for message in build_messages(INSTRUCTION, conversation)]
    assert asked.messages[0] == {"role": "system", "content": "Summarize this conversation.\n  Be brief."}
    assert "response_format" not in asked.params


def test_demonstrations_are_earlier_turns():
    demos = [{"conversation": "A: hi", "summary": "A greeting."}]
    messages = PlainAdapter().format(SummarizeSignature, demos, {"conversation": "B: ho"})
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == build_user_text("A: hi")
    assert messages[2]["content"] == "A greeting."
    assert messages[3]["content"] == build_user_text("B: ho")


def test_the_whole_answer_is_the_summary():
    text = '{"not": "parsed"} [[ ## summary ## ]] as it is'
    assert PlainAdapter().parse(SummarizeSignature, f"\n {text} \n") == {"summary": text}


@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_a_blank_answer_is_malformed(blank):
    with pytest.raises(AdapterParseError, match="blank"):
        PlainAdapter().parse(SummarizeSignature, blank)


def test_other_calls_keep_their_adapter(call, lm, conversation):
    """The adapter of a summary is set for that call alone."""
    seen: list[bool] = []

    class Both(dspy.Module):
        async def aforward(self, conversation):
            before = dspy.settings.adapter
            await program.acall(conversation=conversation)
            seen.append(dspy.settings.adapter is before)

    scripted.register("model", ["A summary."])
    program = Summarize(INSTRUCTION, retries=0)
    program.set_lm(lm)
    call(Both(), conversation=conversation)
    assert seen == [True]

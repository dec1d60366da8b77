import asyncio
import math

import dspy
import pytest
import scripted_team
from conftest import stored_calls

from arf_programs.metrics.detectors.calibration import Calibration
from arf_programs.models import scripted
from arf_programs.models.providers.scripted import ScriptedAnswer
from arf_programs.programs.analysis.support import SentenceSupport, support_of
from signatures.exceptions import ModelError
from signatures.records import SentenceScore

SENTENCE = "The agent sent a replacement."


def support(lm, **settings) -> SentenceSupport:
    program = SentenceSupport(**{"retries": 0, **settings})
    program.set_lm(lm)
    return program


def ask(call, program, conversation):
    return call(program, conversation=conversation, sentence=SENTENCE)


def calibration(**values) -> Calibration:
    given = {"model": "m", "prompt": "p", "n": 4, "positives": 2, "auc": 0.7, "a": 1.0, "b": 0.0, "threshold": 0.2}
    return Calibration(**{**given, "balanced_accuracy": 0.7, **values})


def test_it_is_asked_in_plain_words_with_the_conversation_first(call, lm, conversation):
    scripted.register("model", ["yes"])
    ask(call, support(lm, logprobs=True), conversation)
    (asked,) = scripted.calls("model")
    system, user = asked.messages
    assert "[[ ##" not in system["content"] + user["content"]
    assert user["content"].startswith(f"Conversation:\n{conversation.as_numbered_text()}\n")
    assert user["content"].index(SENTENCE) > len(conversation.as_numbered_text())
    assert user["content"].endswith("one word, yes or no.")
    assert "response_format" not in asked.params
    assert (asked.params["logprobs"], asked.params["top_logprobs"], asked.params["max_tokens"]) == (True, 20, 3)


def test_a_model_without_log_probabilities_is_asked_for_its_word_with_room_to_think(call, lm, conversation):
    scripted.register("model", ["No."])
    answer = ask(call, support(lm), conversation)
    assert answer.score == SentenceScore(sentence=SENTENCE, flagged=True)
    assert answer.raw is None
    (asked,) = scripted.calls("model")
    assert "logprobs" not in asked.params
    assert asked.params["max_tokens"] == 1024


def test_demonstrations_are_earlier_turns_and_incomplete_ones_are_not_shown(call, lm, conversation):
    scripted.register("model", ["yes"])
    program = support(lm)
    whole = dspy.Example(conversation="[1] A: hi", sentence="A greets.", supported="yes", summary="x")
    program.ask_support.demos = [whole, dspy.Example(conversation="[1] B: no demo", summary="y")]
    ask(call, program, conversation)
    (asked,) = scripted.calls("model")
    assert [message["role"] for message in asked.messages] == ["system", "user", "assistant", "user"]
    assert "A greets." in asked.messages[1]["content"]
    assert asked.messages[2]["content"] == "yes"
    assert "no demo" not in asked.prompt


@pytest.mark.parametrize(("prior", "score"), [(0.8, 0.5), (0.5, 0.2), (0.95, 0.826)])
def test_what_the_model_says_without_the_conversation_is_taken_off(call, lm, conversation, prior, score):
    scripted.register("model", [scripted_team.yes(0.8), scripted_team.yes(prior)])
    program = support(lm, logprobs=True, subtract_prior=True)
    answer = ask(call, program, conversation)
    assert answer.raw == pytest.approx(score, abs=0.001)
    _, alone = scripted.calls("model")
    assert SENTENCE in alone.prompt and conversation.turns[0].text not in alone.prompt
    assert program.prompt_digest() != support(lm, logprobs=True).prompt_digest()


def test_a_model_without_an_opinion_of_the_sentence_alone_keeps_its_score(call, lm, conversation):
    scripted.register("model", [scripted_team.yes(0.8), "The sentence is short."])
    answer = ask(call, support(lm, logprobs=True, subtract_prior=True, retries=2), conversation)
    assert answer.raw == pytest.approx(0.2)
    assert len(scripted.calls("model")) == 2


def test_without_probabilities_no_second_question_is_asked(call, lm, conversation):
    scripted.register("model", ["no"])
    assert ask(call, support(lm, logprobs=True, subtract_prior=True), conversation).score.flagged


def test_the_score_is_the_mass_of_no(call, lm, conversation):
    scripted.register("model", [scripted_team.yes(0.8)])
    answer = ask(call, support(lm, logprobs=True), conversation)
    assert answer.raw == pytest.approx(0.2)
    assert answer.score.score == pytest.approx(0.2)
    assert not answer.score.flagged
    assert support_of(answer.score) == pytest.approx(0.8)


def test_a_stored_answer_gives_the_same_score_again(tmp_path, lm, conversation):
    scripted.register("model", [scripted_team.yes(0.37)])
    program = support(lm, logprobs=True)
    scores = []
    for _ in range(2):
        with stored_calls(tmp_path), dspy.context(disable_history=True):
            scores.append(asyncio.run(program.acall(conversation=conversation, sentence=SENTENCE)).raw)
    assert scores[0] == scores[1] == pytest.approx(0.63)
    assert len(scripted.calls("model")) == 1


def test_another_word_is_read_by_its_log_probabilities(call, lm, conversation):
    answer = scripted_team.yes(0.4).model_copy(update={"answer": "The sentence"})
    scripted.register("model", [answer])
    assert ask(call, support(lm, logprobs=True), conversation).score.flagged


def test_an_answer_that_is_neither_is_asked_for_again_and_then_fails(call, lm, conversation):
    scripted.register("model", ["Maybe.", "no", "Perhaps."])
    assert ask(call, support(lm, retries=1), conversation).score.flagged
    with pytest.raises(ModelError, match="1 tries"):
        ask(call, support(lm.copy(temperature=0.1)), conversation)


def test_samples_give_a_score_without_log_probabilities(call, lm, conversation):
    scripted.register("model", ["no", "yes", "no", "no"])
    answer = ask(call, support(lm, samples=4), conversation)
    assert (answer.score.score, answer.score.flagged) == (0.75, True)
    assert [item.params["temperature"] for item in scripted.calls("model")] == [0.7] * 4


def test_samples_are_asked_for_where_promised_log_probabilities_do_not_come(call, lm, conversation):
    scripted.register("model", ["yes", "no", "yes"])
    assert ask(call, support(lm, samples=2, logprobs=True), conversation).score.score == 0.5
    assert len(scripted.calls("model")) == 3


def test_a_calibration_turns_the_score_and_moves_the_threshold(call, lm, conversation):
    scripted.register("model", [scripted_team.yes(0.7), scripted_team.yes(0.9)])
    program = support(lm, logprobs=True, calibration=calibration())
    first = call(program, conversation=conversation, sentence=SENTENCE)
    assert first.score.flagged  # 0.3 is above 0.2
    assert program.neutral == pytest.approx(0.8)
    assert not call(program, conversation=conversation, sentence="Another.").score.flagged


def test_a_shifted_calibration_moves_the_score(call, lm, conversation):
    scripted.register("model", [scripted_team.yes(0.5)])
    answer = ask(call, support(lm, logprobs=True, calibration=calibration(b=2.0)), conversation)
    assert answer.raw == pytest.approx(0.5)
    assert answer.score.score == pytest.approx(0.8808, abs=1e-4)


def test_the_prompts_hash_follows_instructions_and_demonstrations(lm):
    program = support(lm)
    plain = program.prompt_digest()
    assert support(lm).prompt_digest() == plain
    program.ask_support.demos = [dspy.Example(conversation="c", sentence="s", supported="no")]
    shown = program.prompt_digest()
    program.ask_support.signature = program.ask_support.signature.with_instructions("Other.")
    assert len({plain, shown, program.prompt_digest()}) == 3


def test_a_word_counts_as_certain():
    assert support_of(SentenceScore(sentence="x", flagged=True)) == 0.0
    assert support_of(SentenceScore(sentence="x", flagged=False)) == 1.0


@pytest.mark.parametrize("text", ["No, the", "**No**", "Not supported", "False", '{"supported":"no'])
def test_a_cut_at_our_own_limit_is_not_held_against_the_model(call, lm, conversation, text):
    scripted.register("model", [ScriptedAnswer(error="length", answer=text)])
    answer = ask(call, support(lm, logprobs=True), conversation)
    assert answer.score == SentenceScore(sentence=SENTENCE, flagged=True)
    assert len(scripted.calls("model")) == 1


def test_half_a_percent_of_yes_is_no_support(call, lm, conversation):
    other = {"token": "yes", "logprob": math.log(0.005)}
    tokens = [{"token": "Not", "logprob": math.log(0.99), "top_logprobs": [other]}]
    scripted.register("model", [ScriptedAnswer.model_validate({"answer": "Not supported.", "logprobs": tokens})])
    result = ask(call, support(lm, logprobs=True), conversation)
    assert result.score == SentenceScore(sentence=SENTENCE, flagged=True)
    assert result.raw is None


def test_what_says_neither_is_asked_again_with_more_room(call, lm, conversation):
    cut = ScriptedAnswer(error="length", answer="The sentence is")
    scripted.register("model", [cut, "The sentence is not supported by the conversation."])
    assert ask(call, support(lm, logprobs=True, retries=1), conversation).score.flagged
    first, second = (item.params for item in scripted.calls("model"))
    assert (first["max_tokens"], second["max_tokens"]) == (3, 64)
    assert first["temperature"] == second["temperature"]

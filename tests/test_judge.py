import pytest
from scripted_team import rating

from arf_programs.models import scripted
from arf_programs.programs.judge import ComparePair, Judge, prompt_name, settled
from arf_programs.runs.fingerprint import digest
from signatures.compare_summaries import PAIRWISE_VERSION, CompareSummaries
from signatures.exceptions import ModelError
from signatures.rate_summary import RUBRIC_VERSION, RateSummary
from signatures.records import Summary


def judge(lm, retries: int = 1) -> Judge:
    program = Judge(retries=retries)
    program.set_lm(lm)
    return program


def pair(lm) -> ComparePair:
    program = ComparePair(retries=0)
    program.set_lm(lm)
    return program


def summary(text: str, system: str) -> Summary:
    return Summary(conversation_id="kettle", text=text, system=system, model="m")


@pytest.mark.parametrize("given", [2, "2"])
def test_a_rating_has_its_aspects_and_reasons_and_says_who_gave_it(call, lm, conversation, given):
    scripted.register("model", [{**rating(2, "The refund is\n wrong."), "rating": given, "concise": 5}])
    answer = call(judge(lm), conversation=conversation, summary="The agent refunded 39.90.")
    given = answer.rating
    assert (given.rating, given.faithful, given.complete, given.concise) == (2, 2, 5, 5)
    assert given.reasons == "The refund is wrong."
    assert given.model == "scripted/model"
    (asked,) = scripted.calls("model")
    assert "[4] Agent: Done. It arrives by Thursday." in asked.prompt


@pytest.mark.parametrize("field", ["rating", "faithful", "complete", "concise"])
@pytest.mark.parametrize("given", [0, 6, 3.5, "good", None])
def test_a_rating_outside_the_scale_is_asked_for_again(call, lm, conversation, given, field):
    scripted.register("model", [{**rating(3), field: given}, rating(4)])
    assert call(judge(lm), conversation=conversation, summary="s").rating.rating == 4


def test_a_judge_without_a_rating_fails(call, lm, conversation):
    scripted.register("model", [{**rating(4), "rating": 9}, {"reasons": "r"}])
    with pytest.raises(ModelError, match="2 tries"):
        call(judge(lm), conversation=conversation, summary="s")


# What the judge reads, by its version: a changed text needs a higher version, or old ratings pass for new ones.
VERSIONS = {RateSummary: (2, "b3855203128cb8b8"), CompareSummaries: (1, "d1f40cd95a764afc")}


@pytest.mark.parametrize("signature", VERSIONS)
def test_a_changed_prompt_has_another_version(signature):
    known = {RateSummary: RUBRIC_VERSION, CompareSummaries: PAIRWISE_VERSION}
    assert (known[signature], digest([signature.instructions, list(signature.fields)])) == VERSIONS[signature]


def test_a_prompt_is_named_by_version_and_content(lm, conversation):
    first = prompt_name(2, judge(lm).rate)
    assert first.startswith("2-") and len(first) == 18
    taught = judge(lm)
    taught.rate.signature = taught.rate.signature.with_instructions("Rate a summary, and be kind.")
    shown = judge(lm)
    shown.rate.demos = [{"conversation": "c", "summary": "s", "rating": 5}]
    assert len({first, prompt_name(2, taught.rate), prompt_name(2, shown.rate), prompt_name(3, judge(lm).rate)}) == 4
    assert prompt_name(2, judge(lm).rate) == first


def better_is(text: str):
    """A judge that prefers the summary with these words, wherever it stands."""

    def answer(messages, params):
        user = messages[-1]["content"]
        return {"reasons": "Told.", "better": "first" if text in user.partition("second_summary")[0] else "second"}

    return answer


@pytest.mark.parametrize(("words", "winner"), [("A replacement was", "a"), ("He gave back", "b")])
def test_a_preference_that_holds_in_both_orders_wins(call, lm, conversation, words, winner):
    scripted.register("model", better_is(words))
    a, b = summary("A replacement was sent.", "student_arf"), summary("He gave back 39.90.", "teacher")
    verdict = call(pair(lm), conversation=conversation, a=a, b=b).verdict
    assert (verdict.winner, verdict.a_first, verdict.b_first) == (winner, winner, winner)
    assert (verdict.a, verdict.b, verdict.words_a, verdict.words_b) == ("student_arf", "teacher", 4, 4)
    assert verdict.reasons == ("Told.", "Told.")
    assert verdict.prompt.startswith("1-")
    assert len(scripted.calls("model")) == 2


@pytest.mark.parametrize("place", ["first", "second"])
def test_a_judge_that_goes_by_the_place_makes_ties(call, lm, conversation, place):
    scripted.register("model", lambda messages, params: {"reasons": "r", "better": place})
    verdict = call(pair(lm), conversation=conversation, a=summary("One.", "a"), b=summary("Two.", "b")).verdict
    assert verdict.winner == "tie"
    assert (verdict.a_first, verdict.b_first) == (("a", "b") if place == "first" else ("b", "a"))


def test_a_tie_in_one_order_alone_is_a_tie():
    assert settled("tie", "a") == settled("b", "tie") == settled("a", "b") == "tie"
    assert settled("b", "b") == "b"


def test_the_same_text_is_a_tie_that_costs_nothing(call, lm, conversation):
    verdict = call(pair(lm), conversation=conversation, a=summary("Same  text.", "a"), b=summary("Same text.", "b"))
    assert (verdict.verdict.winner, verdict.verdict.a_first) == ("tie", None)
    assert scripted.calls("model") == []


def test_an_answer_that_is_no_preference_fails(call, lm, conversation):
    scripted.register("model", lambda messages, params: {"reasons": "r", "better": "both"})
    with pytest.raises(ModelError, match="1 tries"):
        call(pair(lm), conversation=conversation, a=summary("One.", "a"), b=summary("Two.", "b"))

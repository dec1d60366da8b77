import pytest
import scripted_team

from arf_programs.models import scripted
from arf_programs.programs.analysis.support import SentenceSupport
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.text.edits import apply_edits
from signatures.exceptions import ModelError
from signatures.records import ErrorNote

# Odd white space and typography in the untouched sentences must survive to the byte.
SUMMARY = "The customer’s kettle  leaked — order 88214.\nThe agent refunded 39.90.  It\tarrives by Thursday."
WRONG = "The agent refunded 39.90."
NOTE = ErrorNote(id="abc", category="wrong_fact", quote="refunded 39.90", evidence=(2,), explanation="Only offered.")


class Once:
    """One attempt, as a program."""

    def __init__(self, strategy, lm, support):
        strategy.set_lm(lm)
        self.strategy, self.support = strategy, support

    async def acall(self, **inputs):
        return await self.strategy.propose(support=self.support, **inputs)


@pytest.fixture
def propose(call, lm, conversation):
    """One attempt; `worth` maps a piece of a sentence to p(yes), `answers` are the editor's, in order."""

    def propose(*answers, worth=None, errors=(NOTE,), summary=SUMMARY, candidates=3, min_words=5, feedback=""):
        queue = iter(answers)
        team = scripted_team.join(
            sentence=lambda _: {"corrected": next(queue)},
            missing=lambda _: {"missing": next(queue)},
            support=lambda fields: scripted_team.yes(
                next(value for piece, value in worth.items() if piece in fields["sentence"])
            ),
        )
        support = None
        if worth is not None:
            support = SentenceSupport(retries=0, logprobs=True)
            support.set_lm(lm)
        strategy = EditSentences(retries=0, candidates=candidates, min_words=min_words)
        program = Once(strategy, lm, support)
        inputs = {"conversation": conversation, "summary": summary, "errors": list(errors), "feedback": feedback}
        return call(program, **inputs), team

    return propose


def test_the_first_candidate_that_passes_is_taken_and_its_gain_recorded(propose):
    scored = NOTE.model_copy(update={"score": 0.8})
    proposal, team = propose(
        "The agent said hello.",
        "The agent sent a replacement.",
        worth={"hello": 0.4, "replacement": 0.9},
        errors=[scored],
    )
    assert (team.asked["sentence"], team.asked["support"]) == (2, 2)
    assert proposal.after == SUMMARY.replace(WRONG, "The agent sent a replacement.")
    (edit,) = proposal.applied
    assert edit.gain == pytest.approx(0.7)
    assert (edit.quote, edit.mends, edit.evidence) == (WRONG, ("abc",), (2,))
    assert apply_edits(SUMMARY, proposal.applied).after == proposal.after


def test_the_editor_sees_turns_and_blanks_and_not_the_wrong_words(propose):
    _, team = propose("x", "y", "z", feedback="Do better.")
    fields = team.fields["sentence"][0]
    assert fields["sentence"] == "The agent ____."
    assert (fields["before"], fields["after"]) == (
        "The customer’s kettle  leaked — order 88214.",
        "It\tarrives by Thursday.",
    )
    assert "[2] Agent: Sorry! A replacement, or a refund of 39.90?" in fields["turns"]
    assert fields["problem"] == "wrong fact: Only offered."
    assert fields["feedback"] == "Do better."
    assert not any("refunded" in value for value in fields.values())


def test_a_candidate_that_passes_ends_the_questions(propose):
    _, team = propose("The agent sent a replacement.", worth={"replacement": 0.6})
    assert team.asked == {"sentence": 1, "support": 1}


def test_each_candidate_is_a_question_of_its_own(propose):
    _, team = propose("The agent paid 77.50.", "The agent paid 88.50.", "The agent paid 99.50.")
    assert team.asked["sentence"] == 3
    assert [params["temperature"] for params in team.params["sentence"]] == [0.0, 0.7, 0.7]


def test_a_copy_is_dropped_and_the_sentence_deleted_where_nothing_is_better(propose):
    worth = {"rude": 0.3, "refunded": 0.2}
    proposal, team = propose("the agent refunded 39.90", "The agent was rude.", "", worth=worth)
    assert team.asked == {"sentence": 3, "support": 2}
    assert proposal.after == "The customer’s kettle  leaked — order 88214.\nIt\tarrives by Thursday."
    assert proposal.applied[0].op == "delete"
    assert proposal.applied[0].gain == pytest.approx(0.5 - 0.2)


def test_a_candidate_to_which_the_checks_object_is_out_however_well_it_is_supported(propose):
    proposal, _ = propose(
        "The agent paid 77.50.",
        "The agent sent a replacement.",
        candidates=2,
        worth={"77.50": 0.99, "replacement": 0.6, "refunded": 0.2},
    )
    assert "replacement" in proposal.after


def test_a_sentence_is_not_deleted_where_too_little_would_be_left(propose):
    proposal, _ = propose("", "", "", worth={"refunded": 0.2}, min_words=12)
    assert (proposal.after, proposal.applied) == (SUMMARY, ())


def test_a_sentence_that_the_analyst_flagged_and_then_supports_is_not_deleted(propose):
    proposal, _ = propose("", "", "", worth={"refunded": 0.8})
    assert proposal.after == SUMMARY


def test_what_a_check_refutes_is_deleted_though_the_analyst_supports_it(propose):
    checked = NOTE.model_copy(update={"source": "check"})
    proposal, _ = propose("", "", "", worth={"refunded": 0.8}, errors=[checked])
    assert WRONG not in proposal.after


def test_a_repeated_sentence_is_deleted_and_the_editor_is_not_asked(propose):
    summary = f"{WRONG} It arrives by Thursday. The agent also refunded 39.90."
    repeated = "The agent also refunded 39.90."
    note = ErrorNote(id="r", category="repetition", quote=repeated, source="check", severity="minor")
    proposal, team = propose(summary=summary, errors=[note])
    assert proposal.after == f"{WRONG} It arrives by Thursday."
    assert not team.asked


def test_the_lines_of_a_dialogue_are_not_rewritten_one_by_one(propose):
    dialogue = "Customer: My kettle leaks, it is new.\nAgent: Sorry! We send one.\nCustomer: By Thursday, please."
    note = ErrorNote(id="d", category="verbatim_copy", quote=dialogue, source="check", severity="major")
    proposal, team = propose(summary=dialogue, errors=[note], min_words=5)
    assert not team.asked
    assert len(proposal.after.split()) >= 5


def test_a_candidate_that_repeats_the_explanation_is_out(propose):
    note = NOTE.model_copy(update={"explanation": "The refund was only offered to the customer."})
    proposal, team = propose(
        "The refund was only offered to the customer.", "The agent offered a refund.", errors=[note]
    )
    assert team.asked["sentence"] == 2
    assert "The agent offered a refund." in proposal.after


def test_the_score_of_a_note_spares_a_question(propose):
    scored = NOTE.model_copy(update={"score": 0.9})
    proposal, team = propose("The agent sent a replacement.", candidates=1, worth={"replacement": 0.8}, errors=[scored])
    assert proposal.applied[0].gain == pytest.approx(0.7)
    assert team.asked["support"] == 1


def test_without_an_analyst_the_first_candidate_that_passes_the_checks_is_taken(propose):
    proposal, team = propose("The agent paid 77.50.", "The agent sent one.", "The agent sent two.")
    assert "The agent sent one." in proposal.after
    assert proposal.applied[0].gain is None
    assert "support" not in team.asked


def test_several_errors_of_a_sentence_are_one_edit_and_several_sentences_several(propose):
    other = ErrorNote(id="def", category="wrong_speaker", quote="The agent")
    third = ErrorNote(id="ghi", category="wrong_fact", quote="Thursday")
    proposal, team = propose("A box was sent.", "It comes soon.", candidates=1, errors=[NOTE, third, other])
    assert [edit.mends for edit in proposal.applied] == [("abc", "def"), ("ghi",)]
    assert team.fields["sentence"][0]["sentence"] == "____"
    assert proposal.after.startswith("The customer’s kettle  leaked — order 88214.\nA box was sent.  It comes soon.")


def test_what_is_missing_is_asked_for_and_added(propose):
    omission = ErrorNote(id="def", category="missing_outcome")
    text = "A new kettle arrives by Thursday."
    proposal, team = propose(text, "It ended well.", candidates=2, worth={"new": 0.9, "well": 0.6}, errors=[omission])
    assert proposal.after == f"{SUMMARY} {text}"
    assert proposal.applied[0].gain == pytest.approx(0.4)
    assert team.fields["missing"][0]["question"] == "How did it end?"


def test_nothing_is_added_that_the_conversation_does_not_support(propose):
    omission = ErrorNote(id="def", category="missing_outcome")
    proposal, _ = propose("It ended well.", candidates=1, worth={"well": 0.3}, errors=[omission])
    assert (proposal.after, proposal.applied) == (SUMMARY, ())


def test_one_candidate_in_form_is_enough_and_none_is_a_failure(call, lm, conversation):
    inputs = {"conversation": conversation, "summary": SUMMARY, "errors": [NOTE], "feedback": ""}
    scripted.register("model", ["no", {"corrected": "The agent sent one."}, "no"])
    proposal = call(Once(EditSentences(retries=0), lm, None), **inputs)
    assert "The agent sent one." in proposal.after
    scripted.register("model", ["no", "no", "no"])
    with pytest.raises(ModelError, match="1 tries"):
        call(Once(EditSentences(retries=0), lm, None), **{**inputs, "feedback": "again"})


def test_a_flagged_neighbour_is_shown_without_its_wrong_words(propose):
    other = ErrorNote(id="def", category="wrong_fact", quote="Thursday")
    _, team = propose("A box was sent.", "It comes soon.", candidates=1, errors=[NOTE, other])
    assert team.fields["sentence"][0]["after"] == "It\tarrives by ____."
    assert team.fields["sentence"][1]["before"] == "The agent ____."


def test_what_concerns_the_whole_summary_is_no_omission(propose):
    too_long = ErrorNote(id="def", category="length", source="check")
    proposal, team = propose(errors=[too_long])
    assert proposal.after == SUMMARY
    assert not team.asked


PRICED = "The customer’s kettle leaked. The agent refunded 49.20, and a new one arrives by Friday."
WRONG_PRICE = ErrorNote(id="abc", category="wrong_fact", quote="49.20", source="check")
WRONG_DAY = ErrorNote(id="day", category="wrong_fact", quote="Friday", source="check")


def test_a_value_of_the_conversation_mends_a_sentence_without_the_editor(propose):
    errors = [WRONG_PRICE.model_copy(update={"evidence": (2,)}), WRONG_DAY.model_copy(update={"evidence": (4,)})]
    proposal, team = propose(summary=PRICED, errors=errors)
    assert proposal.after == PRICED.replace("49.20", "39.90").replace("Friday", "Thursday")
    assert [edit.mends for edit in proposal.applied] == [("abc", "day")]
    assert not team.asked


def test_the_support_question_refuses_a_value_and_the_next_one_is_tried(propose):
    summary = "The kettle of order 88214 leaks. The kettle of that order arrives by Friday."
    worth = {"Monday": 0.2, "Thursday": 0.9}
    proposal, team = propose(summary=summary, errors=[WRONG_DAY], worth=worth)
    assert proposal.after == summary.replace("Friday", "Thursday")
    assert [fields["sentence"].split()[-1] for fields in team.fields["support"]] == ["Monday.", "Thursday."]


def test_the_editor_is_asked_where_no_value_passes_and_never_with_no_candidates(propose):
    worth = {"Thursday": 0.2, "Monday": 0.2, "soon": 0.8, "Friday": 0.1}
    proposal, team = propose("A new one arrives soon.", summary=PRICED, errors=[WRONG_DAY], worth=worth)
    assert team.asked["sentence"] == 1
    assert proposal.after.endswith("A new one arrives soon.")
    proposal, team = propose(summary=PRICED, errors=[WRONG_DAY], worth=worth, candidates=0, min_words=1)
    assert proposal.after == "The customer’s kettle leaked."
    assert "sentence" not in team.asked


def test_the_editor_sees_the_values_that_are_known_and_blanks_for_the_rest(propose):
    other = ErrorNote(id="def", category="fabricated", quote="a new one", explanation="It was a spare part.")
    _, team = propose("x", summary=PRICED, errors=[WRONG_PRICE, other], candidates=1)
    assert team.fields["sentence"][0]["sentence"] == "The agent refunded 39.90, and ____ arrives by Friday."


def test_without_values_only_the_editor_mends(call, lm, conversation):
    team = scripted_team.join(sentence=lambda _: {"corrected": "The agent sent one."})
    inputs = {"conversation": conversation, "summary": PRICED, "errors": [WRONG_PRICE], "feedback": ""}
    proposal = call(Once(EditSentences(retries=0, values=False), lm, None), **inputs)
    assert team.asked == {"sentence": 1}
    assert proposal.after.endswith("The agent sent one.")

import pytest
import scripted_team

from arf_programs.corpus.taxonomy import load_seed_taxonomy
from arf_programs.programs.revision.propose import EditSummary, Rewrite, RewriteByTaxonomy, to_edits
from arf_programs.text import apply_edits, describe_errors, locate_error
from signatures.propose_edits import ProposedEdit
from signatures.records import EditOp, ErrorNote

SUMMARY = "The kettle leaked. The agent refunded 39.90."
NOTE = ErrorNote(id="abc", category="wrong_fact", quote="refunded 39.90", evidence=(2, 3), explanation="Only offered.")
OMISSION = ErrorNote(id="def", category="missing_outcome", explanation="It arrives by Thursday.")


class Once:
    """One attempt of a strategy, as a program."""

    def __init__(self, strategy, lm):
        strategy.set_lm(lm)
        self.strategy = strategy

    async def acall(self, **inputs):
        return await self.strategy.propose(**inputs)


def propose(call, strategy, lm, conversation, feedback=""):
    return call(
        Once(strategy, lm), conversation=conversation, summary=SUMMARY, errors=[NOTE, OMISSION], feedback=feedback
    )


def edit(**values) -> dict:
    given = {"mends": ["e1"], "op": "replace", "quote": "refunded 39.90", "replacement": "sent a new one"}
    return {**given, "evidence": [4], **values}


def test_errors_are_described_with_short_ids():
    assert describe_errors([NOTE, OMISSION], SUMMARY).splitlines() == [
        'e1. wrong_fact: "refunded 39.90". Only offered. (turns 2, 3)',
        "e2. missing_outcome: nothing quoted: something is missing. It arrives by Thursday.",
    ]
    assert describe_errors([], SUMMARY) == ""


def test_words_that_stand_twice_are_described_with_their_sentence(conversation):
    summary = "It took 9 days. She paid 9 euros."
    second = locate_error(summary, conversation, category="wrong_fact", quote="9", explanation="She paid 8 euros.")
    assert describe_errors([second], summary) == 'e1. wrong_fact: "9" in "She paid 9 euros.". She paid 8 euros.'


def test_a_long_quote_is_shown_by_its_first_and_last_words_and_found_again(conversation):
    summary = f"The agent explained {'again and again ' * 12}that nothing could be done. It leaks."
    note = locate_error(summary, conversation, category="fabricated", quote=summary.partition(". ")[0])
    shown = describe_errors([note], summary).split('"')[1]
    assert len(shown) < 170
    (made,) = to_edits([ProposedEdit(**edit(op="delete", quote=shown, replacement=""))], [note], summary)
    assert apply_edits(summary, [made]).after == "It leaks."


def test_quotation_marks_around_quote_and_new_words_are_no_part_of_them():
    around = edit(quote='"refunded 39.90"', replacement='"sent a new one"')
    (made,) = to_edits([ProposedEdit(**around)], [NOTE], SUMMARY)
    assert made.replacement == "sent a new one"
    (named,) = to_edits([ProposedEdit(**edit(replacement='"Kettle Plus"'))], [NOTE], SUMMARY)
    assert named.replacement == '"Kettle Plus"'


def test_short_ids_are_resolved_and_unknown_ones_left_out():
    (made,) = to_edits([ProposedEdit(**edit(mends=["e2", "e1", "e2", "e9", "abc"]))], [NOTE, OMISSION], SUMMARY)
    assert made.mends == ("def", "abc")
    assert made.op is EditOp.REPLACE


def test_edits_are_applied_and_the_rest_stays(call, lm, conversation):
    team = scripted_team.join(edits=lambda _: {"edits": [edit(), edit(quote="not there")]})
    proposal = propose(call, EditSummary(retries=0), lm, conversation, feedback="Do better.")
    assert proposal.after == "The kettle leaked. The agent sent a new one."
    assert [item.mends for item in proposal.applied] == [("abc",)]
    assert "not there" in proposal.refused[0].reason
    (fields,) = team.fields["edits"]
    assert fields["feedback"] == "Do better."
    assert fields["summary"] == SUMMARY
    assert fields["errors"] == describe_errors([NOTE, OMISSION], SUMMARY)


def test_a_rewrite_is_given_the_errors(call, lm, conversation):
    team = scripted_team.join(rewrite=lambda _: {"revised": " A whole new summary.\n"})
    proposal = propose(call, Rewrite(retries=0), lm, conversation, feedback="Do better.")
    assert (proposal.after, proposal.applied, proposal.refused) == ("A whole new summary.", (), ())
    (fields,) = team.fields["rewrite"]
    assert "e1. wrong_fact" in fields["errors"]
    assert fields["feedback"] == "Do better."


def test_the_papers_form_is_given_the_taxonomy_alone(call, lm, conversation):
    team = scripted_team.join(by_taxonomy=lambda _: {"revised": "Mended."})
    strategy = RewriteByTaxonomy(load_seed_taxonomy(), retries=0)
    assert propose(call, strategy, lm, conversation).after == "Mended."
    (fields,) = team.fields["by_taxonomy"]
    assert set(fields) == {"common_errors", "conversation", "summary", "feedback"}
    assert fields["common_errors"] == load_seed_taxonomy().as_text()
    assert not strategy.needs_errors


@pytest.mark.parametrize("mends", [["e1"], []])
def test_an_edit_stands_where_the_error_stands_that_it_mends(conversation, mends):
    summary = "It took 9 days, as said. She paid 9 euros."
    second = locate_error(summary, conversation, category="wrong_fact", quote="9", explanation="She paid 8 euros.")
    (made,) = to_edits([ProposedEdit(**edit(mends=mends, quote="9", replacement="8"))], [second], summary)
    assert apply_edits(summary, [made]).after == "It took 9 days, as said. She paid 8 euros."
    assert made.mends == (second.id,)


@pytest.mark.parametrize("answer", [{"edits": [{"op": "swap"}]}, {"edits": "none"}, "no"])
def test_malformed_edits_are_asked_for_again(call, lm, conversation, answer):
    answers = iter([answer, {"edits": [edit()]}])
    team = scripted_team.join(edits=lambda _: next(answers))
    assert propose(call, EditSummary(retries=1), lm, conversation).after.endswith("sent a new one.")
    assert team.asked["edits"] == 2


def test_the_model_is_named_for_the_record(lm):
    strategy = Rewrite(retries=0)
    strategy.set_lm(lm)
    assert strategy.model == "scripted/model"

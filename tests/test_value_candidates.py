"""Candidates that no editor writes: which errors are about a value, and what is put in its place."""

import pytest

from arf_programs.checks.finding import Material
from arf_programs.checks.run import run_checks
from arf_programs.corpus import parse_conversation
from arf_programs.programs.analysis.analyze import Analyze
from arf_programs.programs.analysis.value_candidates import MOST, find_swaps, find_value_errors, swapped_sentences
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.revise import Revise
from arf_programs.programs.revision.verify import VerifyRevision
from signatures.records import Conversation, ErrorNote, Turn

TALK = Conversation(
    id="kettle",
    turns=(
        Turn(speaker="Customer", text="My kettle leaks, I paid $54.90 for it on 3 March. Order KT-88214."),
        Turn(speaker="Agent", text="Sorry! I can offer a refund of $39.90 within 5 days, or a voucher over $60."),
        Turn(speaker="Customer", text="The refund, please. On Monday Dario told me that it takes 14 days."),
        Turn(speaker="Agent", text="Done, Petra in the shop in Graz knows. It is there by Thursday."),
    ),
)
SUMMARY = "The customer paid $54.90 for a leaking kettle. The agent gave a refund of $42.10 within 5 days."


def note(quote, category="wrong_fact", explanation="", source="lm", **values):
    name = f"{category}:{quote}"
    return ErrorNote(id=name, category=category, quote=quote, explanation=explanation, source=source, **values)


def sentences(summary, index, *notes):
    swaps = find_swaps(Material(TALK, summary), index, notes)
    covered = {item.id for swap in swaps for item in swap.notes}
    return swapped_sentences(summary, index, swaps) if covered == {item.id for item in notes} else []


def test_a_wrong_value_is_replaced_by_the_one_that_fits_and_all_else_stays():
    tried = sentences(SUMMARY, 1, note("$42.10"))
    assert tried[0] == "The agent gave a refund of $39.90 within 5 days."
    assert len(tried) <= MOST


@pytest.mark.parametrize(
    "error",
    [
        note("42.10", source="check", explanation='The conversation does not contain the amount "42.10".'),
        note("refund of $42.10", explanation="The refund was $39.90."),
        note("The agent gave a refund of $42.10 within 5 days.", explanation="It was 39.90, not 42.10."),
        note("refund of $42.10"),
        note("42.10", category="induced_kind"),
    ],
)
def test_what_the_note_says_shows_that_it_is_about_the_value(error):
    assert sentences(SUMMARY, 1, error)[0] == "The agent gave a refund of $39.90 within 5 days."


@pytest.mark.parametrize(
    "error",
    [
        note("gave a refund of $42.10", explanation="The agent only offered it."),
        note("The agent gave a refund of $42.10 within 5 days."),
        note("$42.10", category="private_data"),
        note("$42.10", category="irrelevant"),
        note("", category="missing_outcome", explanation="The refund of $39.90 is missing."),
        note("not in the summary"),
    ],
)
def test_an_error_about_something_else_gets_no_value(error):
    assert sentences(SUMMARY, 1, error) == []


def test_the_explanation_decides_between_values_that_fit():
    summary = "The customer got $12."
    assert sentences(summary, 0, note("$12", explanation="It was a voucher over $60."))[0] == "The customer got $60."
    assert sentences(summary, 0, note("$12", explanation="They paid $54.90."))[0] == "The customer got $54.90."


def test_a_wrong_currency_is_mended_and_the_number_stays():
    draft = "The kettle leaked. It cost £54.90."
    (found,) = run_checks(TALK, draft)
    assert found.explanation == 'The conversation has "$54.90", not "£54.90".'
    assert sentences(draft, 1, found)[0] == "It cost $54.90."


def test_two_errors_of_a_sentence_are_mended_together():
    summary = "The agent gave a refund of $42.10 within 9 days."
    right = "The agent gave a refund of $39.90 within 5 days."
    assert sentences(summary, 0, note("$42.10"), note("9 days"))[0] == right


def test_the_same_error_of_two_sources_is_one():
    errors = (note("$42.10"), note("42.10", "fabricated", source="check"))
    (swap,) = find_swaps(Material(TALK, SUMMARY), 1, errors)
    assert swap.notes == errors


def test_a_name_that_opens_a_sentence_is_replaced_too():
    summary = "Bertram told the customer on Monday that it takes 14 days."
    error = note("Bertram", "fabricated", source="check")
    assert sentences(summary, 0, error)[0] == "Dario told the customer on Monday that it takes 14 days."


def test_nothing_of_the_conversation_replaces_what_it_never_speaks_of():
    assert sentences("A manager waived 75 euros of customs fees.", 0, note("75 euros", "fabricated")) == []


def test_a_wrong_speaker_becomes_the_other_one():
    summary = "It leaks. The agent asked the customer for a refund."
    for quote in ("The agent asked the customer for a refund.", "The agent", "asked the customer"):
        error = note(quote, "wrong_speaker")
        assert sentences(summary, 1, error) == ["The customer asked the agent for a refund."], quote


def test_a_wrong_not_goes_and_a_verb_that_lacks_one_gets_it():
    assert sentences("The agent did not refund it.", 0, note("did not refund")) == ["The agent refunded it."]
    assert sentences("The agent was late.", 0, note("was")) == ["The agent was not late."]
    assert sentences("The agent refunded the whole sum.", 0, note("refunded the whole")) == []


def test_a_value_of_another_place_is_an_error_that_names_the_better_one():
    summary = "The kettle leaks. The agent can offer a refund of $54.90 within 5 days."
    assert not run_checks(TALK, summary)
    (found,) = find_value_errors(TALK, summary)
    assert (found.category, found.quote, found.source, found.evidence) == ("wrong_fact", "54.90", "check", (2,))
    assert "39.90" in found.explanation
    assert sentences(summary, 1, found)[0] == "The agent can offer a refund of $39.90 within 5 days."
    assert find_value_errors(TALK, summary.replace("$54.90", "$39.90")) == []


def test_a_place_that_is_known_to_be_wrong_is_reported_once():
    summary = "The agent can offer a refund of $54.90 within 5 days."
    assert find_value_errors(TALK, summary)
    assert find_value_errors(TALK, summary, [note("refund of $54.90")]) == []


def test_a_value_that_the_conversation_does_not_have_is_left_to_the_checks():
    assert find_value_errors(TALK, "The agent can offer a refund of $61 within 5 days.") == []


def test_a_draft_is_mended_and_verified_without_any_model(call):
    program = Revise(EditSentences(candidates=0), VerifyRevision(Analyze(None)))
    draft = "The customer paid $54.90 for a kettle. The agent offered a refund of $42.10 within 5 days."
    revision = call(program, conversation=TALK, draft=draft).revision
    assert revision.after == draft.replace("42.10", "39.90")
    assert (revision.verdict, revision.model) == ("verified", "")


def test_a_value_of_a_copied_passage_is_the_one_that_belongs_there(call):
    """$150 stands in that turn too. It is no deductible, and with $1,000 the copy has more than 20 words."""
    talk = parse_conversation(
        "Customer: What would the plan for my boat cost?\n"
        "Agent: Plan B covers the boat and its trailer, with a $1,000 deductible. "
        "The cost would be $150 a month, which is already with our discount for members of the club."
    )
    draft = (
        "The agent proposed Plan B, which covers the boat, with a $2,000 deductible. "
        "The cost would be $150 a month, which is already with our discount for members of the club."
    )
    program = Revise(EditSentences(candidates=0), VerifyRevision(Analyze(None)), attempts=1)
    revision = call(program, conversation=talk, draft=draft).revision
    assert (revision.after, revision.verdict) == (draft.replace("$2,000", "$1,000"), "verified")


def test_a_value_that_hardly_fits_is_not_written_where_no_model_looks(call):
    """The conversation names no state. The name of the company shares "insurance plans" with the sentence."""
    talk = parse_conversation(
        "Agent: Good morning, I am calling from BestInsuranceXYZ to talk about our insurance plans.\n"
        "Customer: Which ones do you have?\n"
        "Agent: Term life, whole life, and plans that you put together yourself.\n"
        "Customer: Then please send me a quote by mail."
    )
    wrong, rest = (
        "The agent called about insurance plans outside of the state of Florida.",
        "The customer asked which ones there are and wanted a quote by mail.",
    )
    program = Revise(EditSentences(candidates=0), VerifyRevision(Analyze(None)), attempts=1)
    assert call(program, conversation=talk, draft=f"{wrong} {rest}").revision.after == rest

import pytest
import scripted_team

from arf_programs.checks import run_checks
from arf_programs.config import DEFAULT_INSTRUCTION
from arf_programs.corpus.taxonomy import load_seed_taxonomy
from arf_programs.programs.analysis.reported_errors import merge_errors
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.propose import EditSummary, Rewrite, RewriteByTaxonomy
from arf_programs.programs.revision.revise import Revise, new_summary_instruction
from arf_programs.programs.revision.verify import VerifyRevision
from arf_programs.programs.summarize import Summarize
from arf_programs.text.edits import apply_edits
from arf_programs.text.quotes import locate_error
from signatures.exceptions import ModelError
from signatures.records import ErrorNote, Summary, Verdict

# Odd white space and typography around the wrong words must survive to the byte.
DRAFT = "The customer’s kettle  leaked — order 88214.\nThe agent refunded 39.90.  It\tarrives by Thursday."
MENDED = DRAFT.replace("refunded 39.90", "sent a replacement")


def note(conversation, quote="refunded 39.90", category="wrong_fact", source="lm", text=DRAFT) -> ErrorNote:
    return locate_error(text, conversation, category=category, quote=quote, evidence=(2,), source=source)


def edit(quote="refunded 39.90", replacement="sent a replacement", mends=("e1",), op="replace") -> dict:
    return {"mends": list(mends), "op": op, "quote": quote, "replacement": replacement, "evidence": [4]}


def found(quote="refunded 39.90", category="wrong_fact") -> dict:
    return {"quote": quote, "evidence": [2], "explanation": "Why.", "category": category, "severity": "major"}


def finds_wrong_words(*wrong):
    """An analyst that reports those of the quotes that a summary contains."""
    return lambda fields: {"errors": [found(*item) for item in wrong if item[0] in fields["summary"]]}


@pytest.fixture
def revise(call, lm, conversation):
    def revise(
        errors, *, strategy="edits", attempts=2, on_reject="keep_partial", checks=False, max_change=0.6, draft=DRAFT
    ):
        analyze = scripted_team.analyzer_of(lm, checks=checks)
        propose = {
            "edits": EditSummary(retries=0),
            "rewrite": Rewrite(retries=0),
            "taxonomy": RewriteByTaxonomy(load_seed_taxonomy(), retries=0),
        }[strategy]
        propose.set_lm(lm)
        verify = VerifyRevision(analyze, max_change=max_change, min_words=5)
        program = Revise(propose, verify, attempts=attempts, on_reject=on_reject)
        summary = Summary(conversation_id=conversation.id, text=draft, system="teacher", model="scripted/model")
        return call(program, conversation=conversation, draft=summary, errors=tuple(errors)).revision

    return revise


def test_an_edit_is_verified_and_all_else_is_untouched(revise, conversation):
    scripted_team.join(find=finds_wrong_words(["refunded 39.90"]), edits=lambda _: {"edits": [edit()]})
    revision = revise([note(conversation)])
    assert revision.verdict is Verdict.VERIFIED
    assert revision.before == DRAFT
    assert revision.after == MENDED
    assert revision.after == apply_edits(revision.before, revision.applied).after
    assert (revision.attempts, revision.strategy, revision.model) == (1, "edits", "scripted/model")
    assert revision.applied[0].mends == (note(conversation).id,)
    assert (revision.remaining, revision.feedback) == ((), ())


@pytest.mark.parametrize("strategy", ["edits", "rewrite"])
def test_a_clean_draft_is_left_alone_without_a_call(revise, strategy):
    team = scripted_team.join()
    revision = revise([], strategy=strategy)
    assert (revision.verdict, revision.after, revision.attempts) == (Verdict.UNCHANGED, DRAFT, 0)
    assert not team.asked


def test_a_rewrite_is_verified_too(revise, conversation):
    team = scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"]), rewrite=lambda fields: {"revised": f" {MENDED}\n"}
    )
    revision = revise([note(conversation)], strategy="rewrite")
    assert (revision.verdict, revision.after, revision.applied) == (Verdict.VERIFIED, MENDED, ())
    assert team.asked == {"rewrite": 1, "check": 1}


def test_the_papers_form_revises_every_draft(revise):
    team = scripted_team.join(find=lambda _: {"errors": []}, by_taxonomy=lambda fields: {"revised": MENDED})
    revision = revise([], strategy="taxonomy")
    assert (revision.verdict, revision.after, revision.strategy) == (Verdict.VERIFIED, MENDED, "taxonomy")
    assert team.asked == {"by_taxonomy": 1, "check": 1}


def test_the_papers_form_may_find_nothing_to_mend(revise):
    scripted_team.join(find=lambda _: {"errors": []}, by_taxonomy=lambda fields: {"revised": DRAFT})
    revision = revise([], strategy="taxonomy")
    assert (revision.verdict, revision.after, revision.attempts) == (Verdict.UNCHANGED, DRAFT, 1)


def test_a_rejected_revision_is_tried_again_with_what_was_wrong(revise, conversation):
    tries = iter([edit(replacement="gave back 39.90"), edit()])
    team = scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"], ["gave back 39.90"]), edits=lambda _: {"edits": [next(tries)]}
    )
    revision = revise([note(conversation)])
    assert (revision.verdict, revision.after, revision.attempts) == (Verdict.VERIFIED, MENDED, 2)
    first, second = team.fields["edits"]
    assert first["feedback"] == ""
    assert 'the revision brought in a new error: wrong_fact at "gave back 39.90"' in second["feedback"]
    assert revision.feedback == (second["feedback"],)


def test_a_draft_that_was_not_touched_is_not_verified(revise, conversation):
    """An editor that copies, and an analyst that overlooks: the wrong words are still there."""
    team = scripted_team.join(find=lambda _: {"errors": []}, edits=lambda _: {"edits": []})
    revision = revise([note(conversation)], attempts=3)
    assert (revision.verdict, revision.after, revision.attempts) == (Verdict.REJECTED, DRAFT, 3)
    feedback = [fields["feedback"] for fields in team.fields["edits"]]
    assert len(set(feedback)) == 3  # all that was wrong so far, so that no try repeats the question of the one before
    assert [item.quote for item in revision.remaining] == ["refunded 39.90"]
    assert len(revision.feedback) == 3


def test_a_new_error_is_never_accepted(revise, conversation):
    scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"], ["paid 50 euros", "fabricated"]),
        edits=lambda _: {"edits": [edit(replacement="paid 50 euros")]},
    )
    revision = revise([note(conversation)])
    assert (revision.verdict, revision.after) == (Verdict.REJECTED, DRAFT)
    assert "fabricated" in revision.feedback[0]


def test_partial_keeps_the_edits_that_verify(revise, conversation):
    errors = [note(conversation), note(conversation, "by Thursday")]
    scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"], ["by Thursday"], ["by Sunday", "fabricated"]),
        edits=lambda _: {"edits": [edit(), edit("by Thursday", "by Sunday", ("e2",))]},
    )
    revision = revise(errors)
    assert revision.after == MENDED
    assert revision.verdict is Verdict.REJECTED
    assert [item.quote for item in revision.applied] == ["refunded 39.90"]
    assert [item.quote for item in revision.remaining] == ["by Thursday"]
    assert revision.attempts == 2


@pytest.mark.parametrize("on_reject", ["keep_draft", "drop"])
def test_without_partial_a_rejected_draft_stays_whole(revise, conversation, on_reject):
    errors = [note(conversation), note(conversation, "by Thursday")]
    scripted_team.join(find=finds_wrong_words(["refunded 39.90"], ["by Thursday"]), edits=lambda _: {"edits": [edit()]})
    revision = revise(errors, on_reject=on_reject)
    assert (revision.verdict, revision.after, revision.applied) == (Verdict.REJECTED, DRAFT, ())
    assert revision.remaining == tuple(errors)


def test_the_better_of_two_attempts_is_the_one_that_is_kept_in_part(revise, conversation):
    errors = [note(conversation), note(conversation, "by Thursday")]
    tries = iter([[edit()], []])
    scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"], ["by Thursday"]), edits=lambda _: {"edits": next(tries)}
    )
    assert revise(errors).after == MENDED


def test_what_a_check_refutes_is_deleted_when_the_editor_cannot_mend_it(revise, conversation):
    draft = (
        "The customer's kettle leaked and a replacement was sent. The agent gave back 77.50. It arrives by Thursday."
    )
    wrong = note(conversation, "77.50", source="check", text=draft)
    scripted_team.join(find=lambda _: {"errors": []}, edits=lambda _: {"edits": []})
    revision = revise([wrong], checks=True, draft=draft)
    assert revision.after == "The customer's kettle leaked and a replacement was sent. It arrives by Thursday."
    assert revision.verdict is Verdict.VERIFIED
    (applied,) = revision.applied
    assert (applied.op, applied.mends) == ("delete", (wrong.id,))


def test_nothing_is_deleted_for_an_analysts_word_alone(revise, conversation):
    scripted_team.join(find=finds_wrong_words(["refunded 39.90"]), edits=lambda _: {"edits": []})
    assert revise([note(conversation)]).after == DRAFT


def test_a_deletion_that_leaves_too_little_is_not_made(revise, conversation):
    draft = "It leaked. The agent gave the customer back 77.50 for order 88214 by Thursday."
    wrong = note(conversation, "77.50", source="check", text=draft)
    scripted_team.join(find=lambda _: {"errors": []}, edits=lambda _: {"edits": []})
    revision = revise([wrong], checks=True, draft=draft)
    assert (revision.verdict, revision.after) == (Verdict.REJECTED, draft)
    assert revision.remaining == (wrong,)


def test_a_change_beyond_the_budget_is_rejected(revise, conversation):
    scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"]),
        rewrite=lambda _: {
            "revised": "A quite different text that has hardly one word in common with what stood here."
        },
    )
    revision = revise([note(conversation)], strategy="rewrite", max_change=0.3)
    assert (revision.verdict, revision.after) == (Verdict.REJECTED, DRAFT)
    assert "too much was changed" in revision.feedback[0]


def test_edits_that_cannot_be_applied_are_kept_with_their_reason(revise, conversation):
    scripted_team.join(
        find=finds_wrong_words(["refunded 39.90"]), edits=lambda _: {"edits": [edit(), edit("no such words", "x")]}
    )
    revision = revise([note(conversation)])
    assert revision.after == MENDED
    (refused,) = revision.refused
    assert "no such words" in refused.reason


def test_an_omission_is_mended_by_an_insertion(revise, conversation):
    draft = "The customer's kettle leaked. The agent sent a replacement to the customer."
    missing = locate_error(draft, conversation, category="missing_outcome", evidence=(4,))
    scripted_team.join(
        find=lambda fields: {"errors": [] if "Thursday" in fields["summary"] else [found("", "missing_outcome")]},
        edits=lambda _: {"edits": [edit("", "It arrives by Thursday.", op="insert")]},
    )
    revision = revise([missing], draft=draft)
    assert (revision.verdict, revision.after) == (Verdict.VERIFIED, f"{draft} It arrives by Thursday.")


def test_an_editor_that_never_answers_in_form_fails(revise, conversation):
    scripted_team.join(edits=lambda _: "no")
    with pytest.raises(ModelError, match="1 tries"):
        revise([note(conversation)])


@pytest.fixture
def revise_retold(call, lm, conversation):
    """Revise a draft that retells the conversation line by line, and return the draft's text and the revision."""
    lines = [f"{turn.speaker}: {turn.text}" for turn in conversation.turns]
    dialogue = "\n".join([*lines, "Customer: And one more thing, it hums.", "Agent: We will look at that as well."])

    def revise(propose, *, writes=True, seen=()):
        write = Summarize(new_summary_instruction(DEFAULT_INSTRUCTION), retries=0) if writes else None
        for program in filter(None, (propose, write)):
            program.set_lm(lm)
        verify = VerifyRevision(scripted_team.analyzer_of(lm, checks=True))
        draft = Summary(conversation_id=conversation.id, text=dialogue, system="teacher", model="scripted/model")
        errors = merge_errors(run_checks(conversation, dialogue), seen, dialogue)
        program = Revise(propose, verify, attempts=1, write=write)
        return dialogue, call(program, conversation=conversation, draft=draft, errors=errors).revision

    return revise


BY_EDITS = pytest.mark.parametrize("propose", [EditSentences(retries=0), EditSummary(retries=0)])
SUMMARY = "The customer wrote that a kettle leaked. The agent sent a replacement, which arrives by Thursday."


@BY_EDITS
@pytest.mark.parametrize("by_the_analyst_too", [False, True])
def test_the_editor_writes_a_summary_in_the_place_of_a_draft_that_retells_the_conversation(
    revise_retold, propose, conversation, by_the_analyst_too
):
    scripted_team.join(new_summary=lambda _: SUMMARY)
    told = "The draft copies the turns as a dialogue, of which this is one line, instead of summarising them."
    line = f"{conversation.turns[0].speaker}: {conversation.turns[0].text}"
    copied = ErrorNote(
        id="e1", category="verbatim_copy", quote=line, evidence=(1, 2), explanation=told, severity="minor"
    )
    _, revision = revise_retold(propose, seen=[copied] if by_the_analyst_too else [])
    assert (revision.verdict, revision.after, revision.applied) == (Verdict.VERIFIED, SUMMARY, ())
    assert "retells the conversation" in revision.feedback[0]


@BY_EDITS
def test_a_summary_in_the_place_of_a_retold_draft_is_analysed_and_mended_as_a_draft_is(revise_retold, propose):
    wrong = SUMMARY.replace("Thursday", "Monday")
    scripted_team.join(
        new_summary=lambda _: wrong,
        find=finds_wrong_words(["Monday"]),
        edits=lambda _: {"edits": [edit("Monday", "Thursday")]},
        sentence=lambda _: {"corrected": SUMMARY.split(". ")[1]},
    )
    _, revision = revise_retold(propose)
    assert (revision.verdict, revision.after) == (Verdict.VERIFIED, SUMMARY)


@BY_EDITS
@pytest.mark.parametrize("written", ["the draft", "Too short.", SUMMARY + " A technician visited them."])
def test_what_the_editor_writes_is_rejected_if_it_is_no_better(revise_retold, propose, written):
    scripted_team.join(
        new_summary=lambda fields: fields["conversation"] if written == "the draft" else written,
        find=finds_wrong_words(["technician visited"]),
        edits=lambda _: {"edits": []},
        sentence=lambda _: {"corrected": "Then a technician visited them at home."},
    )
    dialogue, revision = revise_retold(propose)
    assert (revision.verdict, revision.after) == (Verdict.REJECTED, dialogue)
    assert revision.remaining == revision.errors


@BY_EDITS
def test_without_an_editor_a_draft_that_retells_the_conversation_is_rejected_whole(revise_retold, propose):
    scripted_team.join(edits=lambda _: {"edits": []})
    dialogue, revision = revise_retold(propose, writes=False)
    assert (revision.verdict, revision.after) == (Verdict.REJECTED, dialogue)

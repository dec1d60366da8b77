"""A right mend is never lost: each test is one way to lose it. The editor mends rightly, and the analyst sees more.

`attempts: 1` unless the test says otherwise, so that nothing is made good by a second try.
"""

import pytest
import scripted_team

from arf_programs.checks import run_checks
from arf_programs.programs.analysis.analyze import Analyze, HolisticAnalysis
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.propose import EditSummary, Rewrite, corrections_of
from arf_programs.programs.revision.revise import Revise
from arf_programs.programs.revision.verify import Second, VerifyRevision, compare_errors
from arf_programs.text import Changes, locate_error
from signatures.records import Conversation, Summary, Turn, Verdict

DRAFT = (
    "The customer's kettle from order 88214 leaked after 9 days. The agent refunded 39.90 at once. "
    "A new one arrives by 9 April."
)
MENDED = DRAFT.replace("refunded 39.90", "sent a replacement")


def note(
    conversation, quote="refunded 39.90", category="wrong_fact", *, source="lm", evidence=(2,), explanation="Why."
):
    return locate_error(
        DRAFT,
        conversation,
        category=category,
        quote=quote,
        evidence=evidence,
        explanation=explanation,
        source=source,
    )


def edit(quote="refunded 39.90", replacement="sent a replacement", mends=("e1",), op="replace") -> dict:
    return {"mends": list(mends), "op": op, "quote": quote, "replacement": replacement, "evidence": [4]}


def found(quote, category="wrong_fact", explanation="Why.", evidence=(2,)) -> dict:
    given = {"quote": quote, "category": category, "explanation": explanation, "evidence": list(evidence)}
    return {**given, "severity": "major"}


def checks(*not_mended, new=(), count=2):
    """A verifier that calls all errors mended but these, and reports new ones."""
    said = [
        {"id": f"e{n}", "explanation": "As it is.", "mended": f"e{n}" not in not_mended} for n in range(1, count + 1)
    ]
    return lambda _: {"checks": said, "new_errors": list(new)}


@pytest.fixture
def revise(call, lm, conversation):
    def revise(errors, *, attempts=1, checks=False, max_change=0.6, propose=None, strategy="holistic", **support):
        analyze = scripted_team.analyzer_of(lm, strategy=strategy, checks=checks, **support)
        propose = propose or EditSummary(retries=0)
        propose.set_lm(lm)
        scorer = analyze.analysis.support if strategy == "sentencewise" else None
        verify = VerifyRevision(analyze, max_change=max_change, min_words=5, support=scorer)
        program = Revise(propose, verify, attempts=attempts)
        draft = Summary(conversation_id=conversation.id, text=DRAFT, system="teacher", model="scripted/model")
        return call(program, conversation=conversation, draft=draft, errors=tuple(errors)).revision

    return revise


@pytest.mark.parametrize(
    "seen",
    [
        found("9 April", "wrong_fact"),  # words that no edit wrote
        found("order 88214", "fabricated"),
        found("The agent", "wrong_speaker"),
        found("", "missing_outcome", "That the customer thanked the agent.", [3]),
        found("", "missing_reason", "", []),
    ],
)
def test_an_error_that_the_first_analysis_overlooked_is_noticed_and_rejects_nothing(revise, conversation, seen):
    scripted_team.join(edits=lambda _: {"edits": [edit()]}, check=checks(new=[seen]))
    revision = revise([note(conversation)])
    assert (revision.verdict, revision.after, revision.attempts) == (Verdict.VERIFIED, MENDED, 1)
    assert [item.category for item in revision.noticed] == [seen["category"]]
    assert revision.remaining == ()


def test_another_omission_of_the_same_category_is_not_the_one_that_was_mended(revise, conversation):
    missing = note(conversation, "", "missing_outcome", evidence=(3,), explanation="What she chose.")
    inserted = edit("", "She chose a replacement.", op="insert")
    other = found("", "missing_outcome", "Whether the agent apologised.", [2])
    scripted_team.join(edits=lambda _: {"edits": [inserted]}, check=checks(new=[other]))
    assert revise([missing]).verdict is Verdict.VERIFIED


def test_a_short_word_may_stand_rightly_elsewhere(revise, conversation):
    """It leaked after 8 days; 9 April is right. The words of the error stand there still, at another place."""
    wrong = note(conversation, "9", explanation="It leaked after 8 days.")
    scripted_team.join(
        edits=lambda _: {"edits": [edit("9", "8")]}, find=lambda _: {"errors": []}, check=checks(new=[found("9")])
    )
    revision = revise([wrong])
    assert revision.verdict is Verdict.VERIFIED
    assert revision.after == DRAFT.replace("9 days", "8 days")


def test_the_edit_lands_where_the_error_stands(revise, conversation):
    wrong = note(conversation, "9", explanation="A new one arrives by 8 April.")
    scripted_team.join(edits=lambda _: {"edits": [edit("9", "8")]}, find=lambda _: {"errors": []})
    assert revise([wrong]).after == DRAFT.replace("9 April", "8 April")


def test_quoted_words_may_stay_where_the_rest_of_the_sentence_is_mended(revise, conversation):
    scripted_team.join(edits=lambda _: {"edits": [edit("refunded", "offered")]}, check=checks())
    revision = revise([note(conversation, "39.90", explanation="It was offered, not refunded.")])
    assert (revision.verdict, revision.after) == (Verdict.VERIFIED, DRAFT.replace("refunded", "offered"))


def test_a_sentence_may_be_mended_by_words_at_its_end(revise, conversation):
    scripted_team.join(edits=lambda _: {"edits": [edit("9 April", "9 April if the customer wants it")]}, check=checks())
    revision = revise([note(conversation, "9 April", explanation="Only if she wants it.")])
    assert (revision.verdict, revision.remaining) == (Verdict.VERIFIED, ())


def test_a_check_that_sees_its_error_again_overrules_an_analyst_of_another_category(revise, conversation):
    """Both saw the same words, and the category is the analyst's. It calls them mended, but nobody touched them."""
    seen = note(conversation, "88214", "wrong_speaker", source="check").model_copy(update={"check": "codes"})
    compared = compare_errors(
        Changes(DRAFT, DRAFT.replace("at once", "later")),
        [seen],
        Second(
            (seen.model_copy(update={"category": "fabricated", "id": "again"}),),
            {seen.id: True},
            checks=True,
        ),
    )
    assert [item.id for item in compared.remaining] == [seen.id] and compared.noticed == ()


def test_an_error_that_remains_is_not_recorded_with_the_reason_why_it_is_mended(revise, conversation):
    wrong = note(conversation, explanation="It was replaced.")
    missing = note(conversation, "", "missing_action", evidence=(3,), explanation="Her choice.")
    inserted = edit("", "She chose a replacement.", ["e2"], op="insert")
    scripted_team.join(edits=lambda _: {"edits": [inserted]}, check=checks())
    (left,) = revise([wrong, missing]).remaining
    assert left.explanation == "It was replaced."


def test_the_editor_is_told_which_of_its_edits_could_not_be_made(revise, conversation):
    team = scripted_team.join(edits=lambda _: {"edits": [edit("paid back 39.90")]})
    revise([note(conversation)], attempts=2)
    reason = "the summary does not contain the quote 'paid back 39.90'"
    assert f"Edits that could not be made: {reason}." in team.fields["edits"][1]["feedback"]


LATER = "She chose a replacement instead."


@pytest.mark.parametrize("at", ["", "A new one arrives by 9 April."])
def test_a_statement_that_misleads_may_be_mended_by_a_new_sentence(revise, conversation, at):
    """The refund was offered; what is wrong is that nothing is said of how it went on."""
    wrong = note(conversation, explanation="It misleads: she did not take the refund.")
    inserted = edit(at or "refunded 39.90 at once.", LATER, op="insert")
    scripted_team.join(edits=lambda _: {"edits": [inserted]}, check=checks())
    revision = revise([wrong])
    assert (revision.verdict, revision.remaining) == (Verdict.VERIFIED, ())
    assert LATER in revision.after and "refunded 39.90" in revision.after


@pytest.mark.parametrize(("mended", "mends"), [(True, ["e2"]), (False, ["e1", "e2"])])
def test_a_new_sentence_that_is_not_about_the_error_does_not_mend_it(revise, conversation, mended, mends):
    """Either the edit was made for another error, or the analyst says that it did not help."""
    errors = [note(conversation), note(conversation, "", "missing_action", evidence=(3,), explanation="Her choice.")]
    inserted = edit("refunded 39.90 at once.", LATER, mends, op="insert")
    scripted_team.join(edits=lambda _: {"edits": [inserted]}, check=checks(*([] if mended else ["e1"])))
    assert [item.id for item in revise(errors).remaining] == [errors[0].id]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (DRAFT.replace("at once.", f"at once. {LATER}"), Verdict.VERIFIED),
        (f"{DRAFT} {LATER}", Verdict.REJECTED),  # nothing says that it is about this error
    ],
)
def test_a_rewrite_may_mend_an_error_by_the_sentence_behind(revise, conversation, text, verdict):
    scripted_team.join(rewrite=lambda _: {"revised": text}, check=checks())
    assert revise([note(conversation)], propose=Rewrite(retries=0)).verdict is verdict


@pytest.mark.parametrize("mends", [["e1"], [], ["e9"]])
def test_one_wrong_edit_does_not_cost_the_right_ones(revise, conversation, mends):
    """Not even where the editor does not say what they mend."""
    errors = [note(conversation), note(conversation, "9 April")]
    wrong = edit("9 April", "1 June", ["e2"])
    new = found("1 June", "fabricated")
    scripted_team.join(edits=lambda _: {"edits": [edit(mends=mends), wrong]}, check=checks("e2", new=[new]))
    revision = revise(errors)
    assert revision.after == MENDED
    assert [item.quote for item in revision.applied] == ["refunded 39.90"]
    assert [item.id for item in revision.remaining] == [errors[1].id]


def test_an_edit_of_two_errors_is_kept_where_it_mends_one(revise, conversation):
    errors = [note(conversation), note(conversation, "at once")]
    scripted_team.join(edits=lambda _: {"edits": [edit(mends=["e1", "e2"])]}, check=checks("e2"))
    assert revise(errors).after == MENDED


def test_a_new_omission_costs_only_the_edit_that_removed_it(revise, conversation):
    errors = [note(conversation), note(conversation, "by 9 April")]
    gone = edit("A new one arrives by 9 April.", "", ["e2"], "delete")
    team = scripted_team.join(
        edits=lambda _: {"edits": [edit(), gone]},
        check=lambda fields: checks(
            new=[] if "arrives" in fields["summary"] else [found("", "missing_outcome", "That a new one arrives.")]
        )(fields),
    )
    revision = revise(errors)
    assert revision.after == MENDED
    assert team.asked["check"] == 2  # the whole, and what is kept of it
    assert revision.verdict is Verdict.REJECTED  # the date is still there


def test_two_halves_that_are_right_in_two_attempts_make_a_whole(revise, conversation):
    errors = [note(conversation), note(conversation, "9 April")]
    tries = iter([[edit(), edit("9 April", "1 June", ["e2"])], [edit("9 April", "Thursday")]])
    team = scripted_team.join(
        edits=lambda _: {"edits": next(tries)},
        check=lambda fields: checks(*(["e2"] if "1 June" in fields["summary"] else []))(fields),
    )
    revision = revise(errors, attempts=2)
    assert (revision.verdict, revision.after) == (Verdict.VERIFIED, MENDED.replace("9 April", "Thursday"))
    first, second = team.fields["edits"]
    assert "refunded" in first["errors"]
    assert "refunded" not in second["errors"], "what is mended is not asked about again"
    assert second["feedback"].startswith(
        '1. Tried: "refunded 39.90" became "sent a replacement"; "9 April" became "1 June"'
    )


def test_a_worse_second_attempt_takes_nothing_away(revise, conversation):
    errors = [note(conversation), note(conversation, "9 April")]
    tries = iter([[edit()], [edit("39.90 at once", "50 euros", [])]])
    scripted_team.join(
        edits=lambda _: {"edits": next(tries)},
        check=lambda fields: checks("e2", *(["e1"] if "50 euros" in fields["summary"] else []))(fields),
    )
    assert revise(errors, attempts=2).after == MENDED


def test_too_much_change_costs_only_the_edits_that_are_too_much(revise, conversation):
    errors = [note(conversation), note(conversation, "9 April")]
    long = edit("A new one arrives by 9 April.", "All of it was told at length " * 6, ["e2"])
    scripted_team.join(edits=lambda _: {"edits": [edit(), long]}, find=lambda _: {"errors": []})
    assert revise(errors).after == MENDED


def test_a_sentence_that_gained_nothing_costs_only_its_own_edit(revise, conversation):
    errors = [
        note(conversation).model_copy(update={"score": 0.8}),
        note(conversation, "9 April").model_copy(update={"score": 0.8}),
    ]
    scores = {"The agent sent a replacement at once.": 0.9, "A new one arrives soon.": 0.1}
    scripted_team.join(
        edits=lambda _: {"edits": [edit(), edit("by 9 April", "soon", ["e2"])]},
        support=lambda fields: scripted_team.yes(scores[fields["sentence"]]),
        describe=lambda _: {"error": found("")},
    )
    revision = revise(errors, strategy="sentencewise", logprobs=True)
    assert revision.after == MENDED


def test_a_sentencewise_verifier_says_nothing_about_old_sentences(revise, conversation):
    """The small analyst doubts a sentence that nobody touched."""
    team = scripted_team.join(
        support=lambda fields: "yes" if "replacement" in fields["sentence"] else "no",
        describe=lambda _: {"error": found("")},
        sentence=lambda _: {"corrected": "The agent sent a replacement at once."},
        omissions=lambda _: {"omissions": [found("", "missing_reason", "Why she called.", [1])]},
    )
    revision = revise([note(conversation)], strategy="sentencewise", propose=EditSentences(retries=0, candidates=1))
    assert (revision.verdict, revision.after) == (Verdict.VERIFIED, MENDED)
    assert "A new one arrives by 9 April." not in [fields["sentence"] for fields in team.fields["support"]]


def test_a_right_mend_of_most_of_the_draft_is_not_too_much(revise, conversation):
    """Every statement was wrong, and what was wrong had to change."""
    texts = {"leaked after 9 days": "leaked from the first day on", "refunded 39.90 at once": "sent a replacement"}
    texts["A new one arrives by 9 April"] = "It arrives by Thursday, as the agent promised"
    errors = [note(conversation, quote) for quote in texts]
    edits = [edit(old, new, [f"e{n}"]) for n, (old, new) in enumerate(texts.items(), start=1)]
    scripted_team.join(edits=lambda _: {"edits": edits}, check=checks(count=3))
    revision = revise(errors, max_change=0.3)
    assert (revision.verdict, len(revision.applied)) == (Verdict.VERIFIED, 3)


ASKED = "The agent provided details of the phone, with its model, colour, background image and carriage."


@pytest.mark.parametrize(("said_new", "verdict"), [(False, Verdict.VERIFIED), (True, Verdict.REJECTED)])
def test_the_check_of_speakers_gives_way_to_an_analyst_that_was_asked(call, lm, said_new, verdict):
    """The agent asks for details and the customer gives them. The check takes the question for the statement."""
    turns = (
        Turn(speaker="Customer", text="I left my phone on the train."),
        Turn(speaker="Agent", text="Which model was it, what was the colour and background image, and which carriage?"),
        Turn(speaker="Customer", text="A 6s, black, with a woman on a chair, in the fourth one."),
        *(Turn(speaker=speaker, text="Thanks.") for speaker in ("Agent", "Customer") * 3),
    )
    talk = Conversation(id="phone", turns=turns)
    draft = f"The customer left a phone on the train. {ASKED}"
    wrong = locate_error(draft, talk, category="wrong_speaker", quote="The agent provided", evidence=[2, 3])
    new = [found("The customer provided", "wrong_speaker", evidence=(3,))] if said_new else []
    scripted_team.join(
        edits=lambda _: {"edits": [edit("The agent provided", "The customer provided")]}, check=checks(new=new)
    )
    assert run_checks(talk, draft.replace("agent p", "customer p"), enabled=["speakers"]), "the check's mistake"
    propose = EditSummary(retries=0)
    propose.set_lm(lm)
    program = Revise(propose, VerifyRevision(scripted_team.analyzer_of(lm, checks=True)), attempts=1)
    assert call(program, conversation=talk, draft=draft, errors=(wrong,)).revision.verdict is verdict


def corrected(correction, quote="refunded 39.90", category="wrong_fact") -> dict:
    return {**found(quote, category), "correction": correction}


def revise_at_once(call, lm, conversation, *errors, check=None):
    """Analyse and revise DRAFT with an analyst that is the editor too."""
    team = scripted_team.join(
        find=lambda _: {"errors": list(errors)},
        check=check or checks(),
        edits=lambda _: {"edits": [edit(), edit("9 April", "Thursday", ["e2"])]},
    )
    analyze = Analyze(HolisticAnalysis(retries=0, corrections=True), checks=False)
    program = Revise(EditSummary(retries=0, corrections=True), VerifyRevision(analyze, min_words=5))
    program.set_lm(lm)
    return call(program, conversation=conversation, draft=DRAFT).revision, team


def test_a_draft_is_mended_by_the_corrections_of_the_analysis(call, lm, conversation):
    missing = [
        corrected(": she chose it", "", "missing_outcome"),
        corrected("She asked for help.", "", "missing_reason"),
    ]
    errors = [corrected("sent a replacement"), corrected("", " at once"), *missing]
    revision, team = revise_at_once(call, lm, conversation, *errors, check=checks(count=4))
    assert revision.verdict is Verdict.VERIFIED
    first, rest = MENDED.replace(" at once", "").split("days. ")
    assert revision.after == f"{first}days. She asked for help. {rest} She chose it."
    assert team.asked == {"find": 1, "check": 1}
    assert [edit.mends for edit in revision.applied] == [(note.id,) for note in revision.errors]


def test_an_error_within_corrected_words_needs_no_correction(conversation):
    checked = note(conversation, "39.90", "fabricated", source="check")
    wider = note(conversation, "refunded 39.90").model_copy(update={"correction": "sent a replacement"})
    (edit,) = corrections_of([checked, wider], DRAFT)
    assert edit.mends == (wider.id, checked.id)
    beside = note(conversation, "39.90 at once", "fabricated", source="check")
    assert corrections_of([beside, wider], DRAFT) is None


@pytest.mark.parametrize("without", [found("9 April"), corrected("", "", "missing_outcome")])
def test_the_editor_is_asked_where_a_correction_is_missing(call, lm, conversation, without):
    revision, team = revise_at_once(call, lm, conversation, corrected("sent a replacement"), without)
    assert team.asked["edits"] == 1
    assert revision.after == MENDED.replace("9 April", "Thursday")


def test_the_editor_is_asked_after_a_correction_that_is_wrong(call, lm, conversation):
    revision, team = revise_at_once(
        call,
        lm,
        conversation,
        corrected("offered"),
        check=lambda fields: checks(*(["e1"] if "offered" in fields["summary"] else []))(fields),
    )
    assert (revision.attempts, team.asked["edits"], revision.verdict) == (2, 1, Verdict.VERIFIED)
    assert 'became "offered"' in team.fields["edits"][0]["feedback"]

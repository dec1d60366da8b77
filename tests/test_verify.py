import pytest
import scripted_team

from arf_programs.programs.verify import VerifyRevision, budget_problems, compare_errors, ungained
from signatures.records import ErrorNote, SentenceScore

BEFORE = "The customer reported that a kettle leaked. The agent refunded 39.90 at once."
AFTER = "The customer reported that a kettle leaked. The agent sent a replacement."


def note(category="wrong_fact", quote="refunded 39.90", *, source="lm", name=None) -> ErrorNote:
    return ErrorNote(
        id=name or f"{category}:{quote}", category=category, quote=quote, source=source, explanation="Why."
    )


def verifier(lm, **budget):
    return VerifyRevision(scripted_team.analyzer_of(lm), **{"max_change": 0.6, "min_words": 5, **budget})


def verify(call, program, conversation, after, *, errors=None, before=BEFORE):
    errors = [note()] if errors is None else errors
    return call(program, conversation=conversation, before=before, after=after, errors=errors).verification


def finds(**error):
    given = {"quote": "", "evidence": [], "explanation": "Why.", "category": "wrong_fact", "severity": "major"}
    scripted_team.join(find=lambda _: {"errors": [{**given, **error}]} if error else {"errors": []})


def test_a_revision_without_errors_passes(call, lm, conversation):
    finds()
    verification = verify(call, verifier(lm), conversation, AFTER)
    assert verification.passed
    assert verification.errors() == ()


def test_an_error_that_is_found_again_remains(call, lm, conversation):
    finds(quote="refunded 39.90 at once")
    verification = verify(call, verifier(lm), conversation, BEFORE)
    assert [item.quote for item in verification.remaining] == ["refunded 39.90 at once"]
    assert verification.new == ()
    assert verification.problems == ('this error is still there: wrong_fact at "refunded 39.90 at once". Why.',)


def test_a_new_error_is_told_apart(call, lm, conversation):
    finds(quote="a replacement", category="fabricated")
    verification = verify(call, verifier(lm), conversation, AFTER)
    assert verification.remaining == ()
    assert [item.category for item in verification.new] == ["fabricated"]
    assert verification.problems[0].startswith('the revision brought in a new error: fabricated at "a replacement"')


def test_words_that_were_wrong_and_are_still_there_remain_even_if_overlooked(call, lm, conversation):
    finds()
    verification = verify(call, verifier(lm), conversation, BEFORE)
    assert verification.remaining == (note(),)


def test_the_budget_is_checked(call, lm, conversation):
    finds()
    verification = verify(call, verifier(lm, max_change=0.1), conversation, AFTER)
    assert verification.errors() == ()
    assert not verification.passed
    assert "too much was changed" in verification.problems[0]
    verification = verify(call, verifier(lm, min_words=30, max_change=1), conversation, "It leaked.")
    assert "too little is left: 2 words" in verification.problems[0]


@pytest.mark.parametrize(
    ("before", "after", "text", "remaining", "new"),
    [
        ([note()], [], "all mended", 0, 0),
        ([note()], [note(quote="refunded")], "refunded", 1, 0),
        ([note()], [note("fabricated")], "x", 0, 1),
        ([note(source="check")], [], "refunded 39.90", 0, 0),  # a check does not overlook
        ([note(quote="9")], [], "It cost 39 euros.", 0, 0),  # part of another number
        ([note(quote="39")], [], "It cost 39.90.", 0, 0),
        ([note(quote="9")], [], "It came on 9 April.", 1, 0),
        ([note(quote="refunded,")], [], "It was refunded, at last.", 1, 0),
        ([note(quote="anna")], [], "Anna called.", 0, 0),  # its spelling was mended
        ([note(quote="!!")], [], "It came!!", 1, 0),
        ([note("missing_outcome", "")], [], "anything", 0, 0),
        ([note("missing_outcome", "")], [note("missing_outcome", "")], "anything", 1, 0),
        ([note(), note("fabricated", "at once")], [note("fabricated", "at once")], "refunded 39.90 at once", 2, 0),
    ],
)
def test_errors_are_compared(before, after, text, remaining, new):
    found = compare_errors(before, after, text)
    assert [len(found[0]), len(found[1])] == [remaining, new]


@pytest.mark.parametrize(
    ("before", "after", "problems"),
    [
        ("one two three four", "one two three four", 0),
        ("one two three four", "one two three five", 0),
        ("one two three four", "five six seven eight", 1),
        ("one two three four", "", 2),
        ("one two", "one two", 0),  # a short draft may stay short
        ("one two three four", "one two three", 1),
    ],
)
def test_budgets(before, after, problems):
    assert len(budget_problems(before, after, max_change=0.5, min_words=4)) == problems


@pytest.mark.parametrize(
    ("after", "now", "gained"),
    [
        (["It leaked.", "The agent sent one."], [0.1, 0.3], True),
        (["It leaked.", "The agent sent one."], [0.1, 0.8], False),
        (["It leaked.", "The agent sent one."], [0.1, 0.9], False),
        (["It leaked."], [0.9], True),  # deleted: nothing stands in its place
        (["It leaked.", "The agent sent one.", "Soon."], [0.1, 0.2, 0.85], False),
        (["It leaked.", "The agent sent one."], [0.1, None], True),  # nobody said what it is worth
    ],
)
def test_a_flagged_sentence_has_to_gain(after, now, gained):
    errors = [note().model_copy(update={"score": 0.8})]
    scores = [SentenceScore(sentence=text, score=score, flagged=False) for text, score in zip(after, now, strict=True)]
    problems = ungained("It leaked. The agent refunded 39.90.", " ".join(after), errors, scores)
    assert (problems == []) is gained
    assert all('"The agent refunded 39.90."' in problem for problem in problems)


def test_without_scores_nothing_has_to_gain():
    scores = [SentenceScore(sentence="No.", score=0.9, flagged=True)]
    assert ungained("It leaked. The agent refunded 39.90.", "It leaked. No.", [note()], scores) == []


def test_a_revision_that_gained_nothing_is_not_verified(call, lm, conversation):
    before = "The customer said that the kettle leaked. The agent refunded 39.90 to the customer."
    after = "The customer said that the kettle leaked. The agent repaid the price to the customer."
    scripted_team.join(support=lambda fields: scripted_team.yes(0.3 if "agent" in fields["sentence"] else 0.9))
    analyze = scripted_team.analyzer_of(lm, strategy="sentencewise", logprobs=True)
    program = VerifyRevision(analyze, max_change=0.9, min_words=3)
    errors = [note().model_copy(update={"score": 0.6})]
    verification = verify(call, program, conversation, after, errors=errors, before=before)
    assert any("no better supported" in problem for problem in verification.problems)

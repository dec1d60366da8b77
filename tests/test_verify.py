import pytest
import scripted_team

from arf_programs.programs.revision.verify import Second, VerifyRevision, budget_problems, compare_errors, ungained
from arf_programs.text import Changes
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
    finds(quote="refunded 39.90 later")
    after = BEFORE.replace("at once", "later")
    verification = verify(call, verifier(lm), conversation, after)
    assert [item.id for item in verification.remaining] == [note().id]
    assert verification.new == ()
    assert verification.problems[0].startswith('this error is still there: wrong_fact at "refunded 39.90"')


def test_the_analyst_is_told_what_was_changed_and_which_errors_to_look_for(call, lm, conversation):
    team = scripted_team.join(find=lambda _: {"errors": []})
    verify(call, verifier(lm), conversation, AFTER)
    (fields,) = team.fields["check"]
    assert fields["summary"] == AFTER
    assert fields["errors"] == 'e1. wrong_fact: "refunded 39.90". Why.'
    assert fields["changes"] == '- "refunded 39.90 at once" became "sent a replacement"'
    assert team.asked == {"check": 1}


def test_an_error_that_the_analyst_calls_not_mended_remains_with_the_reason(call, lm, conversation):
    checks = [{"id": "e1", "explanation": "It is still called a refund.", "mended": False}]
    scripted_team.join(check=lambda _: {"checks": checks, "new_errors": []})
    verification = verify(call, verifier(lm), conversation, AFTER)
    assert [(item.id, item.explanation) for item in verification.remaining] == [
        (note().id, "It is still called a refund.")
    ]


def test_a_text_that_did_not_change_is_not_asked_about(call, lm, conversation):
    team = scripted_team.join()
    assert verify(call, verifier(lm), conversation, BEFORE).remaining == (note(),)
    assert verify(call, verifier(lm), conversation, BEFORE, errors=[]).passed
    assert not team.asked


def test_a_sentencewise_analyst_is_asked_about_changed_sentences_alone(call, lm, conversation):
    team = scripted_team.join(support=lambda _: "yes")
    program = VerifyRevision(scripted_team.analyzer_of(lm, strategy="sentencewise"), min_words=5)
    after = BEFORE.replace("refunded 39.90 at once", "promised to send a replacement soon")
    assert verify(call, program, conversation, after).passed
    assert [fields["sentence"] for fields in team.fields["support"]] == [
        "The agent promised to send a replacement soon."
    ]


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
    verification = verify(call, verifier(lm, max_change=0.1), conversation, f"Quite shortly told, {AFTER}")
    assert verification.errors() == ()
    assert not verification.passed
    assert "too much was changed" in verification.problems[0]
    verification = verify(call, verifier(lm, min_words=30, max_change=1), conversation, "It leaked.")
    assert "too little is left: 2 words" in verification.problems[0]


KETTLE = "It cost 9 euros and came on 9 April. The agent refunded 39.90 at once."


def there(quote, text=KETTLE, category="wrong_fact", occurrence=0, **values) -> ErrorNote:
    """A note with its place."""
    start = [place for place in range(len(text)) if text.startswith(quote, place)][occurrence] if quote else None
    given = {"id": f"{category}:{quote}:{start}", "category": category, "quote": quote, "explanation": "Why.", **values}
    return ErrorNote(**given, start=start)


@pytest.mark.parametrize(
    ("after", "errors", "found", "expected"),
    [
        # An error of the draft that was found again remains, with the id that it had.
        ("refunded 39.90 today.", [there("39.90")], ["39.90 today"], "remaining"),
        ("refunded 39.90 today.", [there("39.90")], [], "remaining"),  # overlooked, but its words stand there
        ("refunded 39.90 today.", [there("39.90", source="check")], [], ""),  # a check does not overlook
        ("refunded 40 at once.", [there("39.90")], [], ""),
        ("refunded 40 at once.", [there("39.90")], ["40"], "new"),
        ("sent a new one at once.", [there("39.90")], ["refunded"], ""),  # a quote that is not there is no note
        # Words that the revision did not write were overlooked before.
        ("refunded 40 at once.", [there("39.90")], ["9 April"], "noticed"),
        ("refunded 40 at once.", [there("39.90")], ["9 euros", "at once"], "noticed"),
        # What it removed may make an error of what is left.
        ("refunded 39.90.", [], ["refunded 39.90"], "noticed"),
        ("39.90 at once.", [], ["agent 39.90"], "new"),
    ],
)
def test_what_counts_against_a_revision(after, errors, found, expected):
    text = KETTLE[: KETTLE.index("refunded")] + after
    notes = [there(quote, text) for quote in found if quote in text]
    compared = compare_errors(Changes(KETTLE, text), errors, Second(tuple(notes), checks=True))
    groups = {"remaining": compared.remaining, "new": compared.new, "noticed": compared.noticed}
    assert [name for name, group in groups.items() if group] == ([expected] if expected else [])
    assert {item.id for item in compared.remaining} <= {item.id for item in errors}


def test_a_quote_that_stands_rightly_elsewhere_is_mended():
    """9 euros are 8; 9 April is right."""
    compared = compare_errors(Changes(KETTLE, KETTLE.replace("9 euros", "8 euros")), [there("9")], Second())
    assert compared.remaining == ()
    second = compare_errors(Changes(KETTLE, KETTLE.replace("9 euros", "8 euros")), [there("9", occurrence=1)], Second())
    assert [item.start for item in second.remaining] == [KETTLE.index("9 April")]


@pytest.mark.parametrize(
    ("wrong", "mended"), [("called Anna", "called anna"), ("9 april", "9 April"), ("It came!!", "It came.")]
)
def test_a_mended_spelling_is_mended(wrong, mended):
    quote = wrong.split()[-1]
    quote = "!!" if "!!" in quote else quote
    assert compare_errors(Changes(wrong, mended), [there(quote, wrong)], Second()).remaining == ()


def test_words_may_stay_where_the_analyst_says_that_the_sentence_is_mended():
    """The amount was right and the verb was wrong."""
    after = KETTLE.replace("refunded", "offered")
    wrong = there("39.90")
    assert compare_errors(Changes(KETTLE, after), [wrong], Second(mended={wrong.id: True})).remaining == ()
    elsewhere = KETTLE.replace("9 euros", "8 euros")
    (left,) = compare_errors(Changes(KETTLE, elsewhere), [wrong], Second(mended={wrong.id: True})).remaining
    assert left.id == wrong.id


def missing(explanation, evidence=(), category="missing_outcome") -> ErrorNote:
    name = f"{category}:{explanation}"
    return ErrorNote(id=name, category=category, explanation=explanation, evidence=evidence)


@pytest.mark.parametrize(
    ("old", "found", "expected"),
    [
        (missing("When it arrives.", (4,)), missing("The day of arrival.", (4,)), "remaining"),
        (missing("When it arrives."), missing("When it arrives at home."), "remaining"),
        (missing("When it arrives.", (4,)), missing("That she thanked the agent.", (6,)), "noticed"),
        (None, missing("That she thanked the agent."), "noticed"),
        (None, missing("That the agent refunded the price."), "new"),  # the edit removed it
    ],
)
def test_when_an_omission_counts(old, found, expected):
    changes = Changes(KETTLE, "It cost 9 euros and came on 9 April. The agent was glad.")
    compared = compare_errors(changes, [old] if old else [], Second((found,)))
    groups = {"remaining": compared.remaining, "new": compared.new, "noticed": compared.noticed}
    assert [name for name, group in groups.items() if group] == [expected]


def test_what_a_check_finds_is_new_unless_it_found_it_before():
    changes = Changes(KETTLE, KETTLE.replace("39.90", "40"))
    found = there("9 April", changes.after, "repetition", source="check")
    assert compare_errors(changes, [], Second((found,), checks=True)).new == (found,)
    before = there("9 April", KETTLE, "repetition", source="check")
    assert compare_errors(changes, [], Second((found,), checked_before=(before,), checks=True)).noticed == (found,)


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


LOOP = "It leaked. " + "She was told so. " * 12


@pytest.mark.parametrize(
    ("before", "quotes", "after", "problems"),
    [
        ("It leaked.", [""], "It leaked. The agent sent another one, which arrives by Thursday.", 0),  # an omission
        ("It leaked.", [], "It leaked. The agent sent another one, which arrives by Thursday.", 1),
        (LOOP, [LOOP[11:].strip()], "It leaked. A new one was sent.", 0),
        (LOOP, [], "It leaked. A new one was sent.", 1),
        ("It leaked. The seller paid.", ["The seller paid", "leaked"], "It broke. The shop sent another.", 0),
        ("It leaked. The seller paid.", ["seller"], "No drop was lost. The shop paid.", 1),  # beside the error too
        ("It leaked. The seller paid.", ["seller"], "It leaked. The " + "shop and its owner " * 8 + "paid.", 1),
    ],
)
def test_what_the_errors_ask_for_is_not_too_much(before, quotes, after, problems):
    errors = [ErrorNote(id=str(n), category="wrong_fact", quote=quote) for n, quote in enumerate(quotes)]
    assert len(budget_problems(before, after, errors, max_change=0.5, min_words=2)) == problems


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
    before = "It leaked. The agent refunded 39.90."
    places = ungained(Changes(before, " ".join(after)), errors, scores)
    assert [before[slice(*place)] for place in places] == ([] if gained else ["The agent refunded 39.90."])


def test_without_scores_nothing_has_to_gain():
    scores = [SentenceScore(sentence="No.", score=0.9, flagged=True)]
    changes = Changes("It leaked. The agent refunded 39.90.", "It leaked. No.")
    assert ungained(changes, [note()], scores) == []


def test_a_revision_that_gained_nothing_is_not_verified(call, lm, conversation):
    before = "The customer said that the kettle leaked. The agent refunded 39.90 to the customer."
    after = "The customer said that the kettle leaked. The agent repaid the price to the customer."
    scripted_team.join(support=lambda fields: scripted_team.yes(0.3 if "agent" in fields["sentence"] else 0.9))
    analyze = scripted_team.analyzer_of(lm, strategy="sentencewise", logprobs=True)
    program = VerifyRevision(analyze, max_change=0.9, min_words=3)
    errors = [note().model_copy(update={"score": 0.6})]
    verification = verify(call, program, conversation, after, errors=errors, before=before)
    assert any("no better supported" in problem for problem in verification.problems)

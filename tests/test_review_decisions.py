"""What people decide: lines in files, the state that follows from them, and what it makes of revisions."""

from __future__ import annotations

import pytest
from reviewed_run import DRAFT, conversation, revision, write_run

from arf_programs.corpus import read_labeled_file
from arf_programs.review.acts import Act, change_label, mark_words
from arf_programs.review.agreement import agree_on_edits, agree_on_labels, gather_review, wilson
from arf_programs.review.decisions import WHOLE, Label, Line, Mark, last_to_undo, open_reviews, read_reviews, standing
from arf_programs.review.outcomes import (
    ReviewedRevisions,
    apply_reviews,
    corrected_pairs,
    finished_labels,
    outcome_of,
    reviews_digest,
    shown_of,
    write_labeled_set,
)
from arf_programs.review.rows import at_random, in_teaching_order, read_summaries, revision_rows, summary_rows
from arf_programs.runs import digest
from signatures.exceptions import ConfigError, DataError, QuoteError
from signatures.records import Verdict

VERIFIED, REJECTED, UNCHANGED = revision(1), revision(2), revision(0)
FIXED = DRAFT.replace("lamp", "kettle").replace("Friday", "Thursday")


def line(number: int = 0, **said) -> Line:
    defaults = {"id": f"l{number}", "at": f"2026-01-01T00:00:{number:02d}", "reviewer": "anna", "job": "revision"}
    row = said.pop("row", VERIFIED)
    return Line(**{**defaults, "conversation_id": row.conversation_id, "shown": shown_of(row), **said})


def decided(*choices: str, row=VERIFIED, reviewer: str = "anna", texts=("", "")) -> list[Line]:
    return [
        line(n, id=f"{reviewer}{n}", reviewer=reviewer, row=row, edit=n, choice=choice, rewrite=texts[n])
        for n, choice in enumerate(choices)
    ]


def labelled(text: str, *marks: Mark, name="kettle-01", reviewer="anna", done=True, number=0, **more) -> Line:
    return line(
        number,
        id=f"{reviewer}{name}{number}",
        reviewer=reviewer,
        job="label",
        conversation_id=name,
        system="teacher",
        shown=digest(text),
        label=Label(marks=marks, done=done, **more),
    )


# Lines and their state


def test_the_last_word_counts_and_an_undone_one_does_not():
    lines = [line(1, edit=0, choice="accept"), line(2, edit=0, choice="reject"), line(3, edit=1, choice="accept")]
    assert [(item.edit, item.choice) for item in standing(lines)] == [(0, "reject"), (1, "accept")]
    undone = [*lines, line(4, undoes="l2")]
    assert {(item.edit, item.choice) for item in standing(undone)} == {(0, "accept"), (1, "accept")}
    assert last_to_undo(undone, "anna").id == "l3"
    assert last_to_undo([*undone, line(5, undoes="l3"), line(6, undoes="l1")], "anna") is None


def test_nobody_undoes_the_word_of_another():
    lines = [line(1, edit=0, choice="accept"), line(2, reviewer="ben", undoes="l1")]
    assert [item.choice for item in standing(lines)] == ["accept"]
    assert last_to_undo(lines, "ben") is None


def test_a_line_says_one_thing():
    with pytest.raises(ValueError, match="either about an edit"):
        line(1, edit=0, choice="accept", undoes="l0")
    with pytest.raises(ValueError, match="either about an edit"):
        line(1)


def test_decisions_are_in_the_file_at_once_and_a_torn_line_loses_itself_alone(tmp_path):
    folder = write_run(tmp_path / "run")
    with open_reviews(folder, "anna") as file:
        file.append(file.new_line({"job": "revision", "conversation_id": "kettle-01", "edit": 0, "choice": "accept"}))
        assert [item.choice for item in read_reviews(folder)] == ["accept"]
    path = folder.reviews / "anna.jsonl"
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes() + b'{"id": "torn", "at"')
    assert len(read_reviews(folder)) == 1
    with open_reviews(folder, "anna") as file:
        assert len(file.lines) == 1
        file.append(file.new_line({"job": "revision", "conversation_id": "kettle-01", "edit": 0, "choice": "reject"}))
    assert [item.choice for item in read_reviews(folder)] == ["accept", "reject"]


def test_two_people_have_two_files_and_one_person_one_server(tmp_path):
    folder = write_run(tmp_path / "run")
    with (
        open_reviews(folder, "anna"),
        open_reviews(folder, "ben"),
        pytest.raises(ConfigError, match="another `arf review` of anna"),
        open_reviews(folder, "anna"),
    ):
        pass
    with pytest.raises(ConfigError, match="--reviewer"), open_reviews(folder, "../anna"):
        pass


def test_a_line_that_is_no_decision_is_named(tmp_path):
    folder = write_run(tmp_path / "run")
    folder.reviews.mkdir()
    (folder.reviews / "anna.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(DataError, match=r"anna\.jsonl line 1"):
        read_reviews(folder)


# What the decisions make of a revision


@pytest.mark.parametrize(
    ("choices", "texts", "kind", "text"),
    [
        (("accept", "accept"), ("", ""), "accepted", FIXED),
        (("accept", "reject"), ("", ""), "rejected", DRAFT.replace("lamp", "kettle")),
        (("reject", "reject"), ("", ""), "rejected", DRAFT),
        (("accept", "rewrite"), ("", "Wednesday"), "rewritten", FIXED.replace("Thursday", "Wednesday")),
    ],
)
def test_edits_make_the_text(choices, texts, kind, text):
    own = {item.edit: item for item in decided(*choices, texts=texts)}
    outcome = outcome_of(VERIFIED, own)
    assert (outcome.kind, outcome.text) == (kind, text)


def test_a_revision_is_open_until_every_edit_is_decided():
    assert outcome_of(VERIFIED, {0: decided("accept")[0]}) is None
    whole = line(1, edit=WHOLE, choice="rewrite", rewrite="My words.")
    assert outcome_of(VERIFIED, {WHOLE: whole}).text == "My words."
    assert outcome_of(UNCHANGED, {WHOLE: line(1, row=UNCHANGED, edit=WHOLE, choice="accept")}).kind == "accepted"


def test_prefer_puts_peoples_texts_in_place_and_only_keeps_nothing_else():
    rows = [VERIFIED, REJECTED, UNCHANGED]
    lines = [*decided("accept", "rewrite", row=REJECTED, texts=("", "Sunday")), *decided("reject", "accept")]
    preferred = {row.conversation_id: row for row in apply_reviews(rows, lines, "prefer")}
    mended = preferred[REJECTED.conversation_id]
    assert (mended.verdict, mended.human) == (Verdict.VERIFIED, "rewritten")
    assert mended.after == FIXED.replace("Thursday", "Sunday")
    refused = preferred[VERIFIED.conversation_id]
    assert (refused.verdict, refused.human, refused.after) == (
        Verdict.REJECTED,
        "rejected",
        DRAFT.replace("Friday", "Thursday"),
    )
    assert preferred[UNCHANGED.conversation_id] == UNCHANGED
    assert [row.conversation_id for row in apply_reviews(rows, lines, "only")] == [REJECTED.conversation_id]
    assert list(apply_reviews(rows, lines, "ignore")) == rows


def test_a_rejected_or_rewritten_text_makes_a_pair_with_what_it_was():
    lines = [*decided("reject", "accept"), *decided("accept", "accept", row=REJECTED)]
    ((better, worse),) = corrected_pairs([VERIFIED, REJECTED], lines)
    assert (better.after, worse.after) == (DRAFT.replace("Friday", "Thursday"), FIXED)


def test_a_decision_about_another_text_does_not_count():
    other = VERIFIED.model_copy(update={"after": FIXED + " Goodbye."})
    assert ReviewedRevisions(decided("accept", "accept")).outcome(other) is None
    assert ReviewedRevisions(decided("accept", "accept")).outcome(VERIFIED).kind == "accepted"


def test_the_newest_of_two_peoples_words_counts():
    anna, ben = decided("accept", "accept"), decided("reject", "reject", reviewer="ben")
    later = [item.model_copy(update={"at": "2026-02-01"}) for item in ben]
    assert ReviewedRevisions([*anna, *later]).outcome(VERIFIED).reviewer == "ben"
    later = [item.model_copy(update={"at": "2026-03-01"}) for item in anna]
    assert ReviewedRevisions([*later, *ben]).outcome(VERIFIED).reviewer == "anna"


def test_the_hash_follows_what_the_decisions_change_and_nothing_else():
    rows = [VERIFIED, REJECTED]
    accepted = decided("accept", "accept")
    assert reviews_digest(rows, []) == "" == reviews_digest(rows, [labelled(DRAFT)])
    first = reviews_digest(rows, accepted)
    assert first == reviews_digest(rows, [*accepted, line(9, edit=0, choice="reject"), line(10, undoes="l9")])
    assert first not in ("", reviews_digest(rows, decided("accept", "reject")))


# Labels


def act(op: str, **more) -> Act:
    return Act(op=op, job="label", row="r", **more)


def labelled_by(*acts: Act) -> Label:
    label, at = Label(), -1
    for item in acts:
        label, at = change_label(item.model_copy(update={"at": at}), label, DRAFT, conversation(1))
    return label


def test_a_label_grows_act_by_act():
    start = DRAFT.index("lamp")
    label = labelled_by(
        act("mark", category="wrong_fact", start=start, end=start + 4),
        act("evidence", turn=2),
        act("evidence", turn=3),
        act("evidence", turn=3),
        act("explain", text="It was a kettle."),
        act("rate", aspect="faithful", value=2),
        act("revise", text=FIXED),
        act("finish"),
    )
    wanted = Mark(category="wrong_fact", quote="lamp", start=start, evidence=(2,), explanation="It was a kettle.")
    assert label == Label(marks=(wanted,), faithful=2, revised=FIXED, done=True)


def test_a_label_that_is_right_is_open_again_with_a_mark():
    assert labelled_by(act("right")).done
    label = labelled_by(act("right"), act("mark", category="missing_reason"))
    assert (label.done, label.marks[0].quote) == (False, "")
    assert labelled_by(act("mark", category="wrong_fact"), act("mark", category="denied")).marks[0].category == "denied"
    assert labelled_by(act("mark", category="wrong_fact"), act("remove")).marks == ()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (act("mark"), "kind of error"),
        (act("finish"), "mark an error first"),
        (act("evidence", turn=1), "choose a mark"),
        (act("mark", category="wrong_fact", start=1, end=2), "whole words"),
    ],
)
def test_an_impossible_act_says_why(wanted, message):
    with pytest.raises(QuoteError, match=message):
        change_label(wanted, Label(), DRAFT, conversation(1))


def test_a_turn_that_does_not_exist_is_refused():
    with pytest.raises(QuoteError, match="no such turn"):
        labelled_by(act("mark", category="wrong_fact"), act("evidence", turn=4))


def test_words_are_marked_without_the_punctuation_around_them():
    assert mark_words(DRAFT, DRAFT.index("39 was"), len(DRAFT), "wrong_fact").quote == "39 was paid"


def test_labels_are_a_labelled_set_that_labeled_path_reads(tmp_path):
    folder = write_run(tmp_path / "run")
    mark = mark_words(DRAFT, DRAFT.index("lamp"), DRAFT.index("lamp") + 4, "wrong_fact").model_copy(
        update={"evidence": (2,), "explanation": "A kettle."}
    )
    lines = [
        labelled(DRAFT, mark, revised=FIXED, rating=2, faithful=1),
        labelled(DRAFT, name="kettle-02", number=1),
        labelled(DRAFT, mark, name="kettle-03", number=2, done=False),
        labelled(DRAFT, name="kettle-13", number=3),  # of the holdout
        labelled("another text", name="kettle-04", number=4),
    ]
    training = {name: conversation(int(name[-2:])) for name in (f"kettle-{n:02d}" for n in range(12))}

    def write(lines):
        return write_labeled_set(folder.labeled, finished_labels(read_summaries(folder), lines), training)

    assert write(lines) == 2
    one, other = read_labeled_file(folder.labeled)
    (note,) = one.errors
    assert (note.quote, note.evidence, note.category, note.source) == ("lamp", (2,), "wrong_fact", "human")
    assert (one.conversation.id, one.revised, one.rating, one.system) == ("kettle-01", FIXED, 2, "teacher")
    assert one.conversation.turns == conversation(1).turns
    assert (other.conversation.id, other.errors, other.summary) == ("kettle-02", (), DRAFT)
    assert write([]) == 0
    assert folder.labeled.read_text() == ""


# Rows


def test_the_order_is_seeded_and_what_teaches_most_comes_early(tmp_path):
    rows = revision_rows(write_run(tmp_path / "run", count=30), seed=3)
    first = in_teaching_order(rows, 3)
    assert first == in_teaching_order(rows, 3)
    assert first != in_teaching_order(rows, 4)
    assert sorted(row.key for row in first) == sorted(row.key for row in rows)
    taught = [row for row in first[:10] if row.verdict != "unchanged"]
    by_chance = [row for row in at_random(rows, 3)[:10] if row.verdict != "unchanged"]
    assert len(taught) > len(by_chance)
    assert "kettle" not in first[0].key


def test_summaries_of_every_system_are_rows(tmp_path):
    rows = summary_rows(write_run(tmp_path / "run"), seed=3)
    assert {(row.side, row.system) for row in rows} == {
        ("train", "teacher"),
        ("holdout", "teacher"),
        ("holdout", "student_arf"),
    }
    assert len({row.key for row in rows}) == 16


# Figures


def test_precision_comes_from_the_first_random_rows_alone(tmp_path):
    folder = write_run(tmp_path / "run")
    verified = at_random([row for row in revision_rows(folder, 0) if row.verdict == "verified"], 0)
    numbers = [int(row.conversation_id[-2:]) for row in verified]
    lines = [
        *decided("accept", "accept", row=revision(numbers[0])),
        *decided("accept", "reject", row=revision(numbers[1])),
        *decided("reject", "reject", row=revision(numbers[3])),
    ]
    figures = gather_review(folder, lines, seed=0)
    assert (figures.precision.value, figures.precision.n, figures.precision.sample) == (0.5, 2, True)
    assert (round(figures.precision_of_all.value, 3), figures.precision_of_all.n) == (0.333, 3)
    assert not figures.precision_of_all.sample
    assert figures.outcomes == {"accepted": 1, "rejected": 2}
    assert gather_review(folder, [], seed=0) is None


def test_wilsons_interval_is_that_of_the_books():
    share = wilson(8, 10)  # Brown, Cai and DasGupta (2001): 0.49 to 0.94
    assert (round(share.low, 2), round(share.high, 2)) == (0.49, 0.94)
    assert not share.is_narrow
    assert wilson(80, 100).is_narrow
    assert not wilson(80, 100, sample=False).is_narrow
    assert wilson(0, 0) is None


def test_error_rates_are_those_of_the_labels(tmp_path):
    folder = write_run(tmp_path / "run")
    mark = Mark(category="wrong_fact", quote="lamp", start=DRAFT.index("lamp"))
    lines = [labelled(DRAFT, *([mark] if n % 4 == 0 else []), name=f"kettle-{n:02d}", number=n) for n in range(12)]
    rates = gather_review(folder, lines, seed=0).error_rates
    assert list(rates) == ["teacher (training side)"]
    assert (rates["teacher (training side)"].value, rates["teacher (training side)"].sample) == (0.25, True)


def test_agreement_of_labels_is_measured_by_category(tmp_path):
    folder = write_run(tmp_path / "run")
    fact, made_up = Mark(category="wrong_fact"), Mark(category="fabricated")
    given = {"anna": [[fact], [fact], [], [made_up]], "ben": [[fact], [], [], [made_up]]}
    lines = [
        labelled(DRAFT, *marks, name=f"kettle-{n:02d}", reviewer=who, number=n)
        for who, rows in given.items()
        for n, marks in enumerate(rows)
    ]
    found = {row.category: row for row in agree_on_labels(finished_labels(read_summaries(folder), lines))}
    assert {name: (row.n, row.kappa) for name, row in found.items()} == {
        "any error": (4, 0.5),
        "wrong_fact": (4, 0.5),
        "fabricated": (4, 1.0),
    }


def test_agreement_on_edits_is_measured_by_the_category_that_they_mend():
    rows = [revision(n) for n in (1, 4, 7, 10)]
    anna = [("accept", "accept"), ("accept", "reject"), ("accept", "accept"), ("reject", "reject")]
    ben = [("accept", "accept"), ("reject", "reject"), ("accept", "accept"), ("reject", "reject")]
    lines = [
        item
        for who, given in (("anna", anna), ("ben", ben))
        for row, choices in zip(rows, given, strict=True)
        for item in decided(*choices, row=row, reviewer=who)
    ]
    found = {row.category: row for row in agree_on_edits(rows, ReviewedRevisions(lines))}
    assert (found["wrong_fact"].n, found["wrong_fact"].kappa) == (4, 0.5)
    assert found["fabricated"].kappa == 1.0
    assert (found["any edit"].n, found["any edit"].exact) == (8, 0.875)

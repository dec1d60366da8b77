"""The report shows what the systems write, says who looked, and puts plain words before figures."""

from __future__ import annotations

import re

from conftest import open_project
from test_compare import rewrite
from test_report import Page, case, comparison, full, summary

from arf_programs.report.data import HoldoutCase, ReportData, RunSummary
from arf_programs.report.gather import holdout_cases
from arf_programs.report.page.cases import build_holdout
from arf_programs.report.page.headline import headline
from arf_programs.report.page.render import render_report
from signatures.records import Conversation, ErrorNote, Turn


def held(name: str, student: str, errors: int = 0, teacher_errors: int = 0) -> HoldoutCase:
    def notes(text: str, count: int) -> tuple[ErrorNote, ...]:
        return tuple(
            ErrorNote(
                id=f"e{number}", category="wrong_fact", quote="1,24", start=text.rfind("1,24"), explanation="Why."
            )
            for number in range(count)
        )

    return HoldoutCase(
        conversation=Conversation(
            id=name, turns=(Turn(speaker="Customer", text="I paid."),), references=("The reference.",)
        ),
        summaries={"base": "The base.", "teacher": "The teacher 1,24.", "student_arf": student},
        errors={"student_arf": notes(student, errors), "teacher": notes("The teacher 1,24.", teacher_errors)},
        ratings={"student_arf": 4},
    )


def page_of(**more: object) -> str:
    return render_report(full().model_copy(update=more))


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>\s*(?=<section id=|<footer|</main)', page, re.DOTALL)
    assert found, name
    return found[0]


def test_reference_teacher_and_student_stand_beside_the_conversation():
    shown = section(page_of(holdout=(held("one", "The student 1,240 and 1,24.", 1),), holdout_total=70), "holdout")
    words = Page(shown).words()
    assert "1 of 70 conversations" in words
    places = [words.index(text) for text in ("I paid.", "The reference.", "The teacher", "The student", "The base.")]
    assert places == sorted(places)
    assert "student 1 error" in words and "rated 4" in words


def test_a_mark_stands_at_the_place_of_its_quote():
    (item,) = build_holdout(
        ReportData(name="x", summary=RunSummary(), holdout=(held("one", "It was 1,240, then 1,24.", 1),))
    )
    student = next(made for made in item.summaries if made.system == "student_arf")
    assert [piece.text for piece in student.pieces] == ["It was 1,240, then ", "1,24", "."]
    assert [bool(piece.errors) for piece in student.pieces] == [False, True, False]


def test_the_largest_difference_comes_first_and_other_orders_are_at_hand():
    cases = (held("same", "a 1,24", 1, 1), held("better", "b", 0, 3), held("worse", "c 1,24", 2, 0))
    shown = section(page_of(holdout=cases, holdout_total=3), "holdout")
    assert re.findall(r'<b dir="auto">(\w+)</b>', shown) == ["better", "worse", "same"]
    better = re.search(r'data-difference="3" data-student="0" data-teacher="3" data-better="3"', shown)
    assert better and 'value="student"' in shown


def test_the_holdout_of_a_run_is_gathered_with_its_errors(project):
    run = open_project(project)
    victim = next(iter(run.conversations("holdout")))

    def flaw(row):
        if row["conversation_id"] == victim and row["system"] == "student_arf":
            row["errors"] = [{"id": f"x{n}", "category": "fabricated", "source": "check"} for n in range(9)]
        return row

    rewrite(run.folder.scores, flaw)
    cases = holdout_cases(run)
    assert [item.conversation.id for item in cases] == list(run.conversations("holdout"))
    found = next(item for item in cases if item.conversation.id == victim)
    assert len(found.errors["student_arf"]) == 9
    assert {"teacher", "student_arf", "base"} <= set(found.summaries)


def checks_alone() -> RunSummary:
    figures = summary()
    figures["evaluate"]["checks_alone"] = True  # type: ignore[index]
    figures["revise"]["checks_alone"] = True  # type: ignore[index]
    return RunSummary.model_validate(figures)


def test_what_no_model_read_is_not_called_verified():
    page = Page(page_of(summary=checks_alone(), revisions=(case(),))).words()
    assert "502 revisions passed the checks" in page
    assert "502 verified" not in page and "502 passed the checks" in page
    assert "Summaries with an error that the automatic checks could see" in page
    assert "verified 502" not in page and "Verified" not in page
    looked = Page(page_of(revisions=(case(),))).words()
    assert "502 verified revisions" in looked and "passed the checks" not in looked
    assert "Summaries with an error that" not in looked


def test_the_headline_is_plain_and_has_its_figures_on_demand():
    unclear = RunSummary.model_validate(summary({**comparison(-0.3, 0.1), "settles_at": 78, "p": 0.2}))
    opening = headline(unclear)
    assert "40 held-out conversations are too few to tell the two apart. To be fairly sure, you need about 78." in (
        opening.plain
    )
    assert not any("interval" in sentence or "permutation" in sentence for sentence in opening.plain)
    overview = section(page_of(summary=unclear), "overview")
    plain, _, figures = overview.partition("<details")
    assert "you need about 78" in plain and "permutation test" not in plain
    assert "A paired permutation test gives p = 0.200" in figures


def test_the_caution_and_what_speaks_against_it_are_not_hidden():
    rows = (comparison(-0.4, -0.1), comparison(-1.0, -0.5, metric="rating"))
    opening = headline(RunSummary.model_validate(summary(*rows)))
    assert "But it is worse by: Judge's rating, 1 to 5." in opening.plain
    assert "The difference is larger than chance would explain." in opening.plain


def test_a_metric_that_repeats_another_has_no_column():
    figures = summary()
    for values in figures["evaluate"]["systems"].values():  # type: ignore[index]
        values["check_error_rate"] = values["error_rate"]
    assert "With an error, checks alone" not in Page(page_of(summary=RunSummary.model_validate(figures))).words()

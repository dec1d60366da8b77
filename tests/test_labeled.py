"""The labelled set: located errors, and every problem at once."""

import json

import pytest

from arf_programs.config.schema import ColumnsConfig, LabeledConfig
from arf_programs.corpus.labeled import label_notes, read_labeled
from signatures.exceptions import DataError
from signatures.records import Conversation, Turn

TURNS = (Turn(speaker="Customer", text="My bill is 40 too high."), Turn(speaker="Agent", text="I will refund 40."))
KNOWN = {"bill": Conversation(id="bill", channel="email", turns=TURNS)}
SUMMARY = "The customer’s bill was 50 too high. The agent will refund it."


def read(folder, *rows, columns=None, newline="\n"):
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + newline
    (folder / "labeled.jsonl").write_text(text, encoding="utf-8")
    return read_labeled(LabeledConfig(path="labeled.jsonl"), KNOWN, ColumnsConfig(**columns or {}), folder)


def problems(folder, *rows):
    with pytest.raises(DataError) as error:
        read(folder, *rows)
    return str(error.value).split("\n")


def test_no_labelled_set_is_none(tmp_path):
    assert read_labeled(LabeledConfig(), KNOWN, ColumnsConfig(), tmp_path) == ()


def test_a_row_about_a_conversation_of_the_corpus(tmp_path):
    error = {"category": "wrong_fact", "quote": "the customer's bill was 50", "evidence": [1], "severity": "critical"}
    row = {"id": "bill", "summary": SUMMARY, "errors": [error], "revised": SUMMARY.replace("50", "40"), "by": "Kim"}
    (example,) = read(tmp_path, row)
    assert example.conversation is KNOWN["bill"]
    assert example.revised == SUMMARY.replace("50", "40")
    (note,) = example.errors
    assert note.quote == "The customer’s bill was 50"  # as the summary has it
    assert (note.category, note.evidence, note.severity, note.explanation) == ("wrong_fact", (1,), "critical", "")


def test_errors_may_have_a_category_alone_and_null_for_the_rest(tmp_path):
    rest = dict.fromkeys(("quote", "evidence", "explanation"))
    (example,) = read(
        tmp_path, {"id": "bill", "summary": SUMMARY, "errors": [{"category": "x"}, {"category": "y", **rest}]}
    )
    assert [(note.category, note.quote, note.evidence) for note in example.errors] == [("x", "", ()), ("y", "", ())]
    assert example.revised is None


def test_a_row_may_bring_its_conversation(tmp_path):
    lines = "Customer: Hello\nAgent: Good day"
    rows = (
        {"conversation": lines, "summary": "A greeting.", "errors": []},
        {"id": "bill", "conversation": lines, "summary": "A greeting.", "errors": []},
        {"key": "k", "dialogue": [{"speaker": "A", "text": "b"}], "summary": "A letter.", "errors": []},
    )
    first, second, third = read(tmp_path, *rows, columns={"id": "key", "conversation": "dialogue"})
    assert len(first.conversation.id) == 16
    assert (second.conversation.id, len(second.conversation.turns)) == ("bill", 2)
    assert second.conversation.turns == first.conversation.turns != TURNS
    assert (third.conversation.id, third.conversation.turns) == ("k", (Turn(speaker="A", text="b"),))


def test_all_problems_are_told_at_once_with_their_lines(tmp_path):
    good = {"id": "bill", "summary": SUMMARY, "errors": []}
    lines = problems(
        tmp_path,
        good,
        "{broken",
        {**good, "id": "other"},
        {"summary": SUMMARY, "errors": []},
        {"id": "bill", "errors": []},
        {"id": "bill", "summary": SUMMARY},
        {**good, "errors": [{"quote": "bill"}, {"category": "x", "severity": "awful"}]},
        {**good, "errors": [{"category": "x", "quote": "not there"}, {"category": "x", "evidence": [3]}]},
        {**good, "conversation": "nobody speaks"},
        {**good, "revised": " "},
        {"id": "other", "summary": ""},
    )
    expected = [
        " line 2: not valid JSON",
        " lines 3, 11 (2 times): no conversation of id 'other'",
        " line 4: neither an id nor a conversation",
        " line 5: summary: Field required",
        " lines 6, 11 (2 times): errors: Field required: write [] for a summary without errors",
        " line 7: error 1: category: Field required",
        " line 7: error 2: severity: Input should be",
        " line 8: error 1: the summary of bill does not contain the quote 'not there'",
        " line 8: error 2: bill has turns 1 to 2, not turn 3",
        " line 9: the text begins with 'nobody speaks'",
        " line 10: revised: String should have at least 1 character",
        " line 11: summary: String should have at least 1 character",
    ]
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(f"labeled.jsonl{start}")


def test_the_same_wrong_key_in_many_rows_is_one_problem(tmp_path):
    wrong = {"id": "bill", "summary": SUMMARY, "errors": [{"kategory": "wrong_fact"}]}
    (line,) = problems(tmp_path, *[wrong] * 12)
    assert line == "labeled.jsonl lines 1-12 (12 times): category: Field required"


def test_files_without_labelled_rows(tmp_path):
    assert "holds no labelled rows" in problems(tmp_path)[0]
    with pytest.raises(DataError, match="half-written"):
        read(tmp_path, '{"id": "bill", "summ', newline="")
    with pytest.raises(DataError, match=r"absent.jsonl: no such file.*labeled\.path"):
        read_labeled(LabeledConfig(path="absent.jsonl"), KNOWN, ColumnsConfig(), tmp_path)


def test_a_rating_is_a_whole_number_from_1_to_5(tmp_path):
    row = {"id": "bill", "summary": SUMMARY, "errors": []}
    rated, unrated = read(tmp_path, {**row, "rating": 4}, {**row, "rating": None})
    assert (rated.rating, unrated.rating) == (4, None)
    (problem,) = problems(tmp_path, {**row, "rating": 6})
    assert "line 1" in problem and "rating" in problem


def test_keys_that_nothing_reads_and_unknown_categories_are_named(make_run, tmp_path):
    error = {"category": "wrong_fakt", "evidense": [1]}
    row = {"id": "c00", "summary": "It broke.", "errors": [{"category": "wrong_fact"}, error], "by": "Kim"}
    good = {"id": "c01", "summary": "It broke.", "errors": [], "reviewer": "Kim", "aspects": {}, "channel": "email"}
    lines = [json.dumps(good), json.dumps(row), json.dumps(row)]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    notes = label_notes(make_run("labeled.path=labels.jsonl"))
    where = "labels.jsonl lines 2-3 (2 times):"
    seed = "the seed taxonomy (analyze.taxonomy is not set)"
    assert notes == [
        f"{where} key 'by' is not read: nothing needs it",
        f"{where} key 'evidense' is not read: did you mean evidence?",
        f"{where} category 'wrong_fakt' is not in {seed}: did you mean wrong_fact?",
    ]
    own = "categories:\n- {id: tone, name: Tone, definition: Wrong tone.}\n"
    (tmp_path / "own.yaml").write_text(own, encoding="utf-8")
    notes = label_notes(make_run("labeled.path=labels.jsonl", "analyze.taxonomy=own.yaml"))
    assert f"{where} category 'wrong_fact' is not in own.yaml: add it there, or use one of tone" in notes
    assert label_notes(make_run()) == []

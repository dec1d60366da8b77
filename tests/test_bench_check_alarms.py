"""`bench/check_alarms.py` counts what the checks report in right texts, and what they find of planted errors."""

import json

import check_alarms
import pytest

TALK = "Customer: @GWRHelp my train of 5 May cost £40\nAgent: Sorry, Carla. We refund £40 on Monday."


@pytest.fixture
def texts(tmp_path):
    def read(**row):
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps({"conversation": TALK, **row}) + "\n", encoding="utf-8")
        return check_alarms.read_texts(path)

    return read


def test_right_texts_are_references_corrections_and_summaries_without_errors(texts):
    found = texts(references=["A", "B", "A"], revised="C", summary="D", errors=[])
    assert [item.text for item in found] == ["A", "B", "C", "D"]
    assert texts(summary="wrong", errors=[{"category": "wrong_fact"}]) == []
    assert [(item.text, item.kind) for item in texts()] == [("Sorry, Carla. We refund £40 on Monday.", "turns")]


def test_each_check_is_counted_once_a_text(texts):
    found = texts(references=["GWR refunds £40.", "Both LNER and Marek refund £50 and £60."])
    alarms = check_alarms.find_alarms(found, ("numbers", "names"))
    assert [(alarm.check, alarm.text.text[:4]) for alarm in alarms] == [("numbers", "Both")] * 2 + [
        ("names", "Both")
    ] * 2
    rows = check_alarms.alarm_table("x", found, alarms)
    assert [row.split("|")[3].strip() for row in rows if "| numbers |" in row or "| names |" in row] == ["1 of 2"] * 2
    assert "0 of 2" in next(row for row in rows if "| codes |" in row)


def test_planted_values_are_from_outside_and_are_found(texts):
    found = check_alarms.plant(texts(references=["The agent sends Carla £40 back for the train of 5 May."]))
    assert {item.kind for item in found} == {"amount", "date", "name", "speaker"}
    assert all(item.hit for item in found if item.kind != "speaker")
    assert not check_alarms._check(found[0].text, "name", 16, 21, "Carla").hit

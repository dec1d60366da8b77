"""Properties of the files of a run: records in lines, their repair after a crash, the index by key, and hashes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from strategies import hostile_text

from arf_programs.runs import JsonlAppender, JsonlIndex, digest, read_jsonl, write_jsonl_atomic
from signatures.records import Conversation, Edit, EditOp, ErrorNote, Rating, Summary, Turn

turns = st.builds(Turn, speaker=hostile_text.filter(bool), text=hostile_text)
shares = st.none() | st.floats(0, 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile_text, inner, max_size=3),
    max_leaves=6,
)
conversations = st.builds(
    Conversation,
    id=hostile_text.filter(bool),
    channel=hostile_text,
    turns=st.lists(turns, min_size=1, max_size=3).map(tuple),
    references=st.lists(hostile_text, max_size=2).map(tuple),
    metadata=st.dictionaries(hostile_text, json_values, max_size=3),
)
notes = st.builds(ErrorNote, id=hostile_text, category=hostile_text, quote=hostile_text, score=shares)
edits = st.builds(Edit, op=st.sampled_from(EditOp), quote=hostile_text, replacement=hostile_text, gain=shares)
names = st.sampled_from("abcde") | hostile_text


def folder(tmp_path: Path) -> Path:
    """A file that does not exist yet: the examples of a test share its folder."""
    path = tmp_path / "rows.jsonl"
    path.unlink(missing_ok=True)
    return path


@settings(max_examples=60)
@given(rows=st.lists(conversations, max_size=4), more=st.lists(conversations, max_size=3))
def test_rows_come_back_as_they_were_written_and_appended(
    tmp_path: Path, rows: list[Conversation], more: list[Conversation]
) -> None:
    path = folder(tmp_path)
    write_jsonl_atomic(path, rows)
    for row in more:
        with JsonlAppender(path) as file:
            offset = file.append(row)
            assert Conversation.model_validate_json(file.line_at(offset)) == row
    assert list(read_jsonl(path, Conversation)) == [*rows, *more]
    assert path.read_bytes().count(b"\n") == len(rows) + len(more)


@given(row=st.one_of(conversations, notes, edits))
def test_a_record_is_equal_to_what_its_json_says(row: BaseModel) -> None:
    assert type(row).model_validate_json(row.model_dump_json()) == row
    assert type(row).model_validate(json.loads(row.model_dump_json())) == row


@given(rows=st.lists(turns, min_size=1, max_size=4), new=turns, data=st.data())
def test_a_file_that_is_cut_anywhere_loses_the_cut_line_alone(
    tmp_path: Path, rows: list[Turn], new: Turn, data: st.DataObject
) -> None:
    path = folder(tmp_path)
    write_jsonl_atomic(path, rows)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    whole = rows[: sum(end <= cut for end in ends)]  # a line that lacks nothing but its newline is whole
    assert list(read_jsonl(path, Turn, ignore_half_line=True)) == whole
    with JsonlAppender(path) as file:
        assert list(read_jsonl(path, Turn)) == whole
        file.append(new)
    assert list(read_jsonl(path, Turn)) == [*whole, new]


@given(rows=st.lists(st.tuples(names, hostile_text), max_size=8), absent=hostile_text)
def test_an_index_is_the_mapping_of_its_rows(tmp_path: Path, rows: list[tuple[str, str]], absent: str) -> None:
    path = folder(tmp_path)
    write_jsonl_atomic(path, [Summary(conversation_id=key, text=text, system="s", model="m") for key, text in rows])
    index = JsonlIndex(path, Summary, key=lambda row: row["conversation_id"], value=lambda row: row.text)
    expected = dict(rows)
    assert {key: index[key] for key, _ in rows} == expected
    assert (absent in index) == (absent in expected)
    assert len(index) == len(expected)
    assert sorted(index) == sorted(expected)
    assert sorted(index.items()) == sorted(expected.items())
    assert sorted(index.values()) == sorted(expected.values())


@given(json_values, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_change_a_hash_and_a_value_does(value: object, order: random.Random) -> None:
    def reordered(value: object) -> object:
        if isinstance(value, dict):
            return {key: reordered(value[key]) for key in order.sample(list(value), len(value))}
        return [reordered(item) for item in value] if isinstance(value, list) else value

    assert digest(reordered(value)) == digest(value)
    assert digest([value]) != digest(value)
    assert digest({"a": value, "b": 1}) == digest({"b": 1, "a": value}) != digest({"a": value, "b": 2})


@given(st.floats(-2, 2) | st.floats())
def test_a_score_is_a_probability_and_a_gain_a_difference_of_two(value: float) -> None:
    for model, field, low in ((ErrorNote, "score", 0), (Edit, "gain", -1)):
        row = {"id": "e", "category": "c"} if model is ErrorNote else {"op": "delete"}
        if low <= value <= 1:
            assert getattr(model(**row, **{field: value}), field) == value
        else:
            with pytest.raises(ValidationError, match=field):
                model(**row, **{field: value})


@given(st.integers())
def test_a_rating_is_from_one_to_five(value: int) -> None:
    if value in range(1, 6):
        assert Rating(rating=value).rating == value
    else:
        with pytest.raises(ValidationError):
            Rating(rating=value)

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from arf_programs.models.embedded.grammar import bound_schema

MOST = 999_999_999


class Note(BaseModel):
    quote: str
    code: str = Field(pattern=r"^[A-Z]{2}$")
    severity: Literal["minor", "major"]


class Answer(BaseModel):
    reasoning: str
    short: str = Field(max_length=7)
    notes: list[Note]
    pair: list[int] = Field(min_length=5)
    rating: int = Field(ge=1, le=5)


@pytest.fixture
def bounded():
    return bound_schema(Answer.model_json_schema())


def test_strings_are_limited_by_depth(bounded):
    assert bounded["properties"]["reasoning"]["maxLength"] == 400
    assert bounded["$defs"]["Note"]["properties"]["quote"]["maxLength"] == 160


def test_limits_of_the_schema_itself_are_kept(bounded):
    assert bounded["properties"]["short"]["maxLength"] == 7
    assert "maxLength" not in bounded["$defs"]["Note"]["properties"]["code"]
    assert "maxLength" not in bounded["$defs"]["Note"]["properties"]["severity"]
    rating = bounded["properties"]["rating"]
    assert (rating["minimum"], rating["maximum"]) == (1, 5)


def test_lists_are_limited_but_never_below_what_they_need(bounded):
    assert bounded["properties"]["notes"]["maxItems"] == 4
    assert bounded["properties"]["pair"]["maxItems"] == 5


def test_objects_are_closed(bounded):
    assert bounded["$defs"]["Note"]["additionalProperties"] is False


def test_the_given_schema_is_left_alone():
    schema = Answer.model_json_schema()
    bound_schema(schema)
    assert schema == Answer.model_json_schema()


@pytest.mark.parametrize(
    ("schema", "low", "high"),
    [
        ({"type": "integer"}, -MOST, MOST),
        ({"type": "integer", "minimum": 0}, 0, MOST),
        ({"type": "integer", "minimum": 90}, 90, 90 + MOST),
        ({"type": "integer", "maximum": -90}, -90 - MOST, -90),
    ],
)
def test_integers_get_the_limits_that_they_lack(schema, low, high):
    bounded = bound_schema(schema)
    assert (bounded["minimum"], bounded["maximum"]) == (low, high)


def test_an_exclusive_limit_is_not_widened():
    bounded = bound_schema({"type": "integer", "exclusiveMinimum": 0})
    assert bounded == {"type": "integer", "exclusiveMinimum": 0, "maximum": MOST}


def test_numbers_are_put_on_a_grid():
    assert bound_schema({"type": "number", "minimum": 0, "maximum": 1})["multipleOf"] == 0.001


def test_optional_strings_are_limited_in_either_spelling():
    assert bound_schema({"anyOf": [{"type": "string"}, {"type": "null"}]})["anyOf"][0]["maxLength"] == 400
    assert bound_schema({"type": ["string", "null"]})["maxLength"] == 400


def test_an_open_mapping_is_limited():
    bounded = bound_schema({"type": "object", "additionalProperties": {"type": "string"}})
    assert bounded["maxProperties"] == 6
    assert bounded["additionalProperties"]["maxLength"] == 400


def test_no_schema_is_any_bounded_object():
    bounded = bound_schema({})
    assert bounded["type"] == "object"
    assert bounded["maxProperties"] == 6
